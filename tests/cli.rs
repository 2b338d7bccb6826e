//! The command line as its users meet it: arguments, stdin, stdout, stderr and exit codes.
#![cfg(feature = "cli")]

mod common;
#[path = "safetensors/inputs.rs"]
#[allow(dead_code)]
mod inputs;

use std::path::PathBuf;

use common::cli::{
    ids_of, intab, joined, json, printed, refusal, refused_after_load, refused_for, run, run_with,
};
use serde_json::Value;

fn model() -> String {
    common::repo("models/intab-stories.gguf").display().to_string()
}

fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(common::repo("models/expected.json")).unwrap()).unwrap()
}

fn greedy(extra: &[&str]) -> Value {
    let model = model();
    let mut args = vec!["generate", &model, "--backend", "cpu", "--temperature", "0", "--json"];
    args.extend(extra);
    json(run(&args))
}

#[test]
fn tokenize_gives_an_id_and_a_piece_for_each_token() {
    let found = json(run_with(&["tokenize", &model(), "--json"], "Once upon a time"));
    assert_eq!(found["ids"], expected()["input_ids"]);
    let pieces: Vec<_> = found["pieces"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
    assert_eq!(pieces.len(), ids_of(&found["ids"]).len());
    assert_eq!(pieces[1..].concat(), "Once upon a time", "after BOS");
}

#[test]
fn text_comes_back_from_its_ids_to_the_last_newline() {
    let text = " Tom said: \"Hi!\"\n\tÄ日本\n\n";
    let ids = printed(run_with(&["tokenize", &model(), "--no-special"], text));
    let back = printed(run(&["detokenize", &model(), "--ids", ids.trim()]));
    assert_eq!(back, format!("{text}\n"), "the text and the newline that ends the output");
}

#[test]
fn special_tokens_are_parsed_unless_no_special_is_given() {
    let bos = ids_of(&expected()["input_ids"])[0];
    let name = printed(run(&["detokenize", &model(), "--ids", &bos.to_string()]));
    let name = name.trim_end();
    let parsed = json(run_with(&["tokenize", &model(), "--json"], name));
    assert_eq!(ids_of(&parsed["ids"]), [bos, bos], "the BOS that is added and the one in the text");
    let plain = json(run_with(&["tokenize", &model(), "--json", "--no-special"], name));
    assert!(!ids_of(&plain["ids"]).contains(&bos), "{plain}");
}

#[test]
fn logits_last_is_one_row_and_close_to_the_reference() {
    let expected = expected();
    let ids = joined(&ids_of(&expected["input_ids"]), ", ");
    let found = json(run(&["logits", &model(), "--backend", "cpu", "--ids", &ids, "--last", "--json"]));
    let numbers =
        |row: &Value| row.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<_>>();
    let (row, reference) = (numbers(&found["logits"][0]), numbers(&expected["last_logits"]));
    assert_eq!(found["shape"], serde_json::json!([1, reference.len()]));
    assert_eq!(found["logits"].as_array().unwrap().len(), 1);
    assert_eq!(row.len(), reference.len());
    let range =
        reference.iter().fold(f64::MIN, |a, b| a.max(*b)) - reference.iter().fold(f64::MAX, |a, b| a.min(*b));
    for (found, reference) in row.iter().zip(&reference) {
        assert!((found - reference).abs() < 1e-2 * range, "{found} for {reference}");
    }
}

#[test]
fn greedy_generation_gives_the_reference_ids() {
    let expected = expected();
    let (ids, greedy_ids) = (ids_of(&expected["input_ids"]), ids_of(&expected["greedy"]));
    let n = greedy_ids.len().to_string();
    let found = greedy(&["--ids", &joined(&ids, ","), "--ignore-eos", "--max-new-tokens", &n]);
    assert_eq!(ids_of(&found["ids"]), greedy_ids);
}

#[test]
fn generate_reports_text_reason_usage_and_timings() {
    let arguments = ["-p", "Once upon a time", "--max-new-tokens", "8", "--ignore-eos", "--seed", "5"];
    let found = greedy(&arguments);
    let keys: Vec<_> = found.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["ids", "text", "finish_reason", "stop", "usage", "timings", "seed"]);
    assert_eq!(found["finish_reason"], "length");
    assert_eq!(found["usage"]["prompt_tokens"], 5);
    assert_eq!(found["usage"]["completion_tokens"], 8);
    assert_eq!(found["usage"]["total_tokens"], 13);
    assert_eq!(found["seed"], 5);
    assert!(found["timings"]["first_token_ms"].as_f64().unwrap() > 0.0);
    let again = greedy(&arguments);
    assert_eq!((&again["ids"], &again["text"]), (&found["ids"], &found["text"]));
}

#[test]
fn guesses_are_reported_and_change_no_token() {
    let model = model();
    let prompt = "The big red dog ran to the park. The big red dog ran to the park. The big red dog ran";
    let found =
        |more: &[&str]| greedy(&[&["-p", prompt, "--max-new-tokens", "96", "--ignore-eos"], more].concat());
    let off = found(&["--speculation", "off"]);
    assert_eq!((&off["usage"]["drafted_tokens"], &off["usage"]["accepted_tokens"]), (&0.into(), &0.into()));
    for guessing in [&[][..], &["--speculation", "prompt"], &["--draft", &model]] {
        let found = found(guessing);
        assert_eq!((&found["ids"], &found["text"]), (&off["ids"], &off["text"]), "{guessing:?}");
        assert!(found["usage"]["accepted_tokens"].as_u64().unwrap() > 0, "{guessing:?}: {}", found["usage"]);
    }
    let generate = ["generate", &model, "-p", "a", "--backend", "cpu"];
    refused_for(&[&generate[..], &["--speculation", "always"]].concat(), "--speculation");
    let other = common::repo("tests/data/models/qwen3.gguf").display().to_string();
    refused_after_load(&[&generate[..], &["--draft", &other]].concat(), "draft: ");
}

#[test]
fn a_prompt_without_special_tokens_has_no_bos() {
    let found = greedy(&["-p", "Once upon a time", "--no-special", "--max-new-tokens", "1", "--ignore-eos"]);
    assert_eq!(found["usage"]["prompt_tokens"], 4);
}

#[test]
fn a_prompt_and_a_stop_text_may_begin_with_a_hyphen() {
    let found = greedy(&["-p", "- Hi", "--stop", "-x", "--max-new-tokens", "1", "--ignore-eos"]);
    assert_eq!(found["usage"]["completion_tokens"], 1);
}

#[test]
fn inspect_gives_json_types_and_short_arrays() {
    let found = json(run(&["inspect", &model(), "--json"]));
    assert_eq!(found["architecture"], found["metadata"]["general.architecture"]);
    assert!(found["metadata"]["llama.block_count"].is_u64(), "{found}");
    assert_eq!(found["runs"], true);
    assert_eq!(found["error"], Value::Null);
    let file = std::fs::metadata(model()).unwrap().len();
    assert_eq!(found["bytes"], file);
    let tensors = found["tensors"].as_array().unwrap();
    let typed: u64 = found["types"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(typed, tensors.len() as u64);
    let product =
        |t: &Value| t["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).product::<u64>();
    assert_eq!(found["parameters"], tensors.iter().map(product).sum::<u64>());
    let tokens = &found["metadata"]["tokenizer.ggml.tokens"];
    assert_eq!(
        tokens["count"].as_u64().unwrap() as usize,
        expected()["last_logits"].as_array().unwrap().len()
    );
    assert_eq!(tokens["head"].as_array().unwrap().len(), 64);
}

#[test]
fn inspect_begins_with_a_summary() {
    let text = printed(run(&["inspect", &model()]));
    let heads: Vec<_> = text.lines().take(5).map(|l| l.split_whitespace().next().unwrap()).collect();
    assert_eq!(heads, ["name", "architecture", "parameters", "tensors", "size"]);
}

/// A GGUF file of one string and no tensors, removed when dropped.
struct Hostile(PathBuf);

impl Hostile {
    fn new(test: &str, pairs: &[(&str, &str)]) -> Hostile {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(0u64.to_le_bytes());
        bytes.extend((pairs.len() as u64).to_le_bytes());
        let text = |text: &str, bytes: &mut Vec<u8>| {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        };
        for (key, value) in pairs {
            text(key, &mut bytes);
            bytes.extend(8u32.to_le_bytes());
            text(value, &mut bytes);
        }
        let path = std::env::temp_dir().join(format!("intab-cli-{test}-{}.gguf", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Hostile(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn control_characters_of_a_file_never_reach_the_terminal() {
    let pairs =
        [("general.architecture", "evil\x1b[2J\r"), ("general.name", "a\nb\x07"), ("k\x1b", "v\u{9b}")];
    let file = Hostile::new("escape", &pairs);
    let text = printed(run(&["inspect", file.path()]));
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    assert!(text.contains(r"a\nb\u{7}"), "{text:?}");
    let line = refusal(&["logits", file.path(), "--ids", "1", "--backend", "cpu"]);
    assert!(line.contains(r"evil\u{1b}[2J\r"), "{line:?}");
}

#[test]
fn inspect_says_why_a_file_is_not_run() {
    let file = Hostile::new("unknown", &[("general.architecture", "abacus")]);
    let found = json(run(&["inspect", file.path(), "--json"]));
    assert_eq!(found["runs"], false);
    assert_eq!(found["memory"], Value::Null);
    assert!(found["error"].as_str().unwrap().contains("abacus"), "{found}");
}

#[test]
fn inspect_takes_a_folder_and_the_files_in_it() {
    let folder = std::env::temp_dir().join(format!("intab-cli-folder-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.json"), r#"{"model_type": "abacus", "n": 3}"#).unwrap();
    std::fs::write(folder.join(inputs::FILE), inputs::small()).unwrap();
    let paths = [folder.clone(), folder.join("config.json"), folder.join(inputs::FILE)];
    let found = paths.map(|path| json(run(&["inspect", path.to_str().unwrap(), "--json"])));
    let text = printed(run(&["inspect", folder.to_str().unwrap()]));
    std::fs::remove_dir_all(&folder).unwrap();
    for found in found {
        assert_eq!((&found["architecture"], &found["config"]["n"]), (&"abacus".into(), &3.into()));
        assert_eq!(found["types"], serde_json::json!({ "BF16": 1, "F16": 1, "F32": 2 }));
        assert_eq!(found["foreign"], serde_json::json!({ "embeddings.position_ids": "I64" }));
    }
    assert!(text.contains("  n = 3\n") && text.contains("  w F32 [2, 3], 24 bytes\n"), "{text}");
    assert!(text.contains("  embeddings.position_ids I64, a type that is not read\n"), "{text}");
}

#[test]
fn a_long_text_is_one_short_line() {
    let template = "{% for m in messages %}\n{{ m }}\n".repeat(50);
    let file = Hostile::new("long", &[("tokenizer.chat_template", &template)]);
    let text = printed(run(&["inspect", file.path()]));
    let line = text.lines().find(|l| l.contains("tokenizer.chat_template")).unwrap();
    assert!(line.len() < 200 && line.contains(&format!("({} bytes)", template.len())), "{line}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    for arguments in [&["inspect"][..], &["inspect", "--json"], &["logits", "--ids", "1", "--backend", "cpu"]]
    {
        let mut child = intab(&[arguments, &[&model()]].concat()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn help_and_version_are_results() {
    for arguments in [&["--help"][..], &["generate", "--help"], &["--version"]] {
        assert!(printed(run(arguments)).contains("intab"), "{arguments:?}");
    }
}

#[test]
fn usage_errors_are_one_line() {
    refused_for(&[], "requires a subcommand");
    refused_for(&["dance"], "'dance'");
    refused_for(&["inspect"], "<MODEL>");
    refused_for(&["inspect", &model(), "--jsn"], "'--jsn'");
    refused_for(&["generate", &model()], "--prompt");
    refused_for(&["generate", &model(), "-p", "a", "--backend", "abacus"], "auto, cpu, gpu");
}

#[test]
fn files_that_are_no_models_are_one_line() {
    refused_for(&["inspect", "no/such.gguf"], "no/such.gguf");
    let directory = env!("CARGO_MANIFEST_DIR");
    refused_for(&["inspect", directory], directory);
    refused_for(&["generate", "no/such.gguf", "-p", "a", "--backend", "cpu"], "no/such.gguf");
    refused_for(&["tokenize", "no/such.gguf"], "no/such.gguf");
    refused_for(&["synth", "-o", "no/such/folder/x.gguf"], "cannot write to no/such/folder/x.gguf");
}

#[test]
fn values_out_of_range_name_the_option_as_it_is_spelled() {
    let model = model();
    for (option, value) in [
        ("--temperature", "-1"),
        ("--temperature", "nan"),
        ("--top-k", "-1"),
        ("--top-p", "1.5"),
        ("--min-p", "-0.1"),
        ("--repetition-penalty", "-1"),
        ("--presence-penalty", "-101"),
        ("--frequency-penalty", "x"),
        ("--seed", "-1"),
        ("--seed", "18446744073709551616"),
        ("--max-new-tokens", "0"),
        ("--max-new-tokens", "-3"),
        ("--context", "1"),
        ("--context", "-1"),
        ("--stop", ""),
    ] {
        refused_for(&["generate", &model, "-p", "a", "--backend", "cpu", option, value], option);
    }
}

#[test]
fn a_negative_penalty_is_in_range() {
    let found = greedy(&["-p", "a", "--presence-penalty", "-1", "--max-new-tokens", "1", "--ignore-eos"]);
    assert_eq!(found["usage"]["completion_tokens"], 1);
}

#[test]
fn an_empty_prompt_and_bad_ids_are_one_line() {
    let model = model();
    refused_for(&["generate", &model, "-p", "", "--backend", "cpu"], "--prompt: it is empty");
    for command in ["generate", "logits", "detokenize"] {
        refused_for(&[command, &model, "--ids", ""], "at least one token id");
        refused_for(&[command, &model, "--ids", "1,,2"], "between two commas");
        refused_for(&[command, &model, "--ids", "-1"], "`-1` is not a whole number");
        refused_for(&[command, &model, "--ids", "1,999999"], "999999");
    }
}
