//! What normalizers and pre-tokenizers take for punctuation, marks and noise.

use std::sync::LazyLock;

use super::{charset::CharSet, tables::ranges};

/// Runs of sets of the bits below.
const RUNS: &[u8] = include_bytes!("classes.bin");

fn with_bit(bit: u8) -> CharSet {
    CharSet::new(ranges(RUNS, |bits| bits >> bit & 1 == 1))
}

static PUNCTUATION: LazyLock<CharSet> = LazyLock::new(|| with_bit(0));
static NONSPACING_MARKS: LazyLock<CharSet> = LazyLock::new(|| with_bit(1));
static COMBINING_MARKS: LazyLock<CharSet> = LazyLock::new(|| with_bit(2));
static CLEANED: LazyLock<CharSet> = LazyLock::new(|| with_bit(3));

/// Punctuation, and ASCII's symbols with it.
pub(in crate::text) fn is_punctuation(c: char) -> bool {
    PUNCTUATION.contains(c)
}

/// The accents that BERT strips.
pub(in crate::text) fn is_nonspacing_mark(c: char) -> bool {
    NONSPACING_MARKS.contains(c)
}

/// What `StripAccents` strips.
pub(in crate::text) fn is_combining_mark(c: char) -> bool {
    COMBINING_MARKS.contains(c)
}

/// What BERT leaves out of a text: control, format, private-use and unassigned characters, and U+FFFD.
pub(in crate::text) fn is_cleaned(c: char) -> bool {
    CLEANED.contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_members() {
        assert!("!$+<=>^`|~«、".chars().all(is_punctuation) && !"a é€".chars().any(is_punctuation));
        assert!("\u{301}\u{5B0}".chars().all(is_nonspacing_mark) && !is_nonspacing_mark('\u{903}'));
        assert!("\u{301}\u{903}".chars().all(is_combining_mark) && !is_combining_mark('a'));
        assert!("\0\u{7F}\u{AD}\u{200B}\u{E000}\u{FFFD}".chars().all(is_cleaned));
        assert!(!"\t\n\r a\u{3000}".chars().any(is_cleaned));
    }
}
