//! Finds tokens that are whole texts of their own (`<|im_start|>`, `[MASK]`, user-defined tokens) before anything else
//! looks at a text.

use std::{collections::HashMap, ops::Range};

use super::{
    model::{Prefixes, Reading},
    regex::WordChars,
};

/// A token that is cut out of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AddedToken {
    pub id: u32,
    /// What it looks like in the text; after the normalizers if it is looked for there.
    pub content: String,
    /// Not found where special tokens are plain text.
    pub special: bool,
    /// Looked for after the normalizers instead of before them.
    pub normalized: bool,
    /// Takes the white space before it, or after it.
    pub lstrip: bool,
    pub rstrip: bool,
    /// Not found within a word.
    pub single_word: bool,
}

/// The tokens that are cut out of a text, those before the normalizers and those after them.
#[derive(Debug)]
pub(super) struct AddedTokens {
    raw: Finder,
    normalized: Finder,
    word: WordChars,
}

#[derive(Debug)]
struct Finder {
    tokens: Vec<AddedToken>,
    order: Prefixes,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// To be tokenized; never empty.
    Text(Range<usize>),
    /// A token of its own, with the white space that it takes.
    Token(u32, Range<usize>),
}

impl AddedTokens {
    /// Of tokens with the same content the last is found.
    pub fn new(tokens: Vec<AddedToken>) -> Self {
        let (normalized, raw) = tokens.into_iter().partition(|token| token.normalized);
        AddedTokens { raw: Finder::new(raw), normalized: Finder::new(normalized), word: WordChars::new() }
    }

    /// Cuts a text, before the normalizers or after them; of several tokens the leftmost counts, of those the longest.
    pub fn split(&self, text: &str, normalized: bool, reading: Reading) -> Vec<Part> {
        let finder = if normalized { &self.normalized } else { &self.raw };
        let mut parts = Vec::new();
        let (mut done, mut at) = (0, 0);
        while at < text.len() {
            let Some(token) = finder.longest(&text[at..], reading) else {
                at = finder.next(text, at + 1);
                continue;
            };
            let mut range = at..at + token.content.len();
            at = range.end;
            if token.single_word && self.is_within_word(text, &range) {
                continue;
            }
            if token.lstrip {
                range.start = text[..range.start].trim_end().len().max(done).min(range.end);
            }
            if token.rstrip {
                range.end = text.len() - text[range.end..].trim_start().len();
            }
            if done < range.start {
                parts.push(Part::Text(done..range.start));
            }
            // White space that this token takes may be a token too, which the reference then finds as well, and goes
            // on after that one.
            done = range.end;
            parts.push(Part::Token(token.id, range));
        }
        if done < text.len() {
            parts.push(Part::Text(done..text.len()));
        }
        parts
    }

    fn is_within_word(&self, text: &str, range: &Range<usize>) -> bool {
        let is_word = |c: Option<char>| c.is_some_and(|c| self.word.contains(c));
        is_word(text[..range.start].chars().next_back()) || is_word(text[range.end..].chars().next())
    }
}

impl Finder {
    fn new(tokens: Vec<AddedToken>) -> Self {
        let last: HashMap<&str, u32> =
            (0..).zip(&tokens).map(|(key, token)| (token.content.as_str(), key)).collect();
        let order = Prefixes::new(last.into_values().collect(), &|key| &tokens[key as usize].content);
        Finder { tokens, order }
    }

    /// The longest token that a text begins with.
    fn longest(&self, text: &str, reading: Reading) -> Option<&AddedToken> {
        let mut longest = None;
        self.order.each(
            |key| &self.tokens[key as usize].content,
            &[],
            text.as_bytes(),
            |key, _| {
                let token = &self.tokens[key as usize];
                if reading.specials || !token.special {
                    longest = Some(token);
                }
            },
        );
        longest
    }

    /// The next place from `at` on where a token could begin.
    fn next(&self, text: &str, at: usize) -> usize {
        let begins = |byte: &u8| self.order.begins(*byte);
        text.as_bytes()[at..].iter().position(begins).map_or(text.len(), |i| at + i)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(id: u32, content: &str) -> AddedToken {
        AddedToken {
            id,
            content: content.into(),
            special: false,
            normalized: false,
            lstrip: false,
            rstrip: false,
            single_word: false,
        }
    }

    /// The parts as texts, tokens in brackets.
    fn split(tokens: Vec<AddedToken>, text: &str, specials: bool) -> String {
        let parts = AddedTokens::new(tokens).split(text, false, Reading { specials });
        let shown = |part: &Part| match part {
            Part::Text(range) => text[range.clone()].to_owned(),
            Part::Token(id, range) => format!("[{id}:{}]", &text[range.clone()]),
        };
        parts.iter().map(shown).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn of_several_the_leftmost_and_longest_is_found() {
        let tokens = || vec![token(1, "<a"), token(2, "<a>"), token(3, "a>"), token(4, "é")];
        assert_eq!(split(tokens(), "x<a><aé", false), "x|[2:<a>]|[1:<a]|[4:é]");
        assert_eq!(split(tokens(), "", false), "");
        assert_eq!(split(Vec::new(), "<a>", false), "<a>");
    }

    #[test]
    fn special_tokens_are_found_on_demand() {
        let tokens = || vec![AddedToken { special: true, ..token(1, "<s>") }, token(2, "<s")];
        assert_eq!(split(tokens(), "a<s>", true), "a|[1:<s>]");
        assert_eq!(split(tokens(), "a<s>", false), "a|[2:<s]|>");
    }

    #[test]
    fn white_space_goes_with_the_token_that_strips_it() {
        let mask = || AddedToken { lstrip: true, rstrip: true, ..token(1, "[M]") };
        assert_eq!(split(vec![mask()], "a \u{3000}[M]\n [M] b", false), "a|[1: \u{3000}[M]\n ]|[1:[M] ]|b");
        let right = || AddedToken { lstrip: false, ..mask() };
        assert_eq!(split(vec![right()], "a [M] ", false), "a |[1:[M] ]");
        assert_eq!(split(vec![right(), token(2, "  ")], "[M]   b", false), "[1:[M]   ]|[2:  ]| b");
    }

    #[test]
    fn single_words_are_not_found_within_words() {
        let word = || vec![AddedToken { single_word: true, ..token(1, "ing") }];
        assert_eq!(split(word(), "sing ing, ingé", false), "sing |[1:ing]|, ingé");
    }

    #[test]
    fn of_equal_contents_the_last_counts() {
        assert_eq!(split(vec![token(1, "x"), token(2, "x")], "x", false), "[2:x]");
    }
}
