//! Each key of `generation_config.json` does what it does in Hugging Face transformers, or is refused by its name:
//! tools/make_generation_answers.py made tests/data/generation.json, where each key has an effect.

mod common;

use common::folder::Folder;
use intab::{
    Error,
    run::{Engine, Event, GenerateOptions, LoadOptions, Output, Prefer},
};
use pollster::block_on;
use serde_json::{Value as Json, json};

/// A model with further keys in its `generation_config.json`.
fn folder(name: &str, keys: &Json) -> Folder {
    let mut folder = Folder::of(name);
    let path = common::repo(&format!("tests/data/models/{name}/generation_config.json"));
    let mut config: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    keys.as_object().unwrap().iter().for_each(|(key, value)| config[key] = value.clone());
    folder.files.push(("m/generation_config.json".into(), config.to_string().into_bytes()));
    folder
}

fn load(name: &str, keys: &Json) -> Engine {
    folder(name, keys).load().unwrap()
}

fn finish(engine: &mut Engine, ids: &[u32], options: GenerateOptions) -> Result<Output, Error> {
    let mut generation = engine.generate(ids, options)?;
    loop {
        if let Event::Done { output, .. } = block_on(generation.step(engine))? {
            return Ok(output);
        }
    }
}

/// What the model's files ask for, without drawing.
fn of_files(engine: &Engine) -> GenerateOptions {
    GenerateOptions { temperature: 0.0, ..GenerateOptions::of_model(engine.defaults()) }
}

/// Twelve tokens at the most, as the script asks.
fn twelve(engine: &Engine) -> GenerateOptions {
    GenerateOptions { max_new_tokens: Some(12), ..of_files(engine) }
}

fn cases() -> Vec<Json> {
    let file = std::fs::read(common::repo("tests/data/generation.json")).unwrap();
    serde_json::from_slice(&file).unwrap()
}

fn ids(json: &Json) -> Vec<u32> {
    serde_json::from_value(json.clone()).unwrap()
}

#[test]
fn every_key_has_the_effect_that_it_has_in_the_reference() {
    let mut seen = std::collections::BTreeSet::new();
    for case in cases() {
        let (name, keys) = (case["model"].as_str().unwrap(), &case["keys"]);
        seen.extend(keys.as_object().unwrap().keys().cloned());
        for prefer in [Prefer::Cpu, Prefer::Gpu] {
            let mut engine =
                match folder(name, keys).load_with(&LoadOptions { prefer, ..LoadOptions::default() }) {
                    Err(error @ Error::NoDevice { .. }) => {
                        common::no_gpu(&error);
                        continue;
                    }
                    loaded => loaded.unwrap(),
                };
            // A length in the file counts where the caller names none.
            let options = if keys.get("max_length").is_some() { of_files(&engine) } else { twelve(&engine) };
            let mut found = finish(&mut engine, &ids(&case["input_ids"]), options).unwrap().tokens;
            let mut expected = ids(&case["ids"]);
            // The reference shows the end, and what fills a batch up after it.
            let is_end = |id: &u32| engine.defaults().eos.contains(id);
            if let Some(end) = expected.iter().position(is_end) {
                expected.truncate(end);
            }
            found.truncate(expected.len() + 1);
            assert_eq!(found, expected, "{name} {prefer:?} {keys}");
        }
    }
    assert!(seen.len() >= 18, "{seen:?}");
}

#[test]
fn options_that_are_not_run_are_refused_when_a_text_is_asked_for() {
    for (key, value) in
        [("typical_p", json!(0.5)), ("penalty_alpha", json!(0.6)), ("num_beam_groups", json!(2))]
    {
        let mut engine = load("llama-linear", &json!({ key: value }));
        let error = finish(&mut engine, &[5, 6], GenerateOptions::default()).unwrap_err();
        assert!(matches!(&error, Error::Unsupported { found, .. } if found == key), "{error}");
    }
}

#[test]
fn presence_and_frequency_penalties_are_not_for_beams() {
    for keys in [json!({}), json!({ "num_beams": 3 })] {
        let mut engine = load("llama-linear", &keys);
        let options = GenerateOptions { num_beams: 3, ..twelve(&engine) };
        for (what, options) in [
            ("presence_penalty", GenerateOptions { presence_penalty: 1.0, ..options.clone() }),
            ("frequency_penalty", GenerateOptions { frequency_penalty: -0.5, ..options }),
        ] {
            let error = finish(&mut engine, &[5, 6], options).unwrap_err();
            assert!(matches!(&error, Error::Input { what: found, .. } if *found == what), "{error}");
        }
    }
}

/// `suppress_tokens` makes the host choose.
#[test]
fn penalties_hold_where_the_host_chooses() {
    let mut engine = load("llama-linear", &json!({ "suppress_tokens": [98], "eos_token_id": null }));
    let usual = twelve(&engine);
    let plain = finish(&mut engine, &[5, 6, 7], usual.clone()).unwrap().tokens;
    let repeats = |tokens: &[u32]| {
        let unique: std::collections::BTreeSet<_> = tokens.iter().collect();
        tokens.len() - unique.len()
    };
    assert!(repeats(&plain) > 0, "nothing to penalize in {plain:?}");
    for options in [
        GenerateOptions { presence_penalty: 100.0, ..usual.clone() },
        GenerateOptions { frequency_penalty: 100.0, ..usual.clone() },
    ] {
        let found = finish(&mut engine, &[5, 6, 7], options).unwrap().tokens;
        assert_eq!((found.len(), repeats(&found)), (12, 0), "{found:?}");
    }
    // The same whether the device or the host penalizes.
    let mut device = load("llama-linear", &json!({ "eos_token_id": null }));
    let options = GenerateOptions { repetition_penalty: 1.7, frequency_penalty: 0.2, ..usual };
    let by_host = finish(&mut engine, &[5, 6, 7], options.clone()).unwrap().tokens;
    assert_eq!(by_host, finish(&mut device, &[5, 6, 7], options).unwrap().tokens);
    assert_ne!(by_host, plain);
}

#[test]
fn beams_that_a_file_asks_for_end_as_the_reference_ends_them() {
    let engine = load("llama-linear", &json!({ "num_beams": 4 }));
    let options = GenerateOptions::of_model(engine.defaults());
    assert_eq!((options.num_beams, options.early_stopping), (4, intab::model::EarlyStopping::No));
}
