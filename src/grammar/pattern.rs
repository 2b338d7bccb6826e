//! Regular expressions of JavaScript in the syntax that the parser reads, with the same meaning.

use crate::{Error, Result};

/// What `\s` stands for (ECMA-262, CharacterClassEscape).
const SPACES: &str =
    r"\t\n\x0B\x0C\r \u{A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}\u{FEFF}";
/// What `.` does not stand for (ECMA-262, LineTerminator).
const LINE_ENDS: &str = r"\n\r\u{2028}\u{2029}";

/// A pattern that is searched for, as in a schema.
pub fn translate(pattern: &str) -> Result<String> {
    translate_with(pattern, &format!("[^{LINE_ENDS}]"))
}

/// The same with another class in place of `.`.
fn translate_with(pattern: &str, dot: &str) -> Result<String> {
    let mut out = String::with_capacity(pattern.len());
    let mut in_class = false;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let Some(escaped) = chars.next() else {
                    return Err(Error::input("regex", format!("`{pattern}` ends in a lone `\\`")));
                };
                match escaped {
                    's' if in_class => out.push_str(SPACES),
                    's' => out.push_str(&format!("[{SPACES}]")),
                    'S' => out.push_str(&format!("[^{SPACES}]")),
                    'd' if in_class => out.push_str("0-9"),
                    'd' => out.push_str("[0-9]"),
                    'D' => out.push_str("[^0-9]"),
                    'w' if in_class => out.push_str("0-9a-zA-Z_"),
                    'w' => out.push_str("[0-9a-zA-Z_]"),
                    'W' => out.push_str("[^0-9a-zA-Z_]"),
                    'b' if in_class => out.push_str(r"\x08"),
                    'v' => out.push_str(r"\x0B"),
                    'f' => out.push_str(r"\x0C"),
                    '0' if !chars.peek().is_some_and(char::is_ascii_digit) => out.push_str(r"\x00"),
                    'b' | 'B' | 'k' | 'c' | '0'..='9' => {
                        let hint = format!("in the regular expression `{pattern}`");
                        return Err(Error::unsupported("escape", format!("\\{escaped}"), hint));
                    }
                    other => out.extend(['\\', other]),
                }
            }
            '[' if in_class => out.push_str(r"\["),
            '&' | '~' if in_class => out.extend(['\\', c]),
            '[' => {
                in_class = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                if chars.peek() == Some(&']') {
                    let hint = format!("an empty class in the regular expression `{pattern}`");
                    return Err(Error::unsupported("class", "[]", hint));
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '.' if !in_class => out.push_str(dot),
            other => out.push(other),
        }
    }
    Ok(out)
}

/// A pattern that the whole text matches; `^` and `$` around it say so once more.
pub fn whole(pattern: &str) -> Result<String> {
    // Flags may stand before it.
    let flags =
        ["(?i)", "(?s)", "(?is)"].into_iter().find(|flags| pattern.starts_with(flags)).unwrap_or_default();
    let inner = &pattern[flags.len()..];
    let begins = inner.starts_with('^');
    let ends =
        inner.ends_with('$') && inner.bytes().rev().skip(1).take_while(|b| *b == b'\\').count() % 2 == 0;
    // In `^a|b$` each belongs to one of the two.
    let inner = match (begins, ends) {
        _ if has_alternatives(inner) => inner,
        (true, true) => &inner[1..inner.len() - 1],
        (true, false) => &inner[1..],
        (false, true) => &inner[..inner.len() - 1],
        (false, false) => inner,
    };
    if inner.is_empty() {
        return Err(Error::input("regex", "it is empty, and so would the text be"));
    }
    let dot = if flags.contains('s') { r"(?s:.)".to_owned() } else { format!("[^{LINE_ENDS}]") };
    let flags = if flags.contains('i') { "(?i)" } else { "" };
    Ok(format!("{flags}{}", translate_with(inner, &dot)?))
}

/// Whether a `|` stands outside of all groups and classes.
fn has_alternatives(pattern: &str) -> bool {
    let (mut depth, mut in_class, mut escaped) = (0, false, false);
    for c in pattern.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ']' => in_class = false,
            _ if in_class => {}
            '[' => in_class = true,
            '(' => depth += 1,
            ')' => depth -= 1,
            '|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_the_characters_that_javascript_gives_them() {
        assert_eq!(translate(r"^\d+\.[\w-]$").unwrap(), r"^[0-9]+\.[0-9a-zA-Z_-]$");
        assert_eq!(translate(".").unwrap(), r"[^\n\r\u{2028}\u{2029}]");
        assert_eq!(translate(r"[[&.]").unwrap(), r"[\[\&.]");
    }

    #[test]
    fn what_surrounds_a_whole_text_is_taken_off() {
        for pattern in ["^ab$", "ab", "^ab", "ab$"] {
            assert_eq!(whole(pattern).unwrap(), "ab");
        }
        assert_eq!(whole(r"a\$").unwrap(), r"a\$");
        assert_eq!(whole("(?is)^(a|b).$").unwrap(), "(?i)(a|b)(?s:.)");
        assert_eq!(whole("^a|b$").unwrap(), "^a|b$");
    }

    #[test]
    fn what_looks_elsewhere_is_refused_by_name() {
        for (pattern, name) in [(r"a\b", r"\b"), (r"(a)\1", r"\1"), ("[]", "[]")] {
            let Err(Error::Unsupported { found, .. }) = translate(pattern) else { panic!("{pattern}") };
            assert_eq!(found, name);
        }
        assert!(matches!(translate(r"a\"), Err(Error::Input { .. })));
    }
}
