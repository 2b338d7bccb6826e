//! JSON schemas made ready for the parser: what it would pass over is refused, what it takes more widely than validators do is
//! narrowed, so that a whole text is valid.

use serde_json::{Map, Value, json};

use crate::{Error, Result, pattern};

/// White space between the parts of a text, bounded so that no text is made of it alone.
const WHITE_SPACE: &str = r"[\x20\x09]{1,2}|\x0D?\x0A[\x20\x09]{0,24}";
/// Numbers beyond are left out: those below have no exponent, and whole ones are exact in 64 bits of floating point.
const MAX_NUMBER: i64 = 1 << 53;
/// Keywords that say nothing about what is valid.
const ANNOTATIONS: &[&str] = &[
    "$anchor",
    "$comment",
    "$id",
    "$schema",
    "contentEncoding",
    "contentMediaType",
    "default",
    "deprecated",
    "description",
    "example",
    "examples",
    "id",
    "readOnly",
    "title",
    "writeOnly",
];
const DRAFTS: &[&str] = &[
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
    "http://json-schema.org/draft-04/schema",
];
/// How deep schemas may lie in each other.
const MAX_DEPTH: usize = 64;

/// Reads a schema.
///
/// # Errors
/// [`Error::Input`] where it is no JSON or no schema, with the place; [`Error::Unsupported`] for a keyword, format or reference
/// that a text could not be held to.
pub fn prepare(text: &str) -> Result<Value> {
    let schema: Value = serde_json::from_str(text).map_err(|e| Error::input("json_schema", e.to_string()))?;
    if schema == Value::Bool(false) {
        return Err(Error::input("json_schema", "it is `false`, which nothing fits"));
    }
    let mut prepared = match walk(&schema, "#", 0)? {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    prepared.insert("x-guidance".into(), json!({ "whitespace_pattern": WHITE_SPACE }));
    Ok(prepared.into())
}

fn walk(schema: &Value, place: &str, depth: usize) -> Result<Value> {
    if depth > MAX_DEPTH {
        let problem = format!("{place}: schemas lie more than {MAX_DEPTH} deep in each other");
        return Err(Error::input("json_schema", problem));
    }
    let object = match schema {
        Value::Bool(_) => return Ok(schema.clone()),
        Value::Object(object) => object,
        _ => return Err(malformed(place, "a schema is an object, true or false")),
    };
    let mut out = Map::new();
    for (key, value) in object {
        let at = format!("{place}/{}", key.replace('~', "~0").replace('/', "~1"));
        let prepared = match key.as_str() {
            "$schema" => {
                check_draft(value, &at)?;
                continue;
            }
            annotation if ANNOTATIONS.contains(&annotation) => continue,
            "const" | "maxItems" | "maxLength" | "maxProperties" | "minItems" | "minLength"
            | "minProperties" | "required" | "type" | "minimum" | "maximum" | "exclusiveMinimum"
            | "exclusiveMaximum" => value.clone(),
            "enum" => match value {
                Value::Array(list) if !list.is_empty() => value.clone(),
                _ => return Err(malformed(&at, "expected an array of at least one value")),
            },
            "multipleOf" if value.as_f64().is_some_and(|x| x > 0.0) => value.clone(),
            "multipleOf" => return Err(malformed(&at, "expected a number above 0")),
            "$ref" => match value.as_str() {
                Some(target) if target == "#" || target.starts_with("#/") => value.clone(),
                Some(target) => {
                    let hint = format!(
                        "at {at}: only parts of the schema itself can be referred to, as by `#/$defs/name`"
                    );
                    return Err(Error::unsupported("$ref", target, hint));
                }
                None => return Err(malformed(&at, "expected a text")),
            },
            "pattern" => {
                let pattern = value.as_str().ok_or_else(|| malformed(&at, "expected a text"))?;
                Value::from(pattern::translate(pattern)?)
            }
            // Narrower ones are added below.
            "format" => {
                let name = value.as_str().ok_or_else(|| malformed(&at, "expected a text"))?;
                format(name, &at)?;
                continue;
            }
            "items" if value.is_array() => list(value, &at, depth)?,
            "items" | "additionalProperties" => walk(value, &at, depth + 1)?,
            "additionalItems" if object.get("items").is_some_and(Value::is_array) => {
                walk(value, &at, depth + 1)?
            }
            // Without a list it says nothing.
            "additionalItems" => continue,
            "prefixItems" if object.get("items").is_some_and(Value::is_array) => {
                return Err(malformed(&at, "`items` is a list too"));
            }
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => list(value, &at, depth)?,
            "properties" | "$defs" | "definitions" => map(value, &at, depth, |key| Ok(key.to_owned()))?,
            "patternProperties" => map(value, &at, depth, pattern::translate)?,
            unknown => {
                let hint = format!(
                    "at {at}: no text can be held to it; leave it out and check the result, or say it otherwise"
                );
                return Err(Error::unsupported("keyword", unknown, hint));
            }
        };
        out.insert(key.clone(), prepared);
    }
    bound_numbers(&mut out);
    check_min_properties(&out, place)?;
    if let Some(name) = object.get("format").and_then(Value::as_str) {
        add(&mut out, format(name, place)?);
    }
    Ok(out.into())
}

fn list(value: &Value, place: &str, depth: usize) -> Result<Value> {
    let schemas = value.as_array().ok_or_else(|| malformed(place, "expected an array of schemas"))?;
    let each =
        schemas.iter().enumerate().map(|(at, schema)| walk(schema, &format!("{place}/{at}"), depth + 1));
    each.collect::<Result<Vec<_>>>().map(Value::from)
}

fn map(value: &Value, place: &str, depth: usize, name: impl Fn(&str) -> Result<String>) -> Result<Value> {
    let schemas = value.as_object().ok_or_else(|| malformed(place, "expected an object of schemas"))?;
    let mut out = Map::new();
    for (key, schema) in schemas {
        let at = format!("{place}/{}", key.replace('~', "~0").replace('/', "~1"));
        out.insert(name(key)?, walk(schema, &at, depth + 1)?);
    }
    Ok(out.into())
}

/// Adds a schema that has to hold as well.
fn add(schema: &mut Map<String, Value>, other: Value) {
    let all = schema.entry("allOf").or_insert_with(|| json!([]));
    if let Value::Array(all) = all {
        all.push(other);
    }
}

/// Numbers get bounds where they have none.
fn bound_numbers(schema: &mut Map<String, Value>) {
    let is_number = |name: &Value| name == "number" || name == "integer";
    let named = match schema.get("type") {
        Some(Value::Array(names)) => names.iter().any(is_number),
        Some(name) => is_number(name),
        None => false,
    };
    let by_keyword = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
    // A number that stands in a list is as it is.
    let is_listed = schema.contains_key("enum") || schema.contains_key("const");
    if is_listed || !(named || by_keyword.iter().any(|key| schema.contains_key(*key))) {
        return;
    }
    let of = |schema: &Map<String, Value>, keys: [&str; 2]| {
        keys.into_iter().filter_map(|key| schema.get(key)?.as_f64()).next()
    };
    let (least, most) =
        (of(schema, ["minimum", "exclusiveMinimum"]), of(schema, ["maximum", "exclusiveMaximum"]));
    let max = MAX_NUMBER as f64;
    if least.is_none() && most.is_none_or(|most| most > -max) {
        schema.insert("minimum".into(), (-MAX_NUMBER + 1).into());
    }
    if most.is_none() && least.is_none_or(|least| least < max) {
        schema.insert("maximum".into(), (MAX_NUMBER - 1).into());
    }
}

/// A name that comes twice counts once, and the parser lets further names come twice.
fn check_min_properties(schema: &Map<String, Value>, place: &str) -> Result<()> {
    let Some(min) = schema.get("minProperties").and_then(Value::as_u64) else { return Ok(()) };
    let n_required = schema.get("required").and_then(Value::as_array).map_or(0, Vec::len) as u64;
    let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    let is_open = !is_closed || schema.contains_key("patternProperties");
    if min > n_required && min > 1 && is_open {
        let hint = format!(
            "at {place}: only where `additionalProperties` is false and there are no `patternProperties`"
        );
        return Err(Error::unsupported("keyword", "minProperties", hint));
    }
    Ok(())
}

fn check_draft(value: &Value, place: &str) -> Result<()> {
    let draft = value.as_str().ok_or_else(|| malformed(place, "expected a text"))?;
    match DRAFTS.contains(&draft.trim_end_matches('#')) {
        true => Ok(()),
        false => {
            Err(Error::unsupported("$schema", draft, format!("at {place}: known are {}", DRAFTS.join(", "))))
        }
    }
}

/// The texts of a format, those that the specifications and common validators agree on.
fn format(name: &str, place: &str) -> Result<Value> {
    // RFC 3339, with the days that each month has, and no leap seconds.
    const DATE: &str = "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)\
                        |02-(?:0[1-9]|1[0-9]|2[0-8]))\
                        |(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)";
    const TIME: &str = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?\
                        (?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
    const LABEL: &str = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
    const BYTE: &str = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    const PCHAR: &str = "(?:[a-zA-Z0-9._~!$&'()*+,;=:@-]|%[0-9a-fA-F]{2})";
    let pattern = match name {
        "date" => DATE.to_owned(),
        "time" => TIME.to_owned(),
        "date-time" => format!("{DATE}T{TIME}"),
        "duration" => {
            let time = "T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)";
            let date = "(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)";
            format!("P(?:{date}(?:{time})?|{time}|[0-9]+W)")
        }
        "email" => {
            let atom = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+";
            format!("{atom}(?:\\.{atom})*@(?:{LABEL}\\.)+{LABEL}")
        }
        "hostname" => format!("{LABEL}(?:\\.{LABEL})*"),
        "ipv4" => format!("(?:{BYTE}\\.){{3}}{BYTE}"),
        "uuid" => "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}".to_owned(),
        // RFC 3986, with an authority that is a registered name.
        "uri" => format!(
            "[a-zA-Z][a-zA-Z0-9+.-]*://{LABEL}(?:\\.{LABEL})*(?::[0-9]{{1,5}})?(?:/{PCHAR}*)*(?:\\?(?:{PCHAR}|[/?])*)?(?:#(?:{PCHAR}|[/?])*)?"
        ),
        "ipv6" => return Ok(json!({ "format": "ipv6" })),
        unknown => {
            let hint = format!(
                "at {place}: known are date, time, date-time, duration, email, hostname, ipv4, ipv6, uuid, uri; or say it by `pattern`"
            );
            return Err(Error::unsupported("format", unknown, hint));
        }
    };
    let mut schema = json!({ "pattern": format!("^(?:{pattern})$") });
    if matches!(name, "hostname" | "email") {
        schema["maxLength"] = 253.into();
    }
    Ok(schema)
}

fn malformed(place: &str, problem: &str) -> Error {
    Error::input("json_schema", format!("{place}: {problem}"))
}
