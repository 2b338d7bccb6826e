//! Values as Python writes them, which is what templates were tested with.

use minijinja::{
    Environment, Error, ErrorKind, Output, State, Value, filters,
    value::{Kwargs, Rest, ValueKind},
};

/// Values inside each other that are written; deeper ones are an error, not a crash.
const MAX_DEPTH: usize = 64;
/// Spaces per level that `tojson` indents by at most.
const MAX_INDENT: usize = 64;

/// Writes the result of an expression: `str(value)`.
pub(super) fn write(output: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::None | ValueKind::Bool | ValueKind::Seq | ValueKind::Map | ValueKind::Number => {
            output.write_str(&text(value)?).map_err(Error::from)
        }
        _ => minijinja::escape_formatter(output, state, value),
    }
}

/// Filters that are generators in Python: their results can be looped over or made a list, but are no list and no
/// JSON.
pub(super) fn add_generators(environment: &mut Environment) {
    for (name, filter) in [
        ("map", Value::from_function(filters::map)),
        ("select", Value::from_function(filters::select)),
        ("reject", Value::from_function(filters::reject)),
        ("selectattr", Value::from_function(filters::selectattr)),
        ("rejectattr", Value::from_function(filters::rejectattr)),
    ] {
        environment.add_filter(name, move |state: &mut State, args: Rest<Value>| {
            let items: Vec<Value> = filter.call(state, &args)?.try_iter()?.collect();
            let generator = Value::make_object_iterable(items, |items| Box::new(items.iter().cloned()));
            Ok::<_, Error>(generator)
        });
    }
}

/// `str(value)`.
pub(super) fn text(value: &Value) -> Result<String, Error> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None if value.is_undefined() => Ok(String::new()),
        None => {
            let mut text = String::new();
            write_repr(value, &mut text, 0)?;
            Ok(text)
        }
    }
}

/// `repr(value)`.
fn write_repr(value: &Value, out: &mut String, depth: usize) -> Result<(), Error> {
    check_depth(depth)?;
    match value.kind() {
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number => match f64::try_from(value.clone()) {
            Ok(number) if !value.is_integer() => out.push_str(&float(number)),
            _ => out.push_str(&value.to_string()),
        },
        ValueKind::String => write_quoted(value.as_str().unwrap_or_default(), out),
        ValueKind::Seq => {
            out.push('[');
            for (i, item) in value.try_iter()?.enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                write_repr(&item, out, depth + 1)?;
            }
            out.push(']');
        }
        ValueKind::Map => {
            out.push('{');
            for (i, key) in value.try_iter()?.enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                write_repr(&key, out, depth + 1)?;
                out.push_str(": ");
                write_repr(&value.get_item(&key)?, out, depth + 1)?;
            }
            out.push('}');
        }
        _ => out.push_str(&value.to_string()),
    }
    Ok(())
}

/// A string in Python's quotes.
fn write_quoted(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push(quote);
}

/// A float in the shortest digits that read back the same: plain from 1e-4 to 1e16, else with an exponent of two
/// digits at least.
fn float(number: f64) -> String {
    if !number.is_finite() {
        return if number.is_nan() {
            "nan".into()
        } else {
            format!("{}inf", if number < 0.0 { "-" } else { "" })
        };
    }
    if number == 0.0 || (1e-4..1e16).contains(&number.abs()) {
        return format!("{number:?}");
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

fn check_depth(depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(invalid(format!("a value has more than {MAX_DEPTH} levels")));
    }
    Ok(())
}

/// `json.dumps(value, ensure_ascii=False)` with the arguments that `transformers` takes: `indent`, `ensure_ascii`,
/// `sort_keys`, `separators`.
pub(super) fn tojson(
    state: &mut State,
    value: &Value,
    indent: Option<usize>,
    named: Kwargs,
) -> Result<String, Error> {
    let indent = indent.or(named.get("indent")?);
    let separators = named.get::<Option<Vec<String>>>("separators")?;
    let ensure_ascii = named.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false);
    let sort_keys = named.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    named.assert_all_used()?;
    if indent.is_some_and(|indent| indent > MAX_INDENT) {
        return Err(invalid(format!("an indent of more than {MAX_INDENT} spaces")));
    }
    let (item, key) = match separators.as_deref() {
        Some([item, key]) => (item.as_str(), key.as_str()),
        Some(_) => return Err(invalid("separators are a pair of texts")),
        None if indent.is_some() => (",", ": "),
        None => (", ", ": "),
    };
    let mut json = Json { out: String::new(), indent, item, key, ensure_ascii, sort_keys };
    json.write(value, 0)?;
    state.consume_fuel(json.out.len() as u64 / 64)?;
    Ok(json.out)
}

/// JSON under way.
struct Json<'a> {
    out: String,
    indent: Option<usize>,
    /// Between items.
    item: &'a str,
    /// After keys.
    key: &'a str,
    ensure_ascii: bool,
    sort_keys: bool,
}

impl Json<'_> {
    fn write(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        check_depth(depth)?;
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => write_repr(value, &mut self.out, depth)?,
            ValueKind::String => self.write_string(value.as_str().unwrap_or_default()),
            ValueKind::Seq => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.write_items('[', &items, ']', depth, |json, item| json.write(item, depth + 1))?;
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sort_keys {
                    keys.sort();
                }
                self.write_items('{', &keys, '}', depth, |json, key| {
                    json.write_key(key)?;
                    json.out.push_str(json.key);
                    json.write(&value.get_item(key)?, depth + 1)
                })?;
            }
            kind => return Err(invalid(format!("a value of type {kind} is not JSON serializable"))),
        }
        Ok(())
    }

    fn write_items(
        &mut self,
        open: char,
        items: &[Value],
        close: char,
        depth: usize,
        write: impl Fn(&mut Self, &Value) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(open);
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.out.push_str(self.item);
            }
            self.new_line(depth + 1);
            write(self, item)?;
        }
        if !items.is_empty() {
            self.new_line(depth);
        }
        self.out.push(close);
        Ok(())
    }

    fn new_line(&mut self, depth: usize) {
        if let Some(indent) = self.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', indent * depth));
        }
    }

    /// Keys are strings in JSON; Python makes strings of numbers, booleans and none.
    fn write_key(&mut self, key: &Value) -> Result<(), Error> {
        match (key.as_str(), key.kind()) {
            (Some(text), _) => self.write_string(text),
            (None, ValueKind::None | ValueKind::Bool | ValueKind::Number) => {
                self.out.push('"');
                self.write(key, 0)?;
                self.out.push('"');
            }
            (None, kind) => return Err(invalid(format!("a key of type {kind} is not JSON serializable"))),
        }
        Ok(())
    }

    fn write_string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if c < ' ' || (self.ensure_ascii && !c.is_ascii()) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        self.out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

fn invalid(problem: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem.into())
}
