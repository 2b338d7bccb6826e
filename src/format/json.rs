//! JSON files as Python's `json` reads them, each up to a limit.

use std::borrow::Cow;

use serde_json::Value;

use super::Source;
use crate::error::{Error, Result};

/// The whole of a file that holds text.
///
/// # Errors
/// [`Error::Format`] where it is longer than `longest` bytes, and those of the source.
pub(super) async fn whole(source: &dyn Source, longest: u64) -> Result<Vec<u8>> {
    let len = source.len();
    match usize::try_from(len) {
        Ok(n) if len <= longest => source.read(0, n).await,
        _ => {
            let problem = format!("{len} bytes, but at most {longest} are read");
            Err(Error::format(source.name(), "length", 0, problem))
        }
    }
}

/// Parses the text of `file`. Besides JSON it may hold `NaN`, `Infinity` and `-Infinity`, which Python writes for such
/// numbers; they become null.
///
/// # Errors
/// [`Error::Format`] with the place of the first mistake.
pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<Value> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).or_else(|_| {
        let bytes = with_nulls(bytes);
        serde_json::from_slice(&bytes).map_err(|error| mistake(file, "JSON", 0, &bytes, &error))
    })
}

/// An [`Error::Format`] for what is wrong in `text`, which starts at byte `start` of `file`.
pub(super) fn mistake(file: &str, field: &str, start: u64, text: &[u8], error: &serde_json::Error) -> Error {
    let lines_before = text.split_inclusive(|&b| b == b'\n').take(error.line().saturating_sub(1));
    let line_start: usize = lines_before.map(<[u8]>::len).sum();
    let offset = start + (line_start + error.column().saturating_sub(1)) as u64;
    let message = error.to_string();
    // The offset says where.
    let problem = message.rsplit_once(" at line ").map_or(message.as_str(), |(problem, _)| problem);
    Error::format(file, field, offset, shortened(problem))
}

/// The beginning of a text that came out of a file, for a message.
pub(super) fn shortened(text: &str) -> String {
    const MOST_CHARS: usize = 120;
    match text.char_indices().nth(MOST_CHARS) {
        None => text.to_string(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// `text` with every number that is none in JSON as null.
fn with_nulls(text: &[u8]) -> Cow<'_, [u8]> {
    const NO_NUMBERS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let mut out = Vec::new();
    let mut copied = 0;
    let (mut at, mut in_string) = (0, false);
    while at < text.len() {
        match text[at] {
            b'"' => in_string = !in_string,
            b'\\' if in_string => at += 1,
            _ if in_string => {}
            _ => {
                if let Some(word) = NO_NUMBERS.iter().find(|word| text[at..].starts_with(word)) {
                    out.extend_from_slice(&text[copied..at]);
                    out.extend_from_slice(b"null");
                    copied = at + word.len();
                    at = copied;
                    continue;
                }
            }
        }
        at += 1;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.extend_from_slice(&text[copied..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_that_only_python_writes_become_null() {
        let text = br#"{"limit": [0.0, Infinity, -Infinity], "x": NaN, "text": "NaN \" Infinity"}"#;
        let expected = json!({ "limit": [0.0, null, null], "x": null, "text": "NaN \" Infinity" });
        assert_eq!(parse("config.json", text), Ok(expected));
    }

    #[test]
    fn a_byte_order_mark_is_no_mistake() {
        assert_eq!(parse("config.json", b"\xef\xbb\xbf{}"), Ok(json!({})));
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        let error = parse("config.json", b"{\n \"a\": 1,\n \"b\": oops}").unwrap_err();
        assert_eq!(error.to_string(), "config.json: JSON at byte 17: expected value");
        let error = parse("config.json", b"{\"a\": 1").unwrap_err();
        assert!(error.to_string().contains("EOF"), "{error}");
    }

    #[test]
    fn text_that_is_nested_without_end_is_refused() {
        let error = parse("config.json", "[".repeat(1 << 20).as_bytes()).unwrap_err();
        assert!(error.to_string().contains("recursion limit"), "{error}");
    }
}
