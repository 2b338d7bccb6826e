//! Cuts a text into the pieces that a model tokenizes one by one.

mod behavior;

pub(super) use self::behavior::Behavior;
use super::{
    aligned::Aligned,
    alphabet,
    pattern::{Pattern, parts_of},
    regex::{Part, Regex},
    unicode::is_punctuation,
};
use crate::error::Result;

/// How GPT-2 cuts words, which byte-level pre-tokenizers do by default.
pub(super) const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// One step, by its name in a `tokenizer.json`.
#[derive(Debug, Clone)]
pub(super) enum PreTokenizer {
    /// At white space, and around punctuation.
    Bert,
    /// Bytes become characters of their alphabet, after the text was cut into `words`.
    ByteLevel {
        adds_prefix_space: bool,
        words: Option<Regex>,
    },
    Delimiter(char),
    Metaspace {
        replacement: char,
        prepend: PrependScheme,
        splits: bool,
    },
    /// Words of letters and digits, and of other characters.
    Whitespace(Regex),
    WhitespaceSplit,
    Split {
        pattern: Pattern,
        behavior: Behavior,
        inverts: bool,
    },
    Punctuation(Behavior),
    Digits {
        individual: bool,
    },
    /// Pieces of so many characters.
    FixedLength(usize),
}

/// Which pieces get a space before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PrependScheme {
    Always,
    /// Only the one that begins the original text.
    First,
    Never,
}

/// A text and the ranges of its pieces, none empty.
#[derive(Debug)]
pub(super) struct Pieces {
    pub text: Aligned,
    pub ranges: Vec<(usize, usize)>,
}

impl Pieces {
    /// All of a text, unless it is empty.
    pub fn new(text: Aligned) -> Self {
        let len = text.text().len();
        Pieces { text, ranges: if len == 0 { Vec::new() } else { vec![(0, len)] } }
    }

    /// Cuts every piece into the parts that `cut` gives.
    fn split(&mut self, behavior: Behavior, cut: impl Fn(&str) -> Result<Vec<Part>>) -> Result<()> {
        let mut ranges = Vec::with_capacity(self.ranges.len());
        for &(start, end) in &self.ranges {
            let parts = cut(&self.text.text()[start..end])?;
            let within = behavior.ranges(parts.into_iter());
            ranges.extend(within.into_iter().map(|(from, to)| (start + from, start + to)));
        }
        self.ranges = ranges;
        Ok(())
    }

    /// Cuts every piece at the characters that `is_match` accepts, each a match of its own.
    fn split_chars(&mut self, behavior: Behavior, is_match: impl Fn(char) -> bool) -> Result<()> {
        self.split(behavior, |piece| {
            let matches =
                piece.char_indices().filter(|(_, c)| is_match(*c)).map(|(at, c)| (at, at + c.len_utf8()));
            Ok(parts_of(piece, matches))
        })
    }
}

impl PreTokenizer {
    /// # Errors
    /// [`crate::Error::Tokenizer`] if a pattern takes too long on the text.
    pub fn apply(&self, pieces: &mut Pieces) -> Result<()> {
        match self {
            PreTokenizer::Bert => {
                pieces.split_chars(Behavior::Removed, char::is_whitespace)?;
                pieces.split_chars(Behavior::Isolated, is_punctuation)
            }
            PreTokenizer::ByteLevel { adds_prefix_space, words } => {
                if *adds_prefix_space {
                    prepend(pieces, ' ', |_| true);
                }
                if let Some(words) = words {
                    pieces.split(Behavior::Isolated, |piece| words.parts(piece))?;
                }
                pieces.ranges = pieces.text.rebuild(&pieces.ranges, |built, text, range| {
                    for (at, c) in text.text()[range.clone()].char_indices() {
                        let place = text.place(range.start + at);
                        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                            built.push(alphabet::CHARS[byte as usize], place);
                        }
                    }
                });
                Ok(())
            }
            PreTokenizer::Delimiter(delimiter) => pieces.split_chars(Behavior::Removed, |c| c == *delimiter),
            PreTokenizer::Metaspace { replacement, prepend: scheme, splits } => {
                let opens: Vec<bool> =
                    pieces.ranges.iter().map(|range| pieces.text.place(range.0).0 == 0).collect();
                pieces.ranges = pieces.text.rebuild(&pieces.ranges, |built, text, range| {
                    for (at, c) in text.text()[range.clone()].char_indices() {
                        built.push(if c == ' ' { *replacement } else { c }, text.place(range.start + at));
                    }
                });
                prepend(pieces, *replacement, |i| match scheme {
                    PrependScheme::Always => true,
                    PrependScheme::First => opens[i],
                    PrependScheme::Never => false,
                });
                if *splits {
                    pieces.split_chars(Behavior::MergedWithNext, |c| c == *replacement)?;
                }
                Ok(())
            }
            PreTokenizer::Whitespace(words) => pieces.split(Behavior::Removed, |piece| {
                Ok(words.parts(piece)?.into_iter().map(inverted).collect())
            }),
            PreTokenizer::WhitespaceSplit => pieces.split_chars(Behavior::Removed, char::is_whitespace),
            PreTokenizer::Split { pattern, behavior, inverts } => pieces.split(*behavior, |piece| {
                let parts = pattern.parts(piece)?;
                Ok(if *inverts { parts.into_iter().map(inverted).collect() } else { parts })
            }),
            PreTokenizer::Punctuation(behavior) => pieces.split_chars(*behavior, is_punctuation),
            PreTokenizer::Digits { individual } => {
                let behavior = if *individual { Behavior::Isolated } else { Behavior::Contiguous };
                pieces.split_chars(behavior, char::is_numeric)
            }
            PreTokenizer::FixedLength(length) => pieces.split(Behavior::Isolated, |piece| {
                let starts: Vec<usize> = piece.char_indices().map(|(at, _)| at).step_by(*length).collect();
                let ends = starts.iter().skip(1).copied().chain([piece.len()]);
                Ok(starts
                    .iter()
                    .zip(ends)
                    .map(|(start, end)| Part { start: *start, end, is_match: true })
                    .collect())
            }),
        }
    }
}

/// Puts a character before the pieces that `wants` accepts by their number, unless they begin with it.
fn prepend(pieces: &mut Pieces, prefix: char, wants: impl Fn(usize) -> bool) {
    let mut i = 0;
    pieces.ranges = pieces.text.rebuild(&pieces.ranges, |built, text, range| {
        if wants(i) && !text.text()[range.clone()].starts_with(prefix) {
            built.push(prefix, text.place(range.start));
        }
        built.copy(text, range);
        i += 1;
    });
}

fn inverted(part: Part) -> Part {
    Part { is_match: !part.is_match, ..part }
}

#[cfg(test)]
mod tests;
