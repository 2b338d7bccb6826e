//! Translators of many languages: which language is read and which is written, against what transformers writes:
//! tools/make_translation_fixtures.py made the files in tests/data/translation.

mod common;

use intab::{
    Error, Result, format,
    run::{Engine, Event, GenerateOptions, LoadOptions, Prefer, load},
};
use pollster::block_on;
use serde_json::Value as Json;

/// Checks on both backends, the GPU where there is one.
fn everywhere(model: &str, check: impl Fn(&mut Engine)) {
    let checkpoint =
        block_on(format::open_path(&common::repo(&format!("tests/data/translation/{model}")))).unwrap();
    for prefer in [Prefer::Cpu, Prefer::Gpu] {
        match block_on(load(&checkpoint, &LoadOptions { prefer, ..LoadOptions::default() })) {
            Ok(mut engine) => check(&mut engine),
            Err(error @ Error::NoDevice { .. }) => common::no_gpu(&error),
            Err(error) => panic!("{error}"),
        }
    }
}

fn translate(engine: &mut Engine, text: &str, options: GenerateOptions) -> Result<Vec<u32>> {
    let ids = engine.tokenizer().unwrap().encode(text, true, false).unwrap();
    let mut generation = engine.generate(&ids, options)?;
    loop {
        if let Event::Done { output, .. } = block_on(generation.step(engine))? {
            return Ok(output.tokens);
        }
    }
}

fn between(engine: &Engine, source: &str, target: &str, num_beams: usize) -> GenerateOptions {
    GenerateOptions {
        temperature: 0.0,
        num_beams,
        source_language: Some(source.to_owned()),
        target_language: Some(target.to_owned()),
        ..GenerateOptions::of_model(engine.defaults())
    }
}

fn answers_are_transformers(model: &str) {
    let cases =
        std::fs::read(common::repo(&format!("tests/data/translation/{model}/expected.json"))).unwrap();
    let cases: Vec<Json> = serde_json::from_slice(&cases).unwrap();
    everywhere(model, |engine| {
        for case in &cases {
            let text = |key: &str| case[key].as_str().unwrap();
            let ids = |key: &str| -> Vec<u32> { serde_json::from_value(case[key].clone()).unwrap() };
            for (way, num_beams) in [("greedy", 1), ("beams", 3)] {
                let options = between(engine, text("source"), text("target"), num_beams);
                let of = format!("{way} {} to {} of {}", text("source"), text("target"), text("text"));
                // The start is given, and the end that was forced at the greatest length is not told.
                let expected = &ids(way)[1..];
                let expected = expected.strip_suffix(&[2]).unwrap_or(expected);
                assert_eq!(translate(engine, text("text"), options).unwrap(), expected, "{of}");
            }
        }
    });
}

#[test]
fn a_language_to_write_first_is_forced() {
    answers_are_transformers("nllb");
}

#[test]
fn a_language_to_begin_with_is_given() {
    answers_are_transformers("mbart");
}

#[test]
fn what_is_no_language_of_the_model_is_refused_with_those_that_are() {
    everywhere("mbart", |engine| {
        assert_eq!(engine.languages().count(), 25);
        let error = translate(engine, "Ada", between(engine, "en_XX", "xx_XX", 1)).unwrap_err();
        assert!(matches!(error, Error::Input { what: "target_language", .. }), "{error}");
        assert!(error.to_string().contains("`xx_XX` is none of the model's: ar_AR, cs_CZ"), "{error}");
        let error = translate(engine, "Ada", between(engine, "english", "ro_RO", 1)).unwrap_err();
        assert!(matches!(error, Error::Input { what: "source_language", .. }), "{error}");
    });
}

#[test]
fn a_model_that_goes_on_with_a_text_takes_no_languages() {
    let checkpoint = block_on(format::open_path(&common::repo("models/intab-stories.gguf"))).unwrap();
    let options = LoadOptions { prefer: Prefer::Cpu, ..LoadOptions::default() };
    let mut engine = block_on(load(&checkpoint, &options)).unwrap();
    assert_eq!(engine.languages().count(), 0);
    let options = between(&engine, "en", "fr", 1);
    let error = translate(&mut engine, "Once", options).unwrap_err();
    assert!(matches!(error, Error::Input { what: "source_language", .. }), "{error}");
}
