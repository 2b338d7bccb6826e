//! Grammars made ready for the parser: the JSON schemas in them are held to as strictly as any.

use serde_json::{Deserializer, Value};

use crate::{Error, Result, schema};

/// The word before a schema.
const JSON: &str = "%json";

/// A grammar with its schemas made ready.
///
/// # Errors
/// As [`schema::prepare`], and [`Error::Input`] where no JSON follows `%json`.
pub fn prepare(text: &str) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let len = if let Some(after) = rest.strip_prefix(JSON) {
            let mut values = Deserializer::from_str(after).into_iter::<Value>();
            let value = match values.next() {
                Some(Ok(value)) => value,
                Some(Err(error)) => return Err(Error::input("lark", format!("after {JSON}: {error}"))),
                None => return Err(Error::input("lark", format!("it ends after {JSON}"))),
            };
            let prepared = schema::prepare(&value.to_string())?;
            out.push_str(&format!("{JSON} {prepared}"));
            rest = &after[values.byte_offset()..];
            continue;
        } else if rest.starts_with("//") || c == '#' {
            rest.find('\n').unwrap_or(rest.len())
        } else if c == '"' || c == '/' {
            quoted(rest, c)
        } else {
            c.len_utf8()
        };
        out.push_str(&rest[..len]);
        rest = &rest[len..];
    }
    Ok(out)
}

/// How long a text in quotes is, or a regular expression, that `rest` begins with; all of `rest` where it does not end.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_looks_like_a_schema_is_left_as_it_is() {
        for text in
            ["start: \"%json 5\" /a\\/%json/ // %json\n", "start: \"\\\"%json\"", "# %json", "start: \"é"]
        {
            assert_eq!(prepare(text).unwrap(), text);
        }
    }

    #[test]
    fn a_schema_is_made_ready_where_it_stands() {
        let text = prepare("start: \"<\" %json {\"type\": \"null\"} \">\"").unwrap();
        assert!(text.starts_with("start: \"<\" %json {\"type\":\"null\",\"x-guidance\""), "{text}");
        assert!(text.ends_with("} \">\""), "{text}");
        assert!(matches!(prepare("start: %json {\"not\": true}"), Err(Error::Unsupported { .. })));
        assert!(matches!(prepare("start: %json {"), Err(Error::Input { .. })));
        assert!(matches!(prepare("start: %json"), Err(Error::Input { .. })));
    }
}
