//! Unicode's normalization forms (UAX #15). Each character of the outcome says how many of the text's it stands for, as
//! [`super::super::aligned::Aligned::rewrite`] wants it: `0` one, `-n` one and the `n` after it, `1` none of its own.

use std::{collections::HashMap, sync::LazyLock};

use super::tables::{Numbers, runs};

const CANONICAL: &[u8] = include_bytes!("canonical.bin");
const COMPATIBLE: &[u8] = include_bytes!("compatible.bin");
const COMBINING: &[u8] = include_bytes!("combining.bin");

/// Most characters of a canonical decomposition.
const LONGEST: usize = 4;

/// Full decompositions by character.
struct Decompositions {
    chars: Vec<char>,
    /// Where each one's parts end in `parts`.
    ends: Vec<u32>,
    parts: Vec<char>,
    /// Those that compose again, by their place.
    compose: Vec<u32>,
}

static CANONICAL_PARTS: LazyLock<Decompositions> = LazyLock::new(|| Decompositions::new(CANONICAL));
static COMPATIBLE_PARTS: LazyLock<Decompositions> = LazyLock::new(|| Decompositions::new(COMPATIBLE));
static COMPOSITES: LazyLock<HashMap<(char, char), char>> = LazyLock::new(composites);
/// Canonical combining classes but for 0: first and last code point and class.
static CLASSES: LazyLock<Vec<(u32, u32, u8)>> =
    LazyLock::new(|| runs(COMBINING).filter(|(.., class)| *class > 0).collect());

impl Decompositions {
    fn new(table: &[u8]) -> Self {
        let mut all = Decompositions { chars: vec![], ends: vec![], parts: vec![], compose: vec![] };
        let (mut numbers, mut code) = (Numbers(table), 0);
        while let (Some(distance), Some(head)) = (numbers.next(), numbers.next()) {
            code += distance;
            if head & 1 == 1 {
                all.compose.push(all.chars.len() as u32);
            }
            // The table holds characters only.
            all.chars.extend(char::from_u32(code));
            all.parts.extend(numbers.by_ref().take(head as usize / 2).filter_map(char::from_u32));
            all.ends.push(all.parts.len() as u32);
        }
        all
    }

    fn at(&self, place: usize) -> &[char] {
        let start = if place == 0 { 0 } else { self.ends[place - 1] as usize };
        &self.parts[start..self.ends[place] as usize]
    }

    fn of(&self, c: char) -> Option<&[char]> {
        self.chars.binary_search(&c).ok().map(|place| self.at(place))
    }
}

/// What two characters compose to: the composition of all parts but the last, with the last.
fn composites() -> HashMap<(char, char), char> {
    let all = &*CANONICAL_PARTS;
    let mut pairs = HashMap::with_capacity(all.compose.len());
    // Those of few parts first, for others are made of them.
    for len in 2..=LONGEST {
        for place in all.compose.iter().map(|place| *place as usize) {
            if let Some((last, before)) =
                all.at(place).split_last().filter(|(_, before)| before.len() + 1 == len)
            {
                let first = before.iter().copied().reduce(|a, b| pairs.get(&(a, b)).copied().unwrap_or(a));
                pairs.extend(first.map(|first| ((first, *last), all.chars[place])));
            }
        }
    }
    pairs
}

fn combining_class(c: char) -> u8 {
    let code = c as u32;
    let after = CLASSES.partition_point(|(first, ..)| *first <= code);
    let run = after.checked_sub(1).map(|at| CLASSES[at]);
    run.filter(|(_, last, _)| code <= *last).map_or(0, |(.., class)| class)
}

/// Canonical decomposition.
pub(in crate::text) fn nfd(text: &str) -> Vec<(char, isize)> {
    decompose(text, false)
}

/// Compatibility decomposition.
pub(in crate::text) fn nfkd(text: &str) -> Vec<(char, isize)> {
    decompose(text, true)
}

/// Canonical composition.
pub(in crate::text) fn nfc(text: &str) -> Vec<(char, isize)> {
    compose(&nfd(text))
}

/// Compatibility composition.
pub(in crate::text) fn nfkc(text: &str) -> Vec<(char, isize)> {
    compose(&nfkd(text))
}

fn decompose(text: &str, compatible: bool) -> Vec<(char, isize)> {
    let mut out: Vec<(char, isize)> = Vec::with_capacity(text.len());
    // Where the marks after the last base character begin.
    let mut marks = 0;
    let mut push = |c: char, change: isize| {
        if combining_class(c) == 0 {
            order_marks(&mut out[marks..]);
            marks = out.len() + 1;
        }
        out.push((c, change));
    };
    for c in text.chars() {
        if c.is_ascii() {
            push(c, 0);
        } else if let Some(syllable) = hangul::index(c) {
            let parts = hangul::parts(syllable).enumerate();
            parts.for_each(|(i, part)| push(part, isize::from(i > 0)));
        } else {
            let compatible = compatible.then(|| COMPATIBLE_PARTS.of(c)).flatten();
            let own = [c];
            let parts = compatible.or_else(|| CANONICAL_PARTS.of(c)).unwrap_or(&own);
            parts.iter().enumerate().for_each(|(i, part)| push(*part, isize::from(i > 0)));
        }
    }
    order_marks(&mut out[marks..]);
    out
}

/// Orders marks by their class, those of one class as they stand. There are few classes, and mostly few marks.
fn order_marks(marks: &mut [(char, isize)]) {
    if marks.is_sorted_by_key(|(c, _)| combining_class(*c)) {
        return;
    }
    let unordered: Vec<(u8, (char, isize))> =
        marks.iter().map(|mark| (combining_class(mark.0), *mark)).collect();
    let classes = (0..=u8::MAX).flat_map(|class| unordered.iter().filter(move |(of, _)| *of == class));
    marks.iter_mut().zip(classes).for_each(|(mark, (_, ordered))| *mark = *ordered);
}

fn compose(text: &[(char, isize)]) -> Vec<(char, isize)> {
    let mut out = Vec::with_capacity(text.len());
    let mut base: Option<(char, isize)> = None;
    // Marks that did not compose with the base, and the class of the last.
    let mut marks = Vec::new();
    let mut last_class = None;
    for &(c, change) in text {
        let class = combining_class(c);
        let Some((first, first_change)) = base else {
            if class == 0 {
                base = Some((c, change));
            } else {
                out.push((c, change));
            }
            continue;
        };
        let is_blocked = last_class.is_some_and(|last| last >= class);
        let composed = if is_blocked { None } else { pair(first, c) };
        if let Some(composed) = composed {
            base = Some((composed, first_change + change - 1));
        } else if class == 0 {
            out.push((first, first_change));
            out.append(&mut marks);
            (base, last_class) = (Some((c, change)), None);
        } else {
            marks.push((c, change));
            last_class = Some(class);
        }
    }
    out.extend(base);
    out.append(&mut marks);
    out
}

fn pair(first: char, second: char) -> Option<char> {
    hangul::pair(first, second).or_else(|| COMPOSITES.get(&(first, second)).copied())
}

/// Hangul syllables, which are made of their letters by arithmetic (Unicode, section 3.12).
mod hangul {
    const SYLLABLES: u32 = 0xAC00;
    const LEADING: u32 = 0x1100;
    const VOWELS: u32 = 0x1161;
    const TRAILING: u32 = 0x11A7;
    const N_LEADING: u32 = 19;
    const N_VOWELS: u32 = 21;
    const N_TRAILING: u32 = 28;
    const N_SYLLABLES: u32 = N_LEADING * N_VOWELS * N_TRAILING;

    fn below(c: char, first: u32, n: u32) -> Option<u32> {
        (c as u32).checked_sub(first).filter(|i| *i < n)
    }

    pub fn index(c: char) -> Option<u32> {
        below(c, SYLLABLES, N_SYLLABLES)
    }

    pub fn parts(syllable: u32) -> impl Iterator<Item = char> {
        let (leading, rest) = (syllable / (N_VOWELS * N_TRAILING), syllable % (N_VOWELS * N_TRAILING));
        let (vowel, trailing) = (rest / N_TRAILING, rest % N_TRAILING);
        let trailing = (trailing > 0).then_some(TRAILING + trailing);
        [LEADING + leading, VOWELS + vowel].into_iter().chain(trailing).filter_map(char::from_u32)
    }

    pub fn pair(first: char, second: char) -> Option<char> {
        if let (Some(leading), Some(vowel)) =
            (below(first, LEADING, N_LEADING), below(second, VOWELS, N_VOWELS))
        {
            return char::from_u32(SYLLABLES + (leading * N_VOWELS + vowel) * N_TRAILING);
        }
        let syllable = index(first).filter(|syllable| syllable % N_TRAILING == 0)?;
        let trailing = below(second, TRAILING + 1, N_TRAILING - 1)? + 1;
        char::from_u32(SYLLABLES + syllable + trailing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(parts: &[(char, isize)]) -> String {
        parts.iter().map(|(c, _)| c).collect()
    }

    #[test]
    fn characters_decompose_with_their_marks_in_order() {
        assert_eq!(nfd("aé\u{327}"), [('a', 0), ('e', 0), ('\u{327}', 0), ('\u{301}', 1)]);
        assert_eq!(text(&nfd("ǖ각ﬁ")), "u\u{308}\u{304}\u{1100}\u{1161}\u{11A8}ﬁ");
        assert_eq!(text(&nfkd("ﬁ½ＡẛⅧ")), "fi1\u{2044}2As\u{307}VIII");
        assert_eq!(nfd(""), []);
        assert_eq!(text(&nfd("\u{345}\u{301}")), "\u{301}\u{345}", "a text may begin with marks");
    }

    #[test]
    fn characters_compose_unless_a_mark_blocks_them() {
        assert_eq!(nfc("e\u{301}b"), [('é', -1), ('b', 0)]);
        assert_eq!(text(&nfc("u\u{308}\u{304}\u{1100}\u{1161}\u{11A8}")), "ǖ각");
        assert_eq!(text(&nfc("a\u{327}\u{301}")), "á\u{327}");
        assert_eq!(text(&nfc("a\u{315}\u{300}\u{300}")), "à\u{300}\u{315}");
        assert_eq!(text(&nfc("\u{958}\u{212B}")), "\u{915}\u{93C}Å", "some never compose again");
        assert_eq!(text(&nfkc("ﬁ\u{FF76}\u{FF9E}")), "fiガ");
    }

    #[test]
    fn every_form_is_stable() {
        for c in (0..0x30000).filter_map(char::from_u32) {
            let c = c.to_string();
            for form in [nfc, nfd, nfkc, nfkd] {
                let once = text(&form(&c));
                assert_eq!(text(&form(&once)), once, "{c:?}");
            }
            assert_eq!(text(&nfc(&text(&nfd(&c)))), text(&nfc(&c)), "{c:?}");
        }
    }
}
