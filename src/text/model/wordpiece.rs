//! WordPiece (Schuster and Nakajima 2012, as BERT has it): a word is the longest token that begins it, then the
//! longest that continues it, and so on; if that leads nowhere, the whole word is unknown.

use super::{Found, cannot_spell, prefixes::Prefixes};
use crate::{error::Result, text::vocab::Vocab};

/// A vocabulary in its order, and how it marks what begins a word and what continues one.
#[derive(Debug)]
pub(in crate::text) struct WordPiece {
    pub prefixes: Prefixes,
    pub unknown: Option<u32>,
    /// Stands before a token that begins a word: nothing, or `▁` in GGUF files.
    pub beginning: String,
    /// Stands before a token that continues a word: `##`, or nothing in GGUF files.
    pub continuing: String,
    /// A longer word is unknown.
    pub most_chars: usize,
}

impl WordPiece {
    /// # Errors
    /// [`crate::Error::Tokenizer`] for an unknown word where there is no unknown token.
    pub fn tokenize(&self, vocab: &Vocab, word: &str, found: &mut Vec<Found>) -> Result<()> {
        let before = found.len();
        let mut start = if word.chars().count() > self.most_chars { None } else { Some(0) };
        while let Some(at) = start.filter(|at| *at < word.len()) {
            let token = self.longest(vocab, &word[at..], at == 0);
            found.extend(token.map(|(id, len)| Found { id, start: at, end: at + len }));
            start = token.map(|(_, len)| at + len);
        }
        if start.is_none() {
            found.truncate(before);
            let id = self.unknown.ok_or_else(|| cannot_spell(word))?;
            found.push(Found { id, start: 0, end: word.len() });
        }
        Ok(())
    }

    fn longest(&self, vocab: &Vocab, rest: &str, begins: bool) -> Option<(u32, usize)> {
        let text = |id| vocab.text(id).unwrap_or_default();
        let lead = if begins { &self.beginning } else { &self.continuing };
        // Where only beginnings are marked, a mark is what tells them from the rest.
        let other = Some(self.beginning.as_str()).filter(|mark| !begins && !mark.is_empty());
        let mut longest = None;
        self.prefixes.each(text, lead.as_bytes(), rest.as_bytes(), |id, len| {
            if !other.is_some_and(|mark| text(id).starts_with(mark)) {
                longest = Some((id, len));
            }
        });
        longest
    }
}
