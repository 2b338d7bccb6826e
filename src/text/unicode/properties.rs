//! What `\p{…}`, `\w`, `\s` and `\d` mean, as Oniguruma has it (Unicode 16), which the reference tokenizers use.

use super::{charset::CharSet, tables::ranges};

/// General categories and scripts, as runs.
const CATEGORY_RUNS: &[u8] = include_bytes!("categories.bin");
const SCRIPT_RUNS: &[u8] = include_bytes!("scripts.bin");

/// General categories by their class.
const CATEGORIES: [&str; 30] = [
    "lu", "ll", "lt", "lm", "lo", "mn", "mc", "me", "nd", "nl", "no", "pc", "pd", "ps", "pe", "pi", "pf",
    "po", "sm", "sc", "sk", "so", "zs", "zl", "zp", "cc", "cf", "cs", "co", "cn",
];

/// Scripts by their class; the first stands for all others.
const SCRIPTS: [&str; 23] = [
    "",
    "han",
    "hiragana",
    "katakana",
    "hangul",
    "bopomofo",
    "latin",
    "greek",
    "cyrillic",
    "armenian",
    "georgian",
    "hebrew",
    "arabic",
    "devanagari",
    "bengali",
    "tamil",
    "telugu",
    "thai",
    "lao",
    "tibetan",
    "myanmar",
    "khmer",
    "ethiopic",
];

/// Letters that are symbols by category: circled and squared ones.
const SYMBOL_LETTERS: [(u32, u32); 4] =
    [(0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189)];

/// The characters with a property, by the name that stands in `\p{…}` or `[:…:]`.
pub(in crate::text) fn property(name: &str) -> Option<CharSet> {
    let name: String = name.chars().filter(|c| !" _-".contains(*c)).map(|c| c.to_ascii_lowercase()).collect();
    let category = match name.as_str() {
        "" => return None,
        "any" => return Some(CharSet::new(vec![(0, char::MAX as u32)])),
        "word" => return Some(word_in_class()),
        "space" | "whitespace" => return Some(space()),
        "punct" => return Some(categories(&["p", "s"])),
        "letter" => "l",
        "mark" => "m",
        "number" => "n",
        "digit" => "nd",
        "punctuation" => "p",
        "symbol" => "s",
        other => other,
    };
    if let Some(script) = SCRIPTS.iter().position(|script| *script == name) {
        return Some(CharSet::new(ranges(SCRIPT_RUNS, |class| usize::from(class) == script)));
    }
    let known = CATEGORIES
        .iter()
        .any(|known| *known == category || (category.len() == 1 && known.starts_with(category)));
    known.then(|| categories(&[category]))
}

/// The characters of general categories, each named whole or by its first letter.
fn categories(names: &[&str]) -> CharSet {
    let is_in = |class: u8| names.iter().any(|name| CATEGORIES[usize::from(class)].starts_with(name));
    CharSet::new(ranges(CATEGORY_RUNS, is_in))
}

/// `\s`.
pub(in crate::text) fn space() -> CharSet {
    categories(&["z"]).union(&CharSet::new(vec![(0x9, 0xD), (0x85, 0x85)]))
}

/// `\d`.
pub(in crate::text) fn digit() -> CharSet {
    categories(&["nd"])
}

/// `\h`.
pub(in crate::text) fn hex_digit() -> CharSet {
    CharSet::new(
        [('0', '9'), ('A', 'F'), ('a', 'f')].map(|(first, last)| (first as u32, last as u32)).to_vec(),
    )
}

/// `\w` and what `\b` takes for parts of words: with Latin-1's superscripts and fractions, which Oniguruma counts in.
pub(in crate::text) fn word() -> CharSet {
    word_in_class().union(&CharSet::new(vec![(0xB2, 0xB3), (0xB9, 0xB9), (0xBC, 0xBE)]))
}

/// `[\w]`, where it does not.
pub(in crate::text) fn word_in_class() -> CharSet {
    categories(&["l", "m", "nd", "nl", "pc"]).union(&CharSet::new(SYMBOL_LETTERS.to_vec()))
}

/// `\w` as Unicode recommends it (UTS #18), which is Rust's: with the joiners.
pub(in crate::text) fn unicode_word() -> CharSet {
    word_in_class().union(&CharSet::new(vec![(0x200C, 0x200D)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_cover_all_of_unicode() {
        for table in [CATEGORY_RUNS, SCRIPT_RUNS] {
            assert_eq!(ranges(table, |_| true).last().map(|range| range.1), Some(char::MAX as u32));
        }
    }

    #[test]
    fn categories_agree_with_rust_on_settled_blocks() {
        let (letters, upper, digits) =
            (property("L").unwrap(), property("Lu").unwrap(), property("Nd").unwrap());
        for c in ('\0'..'\u{530}').filter(|c| !c.is_alphanumeric() || c.is_alphabetic()) {
            // Two combining marks of the Greek block count as alphabetic without being letters.
            if !matches!(c, '\u{345}' | '\u{363}'..='\u{36F}') {
                assert_eq!(letters.contains(c), c.is_alphabetic(), "{c:?}");
            }
            assert_eq!(upper.contains(c), c.is_uppercase(), "{c:?}");
        }
        assert!("09٣९".chars().all(|c| digits.contains(c)) && !digits.contains('Ⅷ'));
        assert!(space().contains('\u{85}') && space().contains('\u{3000}') && !space().contains('\u{200B}'));
    }

    #[test]
    fn names_are_read_loosely_and_unknown_ones_are_none() {
        assert_eq!(property("Lu"), property("l_u"));
        assert!(property("Han").unwrap().contains('漢') && !property("Han").unwrap().contains('ひ'));
        assert_eq!(property("Klingon"), None);
        assert_eq!(property("X"), None);
        assert_eq!(property(""), None);
    }
}
