//! How SentencePiece prepares a text, as GGUF metadata describes it: replacements, spaces as `▁`, one before the text,
//! fewer between words.

use std::ops::Range;

use super::Charsmap;
use crate::{error::Result, text::aligned::Aligned};

/// What stands for a space in a piece.
pub(in crate::text) const SPACE: char = '▁';

/// What a file says about spaces.
#[derive(Debug, Clone)]
pub(in crate::text) struct Spaces {
    /// A text begins with a space that is not in it.
    pub adds_prefix: bool,
    /// Spaces at both ends go, runs of them become one.
    pub collapses: bool,
    pub charsmap: Option<Charsmap>,
}

impl Spaces {
    /// `check` refuses a text that becomes too long.
    pub fn apply(&self, text: &mut Aligned, check: impl Fn(usize) -> Result<()>) -> Result<()> {
        let len = text.text().len();
        let mut outcome = Ok(());
        text.rebuild(&[(0, len)], |built, text, _| {
            let (mut begun, mut after_space) = (false, true);
            let mut space = (0, 0);
            outcome = self.replaced(text.text(), &check, |c, range| {
                let place = (text.place(range.start).0, text.place(range.end - 1).1);
                let opens = if self.collapses {
                    c != ' ' && after_space && (begun || self.adds_prefix)
                } else {
                    !begun && self.adds_prefix
                };
                if opens {
                    // Where several spaces became one, it is the last.
                    built.push(SPACE, if begun { space } else { place });
                }
                if c != ' ' {
                    built.push(c, place);
                } else if !self.collapses {
                    built.push(SPACE, place);
                }
                begun |= c != ' ' || !self.collapses;
                after_space = c == ' ';
                space = if after_space { place } else { space };
            });
        });
        outcome
    }

    /// Every character after the replacements, with the part of the text that it stands for.
    fn replaced(
        &self,
        text: &str,
        check: impl Fn(usize) -> Result<()>,
        mut each: impl FnMut(char, Range<usize>),
    ) -> Result<()> {
        let (mut at, mut made) = (0, 0);
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at..];
            if let Some((len, by)) = self.charsmap.as_ref().and_then(|map| map.longest(rest)) {
                made += by.len();
                check(made)?;
                by.chars().for_each(|c| each(c, at..at + len));
                at += len;
            } else {
                each(c, at..at + c.len_utf8());
                at += c.len_utf8();
            }
        }
        Ok(())
    }
}
