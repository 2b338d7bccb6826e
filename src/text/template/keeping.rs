//! Where the source of a template keeps a value, so that it can be looked at there: see [`super::kept`].

use std::borrow::Cow;

use super::{
    kept::{KEPT, KEPT_IN_NAMESPACE},
    source::{is_word, string_len},
};

/// The tag of a block whose first word `name` starts at `lead`, with a filter on whatever it keeps: `{% set x = E %}`
/// becomes `{% set x = (E)|filter %}`, and what a macro, a call or a recursive loop is given is set anew behind its tag.
/// Spaces and lines around the tag are trimmed as before.
pub(super) fn guarded<'a>(tag: &'a str, lead: usize, name: &str) -> Cow<'a, str> {
    let Some((body, end)) = split_end(tag) else { return tag.into() };
    let rest = body.get(lead + name.len()..).unwrap_or_default();
    let given = match name {
        "set" => {
            // Without a value it is a block, which makes a text.
            let Some(equals) = outside(rest).find(|(_, byte)| *byte == b'=').map(|(at, _)| at) else {
                return tag.into();
            };
            let (target, value) = (&rest[..equals], &rest[equals + 1..]);
            if value.trim().is_empty() {
                return tag.into();
            }
            let filter = if target.contains('.') { KEPT_IN_NAMESPACE } else { KEPT };
            return format!("{}set{target}= ({})|{filter} {end}", &body[..lead], value.trim()).into();
        }
        "macro" => rest.find('(').map_or(Vec::new(), |open| parameters(&rest[open..])),
        "call" if rest.trim_start().starts_with('(') => parameters(rest.trim_start()),
        "for" if words(rest).last() == Some("recursive") => {
            words(rest).take_while(|word| *word != "in").collect()
        }
        _ => Vec::new(),
    };
    let sets = given.iter().map(|name| format!("{{% set {name} = ({name})|{KEPT} {end}"));
    match given.is_empty() {
        true => tag.into(),
        false => format!("{tag}{}", sets.collect::<String>()).into(),
    }
}

/// A tag without its end, and the end: `%}`, `-%}` or `+%}`.
fn split_end(tag: &str) -> Option<(&str, &str)> {
    let body = tag.strip_suffix("%}")?;
    let body = body.strip_suffix(['-', '+']).unwrap_or(body);
    Some(tag.split_at(body.len()))
}

/// The bytes of an expression that stand in no string and no bracket, with their places, up to a bracket that closes
/// what was opened before.
fn outside(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let bytes = text.as_bytes();
    let (mut at, mut open) = (0, 0_i64);
    std::iter::from_fn(move || {
        while let Some(&byte) = bytes.get(at).filter(|_| open >= 0) {
            let here = at;
            at += if matches!(byte, b'"' | b'\'') { string_len(&bytes[at..]) } else { 1 };
            match byte {
                b'(' | b'[' | b'{' => open += 1,
                b')' | b']' | b'}' => open -= 1,
                b'"' | b'\'' => {}
                _ if open == 0 => return Some((here, byte)),
                _ => {}
            }
        }
        None
    })
}

/// The names in a list of parameters, which begins with its bracket: `(a, b=1)`.
fn parameters(text: &str) -> Vec<&str> {
    let inside = &text[1..];
    let commas = outside(inside).filter(|(_, byte)| *byte == b',').map(|(at, _)| at + 1);
    let parts = std::iter::once(0).chain(commas).map(|start| inside[start..].trim_start());
    parts.filter(|part| !part.starts_with(')')).filter_map(|part| words(part).next()).collect()
}

/// The words of a text, strings left out.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(&byte) = bytes.get(at) {
            if is_word(byte) {
                let start = at;
                at += bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
                return Some(&text[start..at]);
            }
            at += if matches!(byte, b'"' | b'\'') { string_len(&bytes[at..]) } else { 1 };
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::super::source::prepare;

    #[test]
    fn what_is_kept_is_looked_at_and_nothing_else_changes() {
        for (source, expected) in [
            ("{% set x = 1 %}", "{% set x = (1)|kept_in_variable %}"),
            ("{%- set a, b = 1, '=' -%}\n", "{%- set a, b = (1, '=')|kept_in_variable -%}\n"),
            ("{% set ns.x = {'a': b == 1} +%}", "{% set ns.x = ({'a': b == 1})|kept_in_namespace +%}"),
            (
                "{%- macro f(a, b=[1, 2], c='),') -%} x",
                "{%- macro f(a, b=[1, 2], c='),') -%}{% set a = (a)|kept_in_variable -%}{% set b = (b)|kept_in_variable -%}\
                 {% set c = (c)|kept_in_variable -%} x",
            ),
            ("{% call(y) f(z) %}", "{% call(y) f(z) %}{% set y = (y)|kept_in_variable %}"),
            (
                "{% for (k, v) in x if y recursive %}",
                "{% for (k, v) in x if y recursive %}{% set k = (k)|kept_in_variable %}{% set v = (v)|kept_in_variable %}",
            ),
        ] {
            assert_eq!(prepare(source).unwrap(), expected);
        }
        for same in [
            "{% set x %}a = b{% endset %}",
            "{% set x = %}",
            "{% set x = 1",
            "{% macro f() %}",
            "{% macro f",
            "{% call f(z) %}",
            "{% call() f(z) %}",
            "{% for x in recursive_list %}",
            "{% for x in 'recursive' %}",
            "{# {% set x = 1 %} #}{% raw %}{% set x = 1 %}{% endraw %}",
            "{{ set }}",
        ] {
            assert_eq!(prepare(same).unwrap(), same);
        }
    }
}
