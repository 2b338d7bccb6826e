//! Regular expressions as tokenizer files use them: Oniguruma's syntax and Unicode tables, over whole characters.
//!
//! Crates for this cost a page more than all other tokenizer code: with their Unicode tables `fancy-regex` adds 290 KB
//! and `regress` 150 KB after gzip, this engine with its tables 20 KB. It needs only what files use: no captures, no
//! back references. A hostile expression cannot hang the page, for every match runs on a budget of steps.

mod matcher;
mod parse;
mod program;

use self::{matcher::Matcher, program::Program};
use super::{
    pattern::parts_of,
    unicode::{CharSet, properties as unicode},
};
use crate::error::{Error, Result};

/// A compiled expression.
#[derive(Debug, Clone)]
pub(super) struct Regex {
    source: String,
    program: Program,
    word: CharSet,
}

/// A part of a text, and whether the expression matches it or it lies between matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub start: usize,
    pub end: usize,
    pub is_match: bool,
}

/// How many steps matching a text may take. Real expressions take about 20 per byte, but those that group digits from
/// the right look at every digit from every other.
fn fuel(len: usize) -> u64 {
    let len = len as u64;
    1000 + 500 * len + (len * len).min(500_000_000)
}

impl Regex {
    /// # Errors
    /// [`Error::Unsupported`] for what is no expression or uses what this engine leaves out.
    pub fn new(pattern: &str) -> Result<Self> {
        let program = parse::parse(pattern).and_then(|node| program::compile(&node));
        let program =
            program.map_err(|problem| Error::unsupported("regular expression", pattern, problem))?;
        Ok(Regex { source: pattern.to_owned(), program, word: unicode::word() })
    }

    /// `\w+|[^\w\s]+`, the expression of the `Whitespace` pre-tokenizer, whose `\w` is Rust's.
    pub fn whitespace_words() -> Self {
        let word = unicode::unicode_word();
        let other = word.union(&unicode::space()).complement();
        let many = |set: &CharSet| parse::Node::Repeat {
            node: Box::new(parse::Node::Set(set.clone())),
            min: 1,
            max: None,
            mode: parse::Mode::Greedy,
        };
        let node = parse::Node::Alternatives(vec![many(&word), many(&other)]);
        let program = program::compile(&node).expect("two repetitions are few steps");
        Regex { source: r"\w+|[^\w\s]+".into(), program, word }
    }

    /// Cuts a text into matches and what lies between them; together they are the text, and only matches may be empty.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if matching takes too many steps.
    pub fn parts(&self, text: &str) -> Result<Vec<Part>> {
        let mut matcher = Matcher::new(&self.program, text, &self.word, fuel(text.len()));
        let mut matches = Vec::new();
        let mut from = 0;
        while from <= text.len() {
            let found = matcher.find(from).map_err(|_| {
                let problem = format!("the regular expression `{}` takes too long on this text", self.source);
                Error::Tokenizer { problem }
            })?;
            let Some((start, end)) = found else { break };
            let is_empty = start == end;
            // Nothing, right after a match, is no match of its own.
            if !is_empty || matches.last().is_none_or(|last: &(usize, usize)| last.1 != end) {
                matches.push((start, end));
            }
            from = if is_empty { end + text[end..].chars().next().map_or(1, char::len_utf8) } else { end };
        }
        Ok(parts_of(text, matches.into_iter()))
    }
}

/// Tells whether a character is part of a word, as Rust's `\w` has it.
#[derive(Debug, Clone)]
pub(super) struct WordChars(CharSet);

impl WordChars {
    pub fn new() -> Self {
        WordChars(unicode::unicode_word())
    }

    pub fn contains(&self, c: char) -> bool {
        self.0.contains(c)
    }
}

#[cfg(test)]
mod tests;
