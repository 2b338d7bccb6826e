use super::Regex;
use crate::error::Error;

/// The matches in brackets, what lies between them without.
#[track_caller]
fn finds(pattern: &str, text: &str, expected: &str) {
    let parts = Regex::new(pattern).unwrap().parts(text).unwrap();
    assert_eq!(
        parts.iter().map(|part| &text[part.start..part.end]).collect::<String>(),
        text,
        "nothing is lost"
    );
    let shown = parts.iter().map(|part| {
        let text = &text[part.start..part.end];
        if part.is_match { format!("[{text}]") } else { text.to_owned() }
    });
    assert_eq!(shown.collect::<String>(), expected, "{pattern}");
}

// The expectations are what Oniguruma finds, through the Python package `tokenizers` 0.23.

#[test]
fn the_first_alternative_that_matches_counts() {
    finds("a|ab", "ab", "[a]b");
    finds("(a|ab)(c|bcd)(d*)", "abcd", "[abcd]");
    finds("(?:ab)+|(?:a|b)*c", "ababc", "[abab][c]");
}

#[test]
fn repetitions_are_greedy_lazy_or_possessive() {
    finds("a{2,3}", "aaaaa", "[aaa][aa]");
    finds("a{,2}b", "aaab", "a[aab]");
    finds("a*?b|a{2,3}?", "aaab", "[aaab]");
    finds("a{2,3}?", "aaab", "[aa]ab");
    finds("a++a|b", "aab", "aa[b]");
    finds("(?>a+)a|b", "aab", "aa[b]");
    finds("(?:a?){3}b", "aaaab", "a[aaab]");
    // Ruby's reading: an option, and a repetition of the repetition.
    finds("a{2}?b", "ab aab", "a[b] [aab]");
    finds(r"\p{N}{1,3}+", "12345", "[12345]");
    finds("a{b}", "a{b}", "[a{b}]");
}

#[test]
fn loops_of_nothing_end() {
    finds("((a*)+)b", "aab", "[aab]");
    finds("(?:a*)*c", "aac", "[aac]");
    finds("x*", "axxb", "[]a[xx]b[]");
    finds("", "ab", "[]a[]b[]");
}

#[test]
fn looks_see_what_is_around() {
    finds(r"(?<=a)b+|(?<!a)b", "abb b", "a[bb] [b]");
    finds("(?<=ab|c)x", "abx cx x", "ab[x] c[x] x");
    finds(r"(?<!ab|c)\w", "abxcx", "[a][b]x[c]x");
    finds(r"\s+(?!\S)|\s+", "a   b ", "a[  ][ ]b[ ]");
    finds(r"(?=(\d{3})+(?!\d))", "12345", "12[]345");
    finds(r"\d{1,3}(?=(?:\d{3})*\b)", "1234567", "[1][234][567]");
}

#[test]
fn classes_join_meet_and_negate() {
    finds("[a-c&&[^b]]+", "abcca", "[a]b[cca]");
    finds("[^a-c[x-z]]+", "axmny", "ax[mn]y");
    finds(r"[\]\-a]+", "]-ab", "[]-a]b");
    finds("[]a]+", "]ab", "[]a]b");
    finds("[[:digit:]]+|[[:punct:]]+", "12+!a", "[12][+!]a");
    finds(r"\p{^L}+", "ab12", "ab[12]");
    finds(r"\P{L}+", "ab12", "ab[12]");
    finds(r"\p{Han}+|\p{Hiragana}+", "漢字かな", "[漢字][かな]");
    finds(r"\h+", "g0Af", "g[0Af]");
    finds(r"\u00e9|\x{1F600}|\x41", "é😀A", "[é][😀][A]");
}

#[test]
fn superscripts_are_parts_of_words_outside_of_classes() {
    finds(r"\w+", "a² ½", "[a²] [½]");
    finds(r"[\w]+", "a² ½", "[a]² ½");
}

#[test]
fn case_is_ignored_where_the_flag_says_so() {
    finds("(?i:'s|'LL)", "'S'ſ'll'l", "['S]['ſ]['ll]'l");
    finds("a(?i)b|c", "aB aC", "[aB] [aC]");
    finds("(?-i:A)(?i:b)", "AB aB", "[AB] aB");
    finds("(?i)[k-l]É", "KéLÉ", "[Ké][LÉ]");
}

#[test]
fn places_are_asserted() {
    finds(r"\bfoo|\Bo", "foo food", "[foo] [foo]d");
    finds(r"^\S+|\S+$", "ab cd\nef", "[ab] [cd]\n[ef]");
    finds(r"\A.|.\z", "abc", "[a]b[c]");
    finds("(?m:a.b)|.", "a\nb", "[a\nb]");
    finds(r".+\Z", "ab\n", "[ab]\n");
}

#[test]
fn what_is_left_out_is_refused() {
    for pattern in [
        r"(a)\1",
        r"\R",
        r"\X",
        r"\Ka",
        r"\Ga",
        "(?x)a b",
        "(?<=a+)b",
        "[a",
        "(a",
        "a)",
        "*a",
        r"\p{Klingon}",
        "[[:nope:]]",
        r"\x80",
        "[z-a]",
        "a{3,2}",
        "(?i)straße",
        "(?i)floß",
        r"\",
        "(?",
        "(?<n",
        "(?#",
    ] {
        let error = Regex::new(pattern).unwrap_err();
        assert!(matches!(&error, Error::Unsupported { found, .. } if found == pattern), "{error}");
    }
    let deep = "(".repeat(100_000) + &")".repeat(100_000);
    assert!(matches!(Regex::new(&deep), Err(Error::Unsupported { .. })));
    assert!(matches!(Regex::new("((((a{99}){99}){99}){99})"), Err(Error::Unsupported { .. })));
    assert!(matches!(Regex::new(&("a".to_owned() + &"*".repeat(100_000))), Err(Error::Unsupported { .. })));
}

#[test]
fn an_explosion_is_an_error_and_a_long_text_is_none() {
    let error = Regex::new("(a|a)*b").unwrap().parts(&"a".repeat(60)).unwrap_err();
    assert!(matches!(&error, Error::Tokenizer { problem } if problem.contains("(a|a)*b")), "{error}");
    let long = " ".repeat(300_000) + "x";
    for pattern in [r"\s+\z", r"\s*[\r\n]+|\s+(?!\S)|\s+", "(?: | )*y?"] {
        assert!(Regex::new(pattern).unwrap().parts(&long).is_ok(), "{pattern}");
    }
}
