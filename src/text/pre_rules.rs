//! Pre-tokenizers that are a sequence of plain rules: each cuts its matches out of what the rules before it left.

use bitcannon::classify::{classify, in_mask, mask};

/// `lead?class+` as a regular expression would match it, each match a word of its own.
#[derive(Debug)]
pub(super) struct Rule {
    lead: Lead,
    class: Class,
    /// Most characters of the class in one match.
    most: usize,
    /// Only at the end of the piece; has no lead and no limit then.
    at_end: bool,
}

/// What may stand once before the class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lead {
    Nothing,
    /// U+0020.
    Space,
    /// Any white space.
    White,
}

/// A set of characters.
#[derive(Debug, Clone, Copy)]
enum Class {
    /// Unicode's general category L.
    Letter,
    /// Unicode's general category P.
    Punctuation,
    /// Unicode's general category N.
    Number,
    White,
    /// These ranges, both ends in them.
    In(&'static [(char, char)]),
    /// Neither white space nor one of these.
    NotWhiteNor(&'static str),
}

const ANY: usize = usize::MAX;
const LINE_BREAK: Rule =
    Rule { lead: Lead::Nothing, class: Class::In(&[('\n', '\n'), ('\r', '\r')]), most: 1, at_end: false };
const CJK: Rule = Rule {
    lead: Lead::Nothing,
    class: Class::In(&[('一', '龥'), ('\u{800}', '一'), ('가', '\u{d7ff}')]),
    most: ANY,
    at_end: false,
};
/// Both brackets and the bar are part of the set: the published expression writes an alternation inside `[^…]`.
const BLOOM_WORD: Rule =
    Rule {
        lead: Lead::Space, class: Class::NotWhiteNor("(|.,!?…。，、।۔،)"), most: ANY, at_end: false
    };

/// `[\r\n]`, `\s?[letters]+`, `\s?[punctuation]+`, `\s+$`, CJK, `\p{N}+`.
pub(super) const DEEPSEEK_LLM: &[Rule] = &[
    LINE_BREAK,
    Rule { lead: Lead::White, class: Class::In(DEEPSEEK_LETTERS), most: ANY, at_end: false },
    Rule { lead: Lead::White, class: Class::In(DEEPSEEK_PUNCTUATION), most: ANY, at_end: false },
    Rule { lead: Lead::Nothing, class: Class::White, most: ANY, at_end: true },
    CJK,
    Rule { lead: Lead::Nothing, class: Class::Number, most: ANY, at_end: false },
];

/// `[\r\n]`, `\s?\p{L}+`, `\s?\p{P}+`, CJK, `\p{N}`.
pub(super) const DEEPSEEK_CODER: &[Rule] = &[
    LINE_BREAK,
    Rule { lead: Lead::White, class: Class::Letter, most: ANY, at_end: false },
    Rule { lead: Lead::White, class: Class::Punctuation, most: ANY, at_end: false },
    CJK,
    Rule { lead: Lead::Nothing, class: Class::Number, most: 1, at_end: false },
];

/// ` ?[^(\s|.,!?…。，、।۔،)]+`.
pub(super) const BLOOM: &[Rule] = &[BLOOM_WORD];

/// As Bloom, then `\p{N}`.
pub(super) const VIKING: &[Rule] =
    &[BLOOM_WORD, Rule { lead: Lead::Nothing, class: Class::Number, most: 1, at_end: false }];

/// Letters of scripts with case: Latin, Greek, Cyrillic, Armenian, Georgian, Cherokee, …
#[rustfmt::skip]
const DEEPSEEK_LETTERS: &[(char, char)] = &[
    ('A', 'Z'), ('a', 'z'), ('\u{b5}', '\u{b5}'), ('\u{c0}', '\u{d6}'), ('\u{d8}', '\u{f6}'),
    ('\u{f8}', '\u{1ba}'), ('\u{1bc}', '\u{1bf}'), ('\u{1c4}', '\u{293}'), ('\u{295}', '\u{2af}'),
    ('\u{370}', '\u{373}'), ('\u{376}', '\u{376}'), ('\u{377}', '\u{377}'), ('\u{37b}', '\u{37d}'),
    ('\u{37f}', '\u{37f}'), ('\u{386}', '\u{386}'), ('\u{388}', '\u{38a}'), ('\u{38c}', '\u{38c}'),
    ('\u{38e}', '\u{3a1}'), ('\u{3a3}', '\u{3f5}'), ('\u{3f7}', '\u{481}'), ('\u{48a}', '\u{52f}'),
    ('\u{531}', '\u{556}'), ('\u{10a0}', '\u{10c5}'), ('\u{13a0}', '\u{13f5}'), ('\u{13f8}', '\u{13fd}'),
    ('\u{1c90}', '\u{1cba}'), ('\u{1cbd}', '\u{1cbf}'), ('\u{1d00}', '\u{1d2b}'), ('\u{1d6b}', '\u{1d77}'),
    ('\u{1d79}', '\u{1d9a}'), ('\u{1e00}', '\u{1f15}'), ('\u{1f18}', '\u{1f1d}'), ('\u{1f20}', '\u{1f45}'),
    ('\u{1f48}', '\u{1f4d}'), ('\u{1f50}', '\u{1f57}'), ('\u{1f59}', '\u{1f59}'), ('\u{1f5b}', '\u{1f5b}'),
    ('\u{1f5d}', '\u{1f5d}'), ('\u{1f5f}', '\u{3ce}'), ('\u{1f80}', '\u{1fb4}'), ('\u{1fb6}', '\u{1fbc}'),
    ('\u{3b9}', '\u{3b9}'), ('\u{1fc2}', '\u{1fc4}'), ('\u{1fc6}', '\u{1fcc}'), ('\u{1fd0}', '\u{390}'),
    ('\u{1fd6}', '\u{38a}'), ('\u{1fe0}', '\u{1fec}'), ('\u{1ff2}', '\u{1ff4}'), ('\u{1ff6}', '\u{1ffc}'),
    ('\u{2102}', '\u{2102}'), ('\u{2107}', '\u{2107}'), ('\u{210a}', '\u{2113}'), ('\u{2115}', '\u{2115}'),
    ('\u{2119}', '\u{211d}'), ('\u{2124}', '\u{2124}'), ('\u{3a9}', '\u{3a9}'), ('\u{2128}', '\u{2128}'),
    ('K', '\u{212d}'), ('\u{212f}', '\u{2134}'), ('\u{2139}', '\u{2139}'), ('\u{213c}', '\u{213f}'),
    ('\u{2145}', '\u{2149}'), ('\u{214e}', '\u{214e}'), ('\u{2183}', '\u{2183}'), ('\u{2184}', '\u{2184}'),
    ('\u{2c00}', '\u{2c7b}'), ('\u{2c7e}', '\u{2ce4}'), ('\u{2ceb}', '\u{2cee}'), ('\u{2cf2}', '\u{2cf2}'),
    ('\u{2cf3}', '\u{2cf3}'), ('\u{a640}', '\u{a66d}'), ('\u{a680}', '\u{a69b}'), ('\u{a722}', '\u{a76f}'),
    ('\u{a771}', '\u{a787}'), ('\u{a78b}', '\u{a78e}'), ('\u{ab70}', '\u{abbf}'), ('\u{fb00}', '\u{fb06}'),
    ('\u{fb13}', '\u{fb17}'), ('\u{ff21}', '\u{ff3a}'), ('\u{ff41}', '\u{ff5a}'),
    ('\u{10400}', '\u{1044f}'), ('\u{104b0}', '\u{104d3}'), ('\u{104d8}', '\u{104fb}'),
    ('\u{10c80}', '\u{10cb2}'), ('\u{10cc0}', '\u{10cf2}'), ('\u{118a0}', '\u{118df}'),
    ('\u{1e900}', '\u{1e943}'),
];

const DEEPSEEK_PUNCTUATION: &[(char, char)] =
    &[('!', '/'), (':', '~'), ('！', '／'), ('：', '～'), ('‘', '‟'), ('\u{3000}', '。')];

/// The pieces of a text after every rule.
pub(super) fn split<'a>(rules: &[Rule], text: &'a str) -> Vec<&'a str> {
    let mut pieces: Vec<&str> = if text.is_empty() { Vec::new() } else { vec![text] };
    for rule in rules {
        pieces = pieces.into_iter().flat_map(|piece| rule.split(piece)).collect();
    }
    pieces
}

impl Rule {
    fn split<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let member = self.class.members(text);
        if self.at_end {
            let others = text.char_indices().rev().find(|(at, _)| !member[*at]);
            let tail = others.map_or(0, |(at, c)| at + c.len_utf8());
            return [&text[..tail], &text[tail..]].into_iter().filter(|piece| !piece.is_empty()).collect();
        }
        let mut pieces = Vec::new();
        let (mut start, mut at) = (0, 0);
        while at < text.len() {
            match self.match_len(&text[at..], &member[at..]) {
                Some(len) => {
                    if start < at {
                        pieces.push(&text[start..at]);
                    }
                    pieces.push(&text[at..at + len]);
                    at += len;
                    start = at;
                }
                None => at += text[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        if start < text.len() {
            pieces.push(&text[start..]);
        }
        pieces
    }

    /// Bytes of a match at the start of `text`; `member` tells which of its characters, by their first byte, are of
    /// the class.
    fn match_len(&self, text: &str, member: &[bool]) -> Option<usize> {
        let lead = text.chars().next().filter(|c| match self.lead {
            Lead::Nothing => false,
            Lead::Space => *c == ' ',
            Lead::White => c.is_whitespace(),
        });
        let run = |from: usize| {
            let of_class = |(at, _): &(usize, char)| member[from + at];
            let chars = text[from..].char_indices().take_while(of_class).take(self.most);
            let len = chars.map(|(_, c)| c.len_utf8()).sum::<usize>();
            (len > 0).then_some(from + len)
        };
        lead.and_then(|c| run(c.len_utf8())).or_else(|| run(0))
    }
}

impl Class {
    /// For every byte that begins a character, whether the character is of the class.
    fn members(self, text: &str) -> Vec<bool> {
        let mut tags = vec![0; text.len()];
        if matches!(self, Class::Letter | Class::Punctuation | Class::Number) {
            classify(text.as_bytes(), &mut tags);
        }
        let mut members = vec![false; text.len()];
        for (at, c) in text.char_indices() {
            members[at] = match self {
                Class::Letter => in_mask(tags[at], mask::LETTER),
                // The crate counts ASCII's symbols as punctuation too.
                Class::Punctuation => in_mask(tags[at], mask::PUNCT) && !"$+<=>^`|~".contains(c),
                Class::Number => in_mask(tags[at], mask::NUMBER),
                Class::White => c.is_whitespace(),
                Class::In(ranges) => ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)),
                Class::NotWhiteNor(set) => !c.is_whitespace() && !set.contains(c),
            };
        }
        members
    }
}
