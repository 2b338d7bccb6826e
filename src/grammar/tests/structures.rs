//! What is allowed, byte by byte: a vocabulary of single bytes shows the structure itself.

use intab_grammar::{Completion, Constraint, Error, Grammars, Structure};

fn bytes() -> Grammars {
    let all: Vec<[u8; 1]> = (0..=254u8).map(|byte| [byte]).collect();
    Grammars::new(all.iter().map(|byte| &byte[..])).unwrap()
}

fn allowed(constraint: &mut Constraint) -> (Completion, Vec<u8>) {
    let mut mask = [0; 8];
    let completion = constraint.allow(&mut mask).unwrap();
    let bits = (0..255u8).filter(|byte| (mask[*byte as usize / 32] >> (byte % 32)) & 1 == 1);
    (completion, bits.collect())
}

/// How far a text comes, and whether it may end there.
fn follow(structure: &Structure, text: &str) -> Result<Completion, usize> {
    let mut constraint = bytes().constraint(structure).unwrap();
    for (at, byte) in text.bytes().enumerate() {
        let (completion, allowed) = allowed(&mut constraint);
        if completion == Completion::Over || !allowed.contains(&byte) {
            return Err(at);
        }
        constraint.accept(byte.into()).unwrap();
    }
    Ok(allowed(&mut constraint).0)
}

#[track_caller]
fn fits(schema: &str, text: &str) {
    let end = follow(&Structure::JsonSchema(schema), text);
    assert!(matches!(end, Ok(Completion::MayEnd | Completion::Over)), "{schema}: {text}: {end:?}");
}

#[track_caller]
fn fits_not(schema: &str, text: &str) {
    let end = follow(&Structure::JsonSchema(schema), text);
    assert!(!matches!(end, Ok(Completion::MayEnd | Completion::Over)), "{schema}: {text}: {end:?}");
}

fn refused(structure: &Structure) -> Error {
    bytes().constraint(structure).err().unwrap_or_else(|| panic!("{structure:?} is taken"))
}

#[test]
fn an_object_is_over_with_its_last_brace() {
    let schema = r#"{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false}"#;
    assert_eq!(follow(&Structure::JsonSchema(schema), r#"{"a": 12}"#), Ok(Completion::Over));
    assert_eq!(follow(&Structure::JsonSchema(schema), r#"{"a": 12"#), Ok(Completion::Open));
    assert_eq!(follow(&Structure::JsonSchema(schema), r#"{"b"#), Err(2));
}

#[test]
fn a_number_may_end_or_go_on() {
    assert_eq!(follow(&Structure::JsonSchema(r#"{"type": "number"}"#), "12"), Ok(Completion::MayEnd));
    assert_eq!(follow(&Structure::JsonSchema(r#"{"type": "number"}"#), "12."), Ok(Completion::Open));
}

#[test]
fn numbers_are_those_that_every_parser_reads() {
    fits(r#"{"type": "number"}"#, "-9007199254740991");
    fits(r#"{"type": "number"}"#, "0.125");
    fits_not(r#"{"type": "number"}"#, "1e999");
    fits_not(r#"{"type": "integer"}"#, "99999999999999999999");
    fits(r#"{"type": "integer", "minimum": 3}"#, "4");
    fits_not(r#"{"type": "integer", "minimum": 3}"#, "2");
    fits(r#"{"enum": [1.5, 20]}"#, "20");
}

#[test]
fn dates_are_days_of_the_calendar() {
    let schema = r#"{"type": "string", "format": "date"}"#;
    fits(schema, r#""2024-02-29""#);
    fits(schema, r#""2000-02-29""#);
    fits_not(schema, r#""2023-02-29""#);
    fits_not(schema, r#""1900-02-29""#);
    fits_not(schema, r#""2023-04-31""#);
}

#[test]
fn a_regular_expression_is_matched_by_the_whole_text() {
    for pattern in ["a+b", "^a+b$"] {
        assert_eq!(follow(&Structure::Regex(pattern), "aab"), Ok(Completion::Over));
        assert_eq!(follow(&Structure::Regex(pattern), "ba"), Err(0));
    }
    assert_eq!(follow(&Structure::Regex("a/b|c"), "a/b"), Ok(Completion::Over));
    assert_eq!(follow(&Structure::Regex(r"\d+"), "٣"), Err(0));
}

#[test]
fn a_grammar_is_followed_into_its_rules() {
    let sums = "start: term (\"+\" term)*\nterm: /[0-9]+/ | \"(\" start \")\"\n";
    assert_eq!(follow(&Structure::Lark(sums), "1+(2+3)"), Ok(Completion::MayEnd));
    assert_eq!(follow(&Structure::Lark(sums), "1+(2+3"), Ok(Completion::Open));
    assert_eq!(follow(&Structure::Lark(sums), "1++"), Err(2));
}

#[test]
fn a_grammar_may_hold_parts_to_a_schema() {
    let call = "start: \"<call>\" %json {\"type\": \"object\", \"properties\": {\"n\": {\"type\": \"integer\"}}, \
                \"required\": [\"n\"], \"additionalProperties\": false} \"</call>\"\n";
    assert_eq!(follow(&Structure::Lark(call), "<call>{\"n\": 5}</call>"), Ok(Completion::Over));
    assert_eq!(follow(&Structure::Lark(call), "<call>{\"n\": x"), Err(12));
    let error = refused(&Structure::Lark("start: %json {\"uniqueItems\": true}"));
    assert!(error.to_string().contains("uniqueItems"), "{error}");
}

#[test]
fn characters_may_be_cut_between_tokens() {
    assert_eq!(follow(&Structure::Regex("é+"), "éé"), Ok(Completion::MayEnd));
    let mut constraint = bytes().constraint(&Structure::Regex("[é-ë]")).unwrap();
    assert_eq!(allowed(&mut constraint).1, [0xc3]);
    constraint.accept(0xc3).unwrap();
    assert_eq!(allowed(&mut constraint), (Completion::Open, vec![0xa9, 0xaa, 0xab]));
}

#[test]
fn a_keyword_that_cannot_be_held_to_is_named_with_its_place() {
    let schemas = [
        (r#"{"type": "array", "uniqueItems": true}"#, "uniqueItems"),
        (r#"{"properties": {"a": {"not": {"type": "null"}}}}"#, "not"),
        (r#"{"if": true, "then": true}"#, "if"),
        (r#"{"type": "string", "maxLenght": 3}"#, "maxLenght"),
        (r#"{"x-guidance": {"lenient": true}, "uniqueItems": true}"#, "x-guidance"),
        (r#"{"type": "string", "format": "unknown"}"#, "unknown"),
        (r#"{"type": "string", "format": "iri"}"#, "iri"),
        (r#"{"$ref": "https://example.com/schema"}"#, "https://example.com/schema"),
        (r#"{"$schema": "https://example.com/draft"}"#, "https://example.com/draft"),
        (r#"{"type": "object", "minProperties": 2}"#, "minProperties"),
        (r#"{"type": "string", "pattern": "a\\b"}"#, "\\b"),
        (r#"{"contains": {"type": "null"}}"#, "contains"),
    ];
    for (schema, name) in schemas {
        match refused(&Structure::JsonSchema(schema)) {
            Error::Unsupported { found, .. } => assert_eq!(found, name),
            other => panic!("{schema}: {other}"),
        }
    }
    let error = refused(&Structure::JsonSchema(r#"{"properties": {"a/b": {"uniqueItems": true}}}"#));
    assert!(error.to_string().contains("#/properties/a~1b/uniqueItems"), "{error}");
}

#[test]
fn what_the_parser_itself_cannot_hold_is_unsupported_too() {
    let schemas = [
        r#"{"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 3}]}"#,
        r#"{"type": "string", "pattern": "(?=a)b"}"#,
    ];
    for schema in schemas {
        let error = refused(&Structure::JsonSchema(schema));
        assert!(matches!(error, Error::Unsupported { .. }), "{schema}: {error}");
    }
}

#[test]
fn what_is_malformed_is_told_with_its_place() {
    let cases = [
        (Structure::JsonSchema("{\"type\":\n oops}"), "line 2 column 2"),
        (Structure::JsonSchema("3"), "#: a schema is an object"),
        (Structure::JsonSchema("false"), "which nothing fits"),
        (Structure::JsonSchema(r#"{"properties": {"a": 5}}"#), "#/properties/a: a schema"),
        (Structure::JsonSchema(r#"{"anyOf": {}}"#), "#/anyOf: expected an array"),
        (Structure::JsonSchema(r#"{"type": "strin"}"#), "strin"),
        (Structure::JsonSchema(r#"{"type": "integer", "minimum": 3, "maximum": 2}"#), "nsatisfiable"),
        (Structure::JsonSchema(r##"{"$ref": "#/$defs/none"}"##), "none"),
        (Structure::Regex("a("), "("),
        (Structure::Regex(""), "empty"),
        (Structure::Lark("start: \"a\" ("), "1"),
        (Structure::Lark("start: other"), "other"),
    ];
    for (structure, part) in cases {
        let error = refused(&structure);
        assert!(matches!(error, Error::Input { .. }), "{structure:?}: {error}");
        assert!(error.to_string().contains(part), "{structure:?}: {error}");
        assert!(!error.to_string().contains("verbose"), "{error}");
    }
}

#[test]
fn a_schema_that_lies_deep_in_itself_is_refused_not_followed_to_the_end_of_the_stack() {
    let deep = "{\"items\":".repeat(100) + "true" + &"}".repeat(100);
    assert!(matches!(refused(&Structure::JsonSchema(&deep)), Error::Input { .. }));
}

#[test]
fn a_token_that_was_not_allowed_is_refused() {
    let mut constraint = bytes().constraint(&Structure::Regex("ab")).unwrap();
    assert!(constraint.accept(b'b'.into()).is_err());
}

#[test]
fn tokens_without_bytes_are_never_allowed() {
    let tokens: [&[u8]; 4] = [b"a", b"", b"b", b"\xff"];
    let mut constraint = Grammars::new(tokens).unwrap().constraint(&Structure::Regex("(?s:.)+")).unwrap();
    let mut mask = [0];
    constraint.allow(&mut mask).unwrap();
    assert_eq!(mask[0], 0b101);
    assert!(matches!(Grammars::new([&b""[..]]), Err(Error::Input { .. })));
}

/// A text under way whose beginning stands there already.
fn begun(structure: &Structure, prefix: &str) -> Result<Constraint, Error> {
    let mut constraint = bytes().constraint(structure).unwrap();
    constraint.begin(prefix).map(|()| constraint)
}

#[test]
fn a_beginning_that_stands_there_is_a_part_of_what_has_to_fit() {
    let mut constraint = begun(&Structure::Regex("[a-c]+-[0-9]{2}"), "ab-").unwrap();
    assert_eq!(allowed(&mut constraint), (Completion::Open, (b'0'..=b'9').collect()));
    constraint.accept(b'4'.into()).unwrap();
    constraint.accept(b'2'.into()).unwrap();
    assert_eq!(allowed(&mut constraint).0, Completion::Over);

    let schema = r#"{"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"], "additionalProperties": false}"#;
    let mut constraint = begun(&Structure::JsonSchema(schema), r#"{"a": "#).unwrap();
    assert!(allowed(&mut constraint).1.contains(&b'1'));
    assert!(!allowed(&mut constraint).1.contains(&b'2'));
}

#[test]
fn a_beginning_that_is_whole_may_end_there() {
    let mut constraint = begun(&Structure::Regex("ab?"), "a").unwrap();
    assert_eq!(allowed(&mut constraint), (Completion::MayEnd, vec![b'b']));
    let mut constraint = begun(&Structure::Regex("ab"), "ab").unwrap();
    assert_eq!(allowed(&mut constraint).0, Completion::Over);
    let mut constraint = begun(&Structure::Regex("ab"), "").unwrap();
    assert_eq!(allowed(&mut constraint), (Completion::Open, vec![b'a']));
}

#[test]
fn a_beginning_of_no_text_that_fits_is_refused_and_says_where() {
    let error = begun(&Structure::Regex("abc"), "abd").err().unwrap();
    assert_eq!(
        error.to_string(),
        r#"prefix: no text that fits begins with it: it may go as far as "ab" and then differs"#
    );
    assert!(begun(&Structure::Regex("ab"), "abc").is_err());
}

#[test]
fn a_beginning_that_the_vocabulary_cannot_spell_is_refused() {
    let grammars = Grammars::new([&b"a"[..], b"b"]).unwrap();
    let mut constraint = grammars.constraint(&Structure::Regex("[a-z]*")).unwrap();
    constraint.begin("ab").unwrap();
    let mut constraint = grammars.constraint(&Structure::Regex("[a-z]*")).unwrap();
    let error = constraint.begin("axb").unwrap_err();
    assert_eq!(error.to_string(), "prefix: the model's vocabulary has no tokens that spell it");
}

#[test]
fn a_reference_may_lead_deep_into_the_schema() {
    let schema = r##"{"type": "object", "properties": {"r": {"type": "array", "items": {"$ref": "#/properties/r/$defs/x"},
        "$defs": {"x": {"type": "integer", "maximum": 9, "minimum": 0}}, "minItems": 1}}, "required": ["r"], "additionalProperties": false}"##;
    fits(schema, r#"{"r": [1, 9]}"#);
    fits_not(schema, r#"{"r": [10]}"#);
}
