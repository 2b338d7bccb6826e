//! The command line: texts that are held to a structure, how probable tokens were, and biases.
#![cfg(feature = "cli")]

mod common;

use std::path::PathBuf;

use common::cli::{ids_of, json, printed, refused_after_load, refused_for, run};
use serde_json::Value;

fn model() -> String {
    common::repo("models/intab-stories.gguf").display().to_string()
}

fn generate(more: &[&str]) -> Vec<String> {
    let model = model();
    let first = ["generate", &model, "-p", "Once upon a time", "--backend", "cpu", "--seed", "3"];
    first.iter().chain(more).map(|word| (*word).to_owned()).collect()
}

fn found(more: &[&str]) -> Value {
    let arguments = generate(&[more, &["--json", "--max-new-tokens", "60"]].concat());
    json(run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// A file that is gone after the test.
struct Kept(PathBuf);

impl Kept {
    fn new(name: &str, text: &str) -> Kept {
        let path = std::env::temp_dir().join(format!("intab-cli-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Kept(path)
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

const SCHEMA: &str = r#"{"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": false}"#;

#[test]
fn a_schema_is_given_as_text_or_as_a_file() {
    let text = found(&["--json-schema", SCHEMA]);
    assert_eq!(text["finish_reason"], "eos");
    let value: Value = serde_json::from_str(text["text"].as_str().unwrap()).unwrap();
    assert!(value["ok"].is_boolean(), "{value}");
    assert!(text["timings"]["mask_ms"].as_f64().unwrap() > 0.0);
    let file = Kept::new("schema.json", SCHEMA);
    assert_eq!(found(&["--json-schema", &file.path()])["text"], text["text"]);
}

#[test]
fn a_regular_expression_and_a_grammar_hold_the_text() {
    let text = found(&["--regex", "^(?:ha){2,3}$"])["text"].clone();
    assert!(text == "haha" || text == "hahaha", "{text}");
    let file = Kept::new("sum.lark", "start: /[0-9]/ \"+\" /[0-9]/\n");
    let text = found(&["--lark", &file.path()])["text"].as_str().unwrap().to_owned();
    let sum: Vec<_> = text.split('+').map(|number| number.parse::<u8>().unwrap()).collect();
    assert_eq!(sum.len(), 2, "{text}");
}

#[test]
fn a_structure_that_is_cut_says_so() {
    let arguments = generate(&["--json-schema", SCHEMA, "--json", "--max-new-tokens", "2"]);
    let found = json(run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!(found["finish_reason"], "length");
}

#[test]
fn what_no_text_can_be_held_to_is_one_line() {
    let refused = |more: &[&str], reason: &str| {
        let arguments = generate(more);
        refused_after_load(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), reason);
    };
    refused(
        &["--json-schema", r#"{"uniqueItems": true}"#],
        "unsupported keyword `uniqueItems`: at #/uniqueItems",
    );
    refused(&["--json-schema", r#"{"type""#], "--json-schema: EOF while parsing");
    refused(&["--regex", "a("], "--regex: ");
    refused(&["--regex", "a", "--ignore-eos"], "--ignore-eos: a text that is held to a structure");
    refused(&["--regex", "a", "--num-beams", "2"], "constraint: it holds a text");
    let early = |more: &[&str], reason: &str| {
        let arguments = generate(more);
        refused_for(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), reason);
    };
    early(&["--json-schema", "no/such.json"], "no/such.json");
    early(&["--regex", "a", "--lark", "b"], "--regex");
    early(&["--regex", "a", "--draft", "c"], "--draft");
}

#[test]
fn log_probabilities_are_told_of_each_token() {
    let found = found(&["--logprobs", "3", "--ignore-eos"]);
    let told = found["logprobs"].as_array().unwrap();
    let ids: Vec<_> = told.iter().map(|one| one["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, ids_of(&found["ids"]));
    for one in told {
        let top: Vec<_> =
            one["top"].as_array().unwrap().iter().map(|t| t["logprob"].as_f64().unwrap()).collect();
        assert_eq!(top.len(), 3);
        assert!(top.is_sorted_by(|a, b| a >= b) && top[0] >= one["logprob"].as_f64().unwrap(), "{one}");
        assert!(one["text"].is_string());
    }
    refused_for(&["generate", &model(), "-p", "a", "--logprobs", "1"], "--json");
    refused_for(&["generate", &model(), "-p", "a", "--json", "--logprobs", "21"], "--logprobs: 21");
}

#[test]
fn a_bias_bans_a_token_or_makes_it_certain() {
    let model = model();
    let greedy = |more: &[&str]| {
        let first = ["generate", &model, "-p", "Once", "--backend", "cpu", "--temperature", "0", "--json"];
        ids_of(&json(run(&[&first, more, &["--max-new-tokens", "3", "--ignore-eos"]].concat()))["ids"])
    };
    let plain = greedy(&[]);
    assert!(!greedy(&["--logit-bias", &format!("{}=-inf", plain[0])]).contains(&plain[0]));
    assert_eq!(greedy(&["--logit-bias", "44=100"]), [44, 44, 44]);
    let refused = |value: &str, reason: &str| {
        refused_for(&["generate", &model, "-p", "a", "--backend", "cpu", "--logit-bias", value], reason);
    };
    refused("44", "as in 17=-2.5");
    refused("a=1", "`a` is not a whole number");
    refused("44=200", "--logit-bias: 200 of token 44");
    let unknown = ["generate", &model, "-p", "a", "--backend", "cpu", "--logit-bias", "99999999=1"];
    refused_after_load(&unknown, "--logit-bias: token 99999999");
    printed(run(&[
        "generate",
        &model,
        "-p",
        "a",
        "--backend",
        "cpu",
        "--logit-bias",
        "1=-1",
        "--logit-bias",
        "2=1",
        "--max-new-tokens",
        "1",
    ]));
}
