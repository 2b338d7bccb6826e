//! What a file searches for: a text or a regular expression.

use super::regex::{Part, Regex};
use crate::error::Result;

/// A text or a regular expression.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    Text(String),
    Regex(Regex),
}

impl Pattern {
    /// Cuts a text into matches and what lies between them.
    ///
    /// # Errors
    /// [`crate::Error::Tokenizer`] if matching takes too long.
    pub fn parts(&self, text: &str) -> Result<Vec<Part>> {
        match self {
            Pattern::Regex(regex) => regex.parts(text),
            Pattern::Text(searched) => {
                let matches = text.match_indices(searched.as_str());
                Ok(parts_of(text, matches.map(|(at, found)| (at, at + found.len()))))
            }
        }
    }
}

/// The parts of a text, given its matches in order.
pub(super) fn parts_of(text: &str, matches: impl Iterator<Item = (usize, usize)>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut done = 0;
    for (start, end) in matches {
        if done < start {
            parts.push(Part { start: done, end: start, is_match: false });
        }
        parts.push(Part { start, end, is_match: true });
        done = end;
    }
    if done < text.len() {
        parts.push(Part { start: done, end: text.len(), is_match: false });
    }
    parts
}
