//! The command line on models of every kind: what their heads put out, embeddings, beams, templates, quantized loads.
#![cfg(feature = "cli")]

mod common;

use common::cli::{ids_of, joined, json, printed, refused_after_load, refused_for, run, run_with};
use serde_json::{Value, json};

/// A folder of tests/data/models, and what the reference gives.
struct Model {
    path: String,
    expected: Value,
}

impl Model {
    fn of(name: &str) -> Model {
        let path = common::repo(&format!("tests/data/models/{name}"));
        let expected = serde_json::from_slice(&std::fs::read(path.join("expected.json")).unwrap()).unwrap();
        Model { path: path.display().to_string(), expected }
    }

    fn ids(&self, key: &str) -> String {
        joined(&ids_of(&self.expected[key]), ",")
    }

    /// What a command prints as JSON for the model's own input, on the CPU.
    #[track_caller]
    fn json(&self, command: &str, more: &[&str]) -> Value {
        let ids = self.ids("input_ids");
        let usual = [command, &self.path, "--ids", &ids, "--backend", "cpu", "--json"];
        json(run(&[&usual[..], more].concat()))
    }
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// The largest distance, as a part of the range of what is expected.
fn distance(found: &Value, expected: &Value) -> f64 {
    let (found, expected) = (floats(found), floats(expected));
    assert_eq!(found.len(), expected.len());
    let (min, max) = expected.iter().fold((f64::MAX, f64::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
    found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / (max - min)
}

#[track_caller]
fn close(found: &Value, expected: &Value) {
    let distance = distance(found, expected);
    assert!(distance < 1e-3, "{distance} of the range: {found}\nfor {expected}");
}

#[test]
fn embed_pools_as_asked_and_normalizes_where_asked() {
    let model = Model::of("bert");
    let types = model.ids("token_type_ids");
    let embedded = |more: &[&str]| model.json("embed", &[&["--token-types", &types], more].concat());
    close(&embedded(&["--normalize"])["embedding"], &model.expected["mean_pooled_normalized"]);
    close(&embedded(&["--pooling", "cls"])["embedding"], &model.expected["cls_hidden"]);
    let last = embedded(&["--pooling", "last", "--normalize"]);
    close(&last["embedding"], &model.expected["last_pooled_normalized"]);
    let first = embedded(&["--pooling", "cls", "--dimensions", "5"]);
    close(&first["embedding"], &floats(&model.expected["cls_hidden"])[..5].into());
    // Without --json, the numbers alone.
    let ids = model.ids("input_ids");
    let text = printed(run(&["embed", &model.path, "--ids", &ids, "--backend", "cpu"]));
    assert_eq!(text.split_whitespace().filter(|x| x.parse::<f32>().is_ok()).count(), 24, "{text}");
}

#[test]
fn embed_refuses_what_does_not_fit() {
    let path = Model::of("bert").path;
    let embed = |more: &[&str], reason| {
        refused_after_load(&[&["embed", &path, "--backend", "cpu"], more].concat(), reason);
    };
    embed(&["-p", "a"], "tokenizer");
    embed(&["--ids", "5,6", "--dimensions", "25"], "--dimensions: 25");
    embed(&["--ids", "5,6", "--token-types", "0,2"], "2 is not one");
    embed(&["--ids", "5,6", "--token-types", "0"], "1 types for 2");
    refused_for(&["embed", &path, "--token-types", "0"], "--ids");
    refused_for(&["embed", &path], "--prompt");
}

#[test]
fn logits_of_a_head_are_what_the_head_puts_out() {
    let classify = Model::of("bert-classify");
    let types = classify.ids("token_type_ids");
    let found = classify.json("logits", &["--token-types", &types]);
    close(&found["logits"], &classify.expected["logits"]);
    // The second text counts as one.
    assert!(distance(&classify.json("logits", &[])["logits"], &classify.expected["logits"]) > 1e-2);

    let answers = Model::of("bert-qa");
    let types = answers.ids("token_type_ids");
    let found = answers.json("logits", &["--token-types", &types]);
    close(&found["start_logits"], &answers.expected["start_logits"]);
    close(&found["end_logits"], &answers.expected["end_logits"]);

    let tokens = Model::of("bert-tokens");
    let (found, expected) = (tokens.json("logits", &[]), tokens.expected["logits"].as_array().unwrap());
    assert_eq!(found["shape"], json!([expected.len(), 5]));
    found["logits"].as_array().unwrap().iter().zip(expected).for_each(|(row, expected)| close(row, expected));
}

#[test]
fn logits_of_an_encoder_decoder_follow_the_decoder_ids() {
    for name in ["t5", "bart"] {
        let model = Model::of(name);
        let decoder = model.ids("decoder_input_ids");
        let found = model.json("logits", &["--decoder-ids", &decoder, "--last"]);
        close(&found["logits"][0], &model.expected["last_logits"]);
        refused_after_load(&["logits", &model.path, "--ids", "5,6", "--backend", "cpu"], "--decoder-ids");
    }
    let decoder = Model::of("llama-linear").path;
    let args = ["logits", &decoder, "--ids", "5,6", "--decoder-ids", "1", "--backend", "cpu"];
    refused_after_load(&args, "--decoder-ids: this model has no second half");
}

#[test]
fn generate_follows_beams_to_the_reference_s_text() {
    for name in ["t5", "bart", "llama-linear"] {
        let model = Model::of(name);
        let arguments = &model.expected["beam4_arguments"];
        let most = arguments["max_new_tokens"].to_string();
        let asked = ["--num-beams", "4", "--early-stopping", "true", "--max-new-tokens", &most];
        let found = ids_of(&model.json("generate", &asked)["ids"]);
        // The reference begins with the decoder's start and shows the end.
        let mut expected = ids_of(&model.expected["beam4"]);
        expected.drain(..usize::from(name != "llama-linear"));
        let end = arguments["eos_token_id"].as_u64();
        expected.truncate(expected.iter().position(|id| Some(*id) == end).unwrap_or(expected.len()));
        assert_eq!(found, expected, "{name}");
        assert!(found.len() > 2, "{name}: a dull text");
    }
    let path = Model::of("llama-linear").path;
    let generate = |more: &[&str], reason: &str| {
        refused_for(&[&["generate", &path, "--ids", "5,6", "--backend", "cpu"], more].concat(), reason);
    };
    generate(&["--num-beams", "0"], "--num-beams: 0");
    generate(&["--num-beams", "17"], "--num-beams: 17");
    generate(&["--num-beams", "4", "--temperature", "0.5"], "--num-beams: beams take the most probable");
    generate(
        &["--num-beams", "4", "--presence-penalty", "1"],
        "--presence-penalty: it is not applied to beams",
    );
    generate(&["--num-beams", "4", "--frequency-penalty", "1"], "--frequency-penalty: it is not applied");
}

/// A template alone, and the model's own.
#[test]
fn template_renders_the_conversation_on_stdin() {
    let path = std::env::temp_dir().join(format!("intab-cli-{}.jinja", std::process::id()));
    let source = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
    std::fs::write(&path, source).unwrap();
    let file = path.to_str().unwrap();
    let conversation = json!({
        "messages": [{ "role": "user", "content": "Hi\n<b>" }],
        "add_generation_prompt": true,
    })
    .to_string();
    let found = json(run_with(&["template", file, "--json"], &conversation));
    assert_eq!(found, json!({ "text": "[user]Hi\n<b>[assistant]" }));
    let text = printed(run_with(&["template", file], &conversation));
    assert_eq!(text, "[user]Hi\n<b>[assistant]\n", "the text and the newline that ends the output");
    for (stdin, reason) in [("[]", "no JSON object"), ("{", "no JSON object"), ("", "no JSON object")] {
        let output = run_with(&["template", file], stdin);
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(1) && line.contains(reason) && line.lines().count() == 1,
            "{line}"
        );
    }
    std::fs::write(&path, "{{ raise_exception('roles must alternate') }}").unwrap();
    let output = run_with(&["template", file], &conversation);
    let line = String::from_utf8(output.stderr).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(output.status.code() == Some(1) && line.contains("roles must alternate"), "{line}");
    let folder = Model::of("llama-linear").path;
    let output = run_with(&["template", &folder], &conversation);
    assert!(String::from_utf8_lossy(&output.stderr).contains("have none"), "{output:?}");
}

#[test]
fn a_quantized_load_is_smaller_and_says_nearly_the_same() {
    let model = Model::of("llama-linear");
    let inspected = |more: &[&str]| {
        let found = json(run(&[&["inspect", &model.path, "--json"], more].concat()));
        found["memory"]["weights"].as_u64().unwrap()
    };
    let plain = inspected(&[]);
    let mut last = plain;
    // Rows of 32 numbers are too short for blocks of 256: what was to be Q4_K has 8 bits.
    for (name, least, most) in [("q8_0", 1e-4, 0.05), ("q4_0", 1e-3, 0.4), ("q4_k", 1e-4, 0.05)] {
        let found = model.json("logits", &["--last", "--quantize", name]);
        let distance = distance(&found["logits"][0], &model.expected["last_logits"]);
        assert!((least..most).contains(&distance), "{name}: {distance} of the range");
        let bytes = inspected(&["--quantize", name]);
        assert!(bytes < plain, "{name}: {bytes} of {plain} bytes");
        if name == "q4_0" {
            assert!(bytes < last, "{bytes} and {last} bytes");
        }
        last = bytes;
    }
    let generated =
        model.json("generate", &["--quantize", "q8_0", "--temperature", "0", "--max-new-tokens", "3"]);
    assert_eq!(ids_of(&generated["ids"]), ids_of(&model.expected["greedy"])[..3]);
    refused_for(&["logits", &model.path, "--ids", "1", "--quantize", "q5_0"], "q8_0, q4_0 or q4_k");
}

#[test]
fn adapters_are_loaded_and_mixed_by_what_follows_their_paths() {
    let adapter = |name: &str| common::repo(&format!("tests/data/adapters/{name}")).display().to_string();
    let mix: Value = serde_json::from_slice(&std::fs::read(adapter("mix.json")).unwrap()).unwrap();
    let parts = mix["parts"].as_array().unwrap();
    let named: Vec<String> =
        parts.iter().map(|part| format!("{}={}", adapter(part[0].as_str().unwrap()), part[1])).collect();
    let model = common::repo("tests/data/models/qwen3").display().to_string();
    let ids = joined(&ids_of(&mix["input_ids"]), ",");
    let usual = [&model, "--ids", &ids, "--backend", "cpu", "--json"];
    let given = ["--adapter", &named[0], "--adapter", &named[1]];
    let found = json(run(&[&["logits"], &usual[..], &["--last"], &given].concat()));
    close(&found["logits"][0], &mix["last_logits"]);
    // What is written begins with the best of them.
    let best = floats(&mix["last_logits"]).iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    let more = ["--max-new-tokens", "2", "--temperature", "0", "--ignore-eos", "--precision", "exact"];
    let written = json(run(&[&["generate"], &usual[..], &given, &more].concat()));
    assert_eq!(ids_of(&written["ids"])[0], best as u64);
}

#[test]
fn what_is_no_adapter_of_the_model_is_refused() {
    let path = |name: &str| common::repo(name).display().to_string();
    let model = path("tests/data/models/qwen3");
    let usual = ["logits", &model, "--ids", "1,2", "--backend", "cpu", "--adapter"];
    let refused =
        |adapter: &str, reason: &str| refused_after_load(&[&usual[..], &[adapter]].concat(), reason);
    refused("no/such/folder", "cannot read");
    refused(&path("tests/data/models/qwen2"), "it is a whole model");
    refused(&path("tests/data/adapters/classifier"), "has no module");
    refused(&format!("{}=1e9", path("tests/data/adapters/rslora")), "the weight 1000000000 is not between");
    refused_for(&[&usual[..], &["=2"]].concat(), "the path is missing");
}
