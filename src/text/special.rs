//! Finds tokens that are whole texts of their own (`<|im_start|>`, user-defined tokens) in the text.

use std::collections::HashMap;

use super::vocab::{TokenKind, Vocab};

/// The tokens that are cut out of a text before anything else looks at it.
#[derive(Debug, Clone)]
pub(super) struct Specials {
    by_text: HashMap<String, Special>,
    /// By first byte, the lengths of the tokens that begin with it, longest first.
    lengths: Vec<Vec<usize>>,
}

#[derive(Debug, Clone, Copy)]
struct Special {
    id: u32,
    /// Matched even where the text of special tokens is plain text.
    always: bool,
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// To be tokenized; never empty.
    Text(&'a str),
    /// A token of its own.
    Token(u32),
}

impl Specials {
    pub(super) fn new(vocab: &Vocab) -> Self {
        let mut specials = Specials { by_text: HashMap::new(), lengths: vec![Vec::new(); 256] };
        for (id, text, kind) in vocab.iter() {
            let always = kind == TokenKind::UserDefined;
            let Some(first) = text.bytes().next() else { continue };
            if always || matches!(kind, TokenKind::Control | TokenKind::Unknown) {
                specials.by_text.insert(text.to_owned(), Special { id, always });
                specials.lengths[first as usize].push(text.len());
            }
        }
        for lengths in &mut specials.lengths {
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            lengths.dedup();
        }
        specials
    }

    /// Cuts a text; of several tokens the leftmost counts, of those the longest. `parse_special` matches control
    /// tokens too; `strips_after` tells of tokens that swallow the white space after them.
    pub(super) fn split<'a>(
        &self,
        text: &'a str,
        parse_special: bool,
        strips_after: impl Fn(u32) -> bool,
    ) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        let (mut start, mut at) = (0, 0);
        while at < text.len() {
            let Some((id, len)) = self.at(text, at, parse_special) else {
                at += 1;
                continue;
            };
            if start < at {
                parts.push(Part::Text(&text[start..at]));
            }
            parts.push(Part::Token(id));
            at += len;
            if strips_after(id) {
                at = text.len() - text[at..].trim_start().len();
            }
            start = at;
        }
        if start < text.len() {
            parts.push(Part::Text(&text[start..]));
        }
        parts
    }

    /// The longest token at a byte position. Inside a character there is none: no token begins with a
    /// continuation byte.
    fn at(&self, text: &str, at: usize, parse_special: bool) -> Option<(u32, usize)> {
        self.lengths[text.as_bytes()[at] as usize].iter().find_map(|&len| {
            let special = self.by_text.get(text.get(at..at + len)?)?;
            (special.always || parse_special).then_some((special.id, len))
        })
    }
}
