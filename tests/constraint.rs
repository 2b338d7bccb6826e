//! Texts of the default model that are held to a structure, on both backends.
#![cfg(feature = "cli")]

mod common;

use common::tiny::{self, Tiny};
use intab::{
    Error, format,
    format::metadata::Value as Metadata,
    run::{
        Completion, Constraint, Engine, Event, FinishReason, GenerateOptions, Grammars, LoadOptions, Output,
        Prefer, Structure, load,
    },
};
use pollster::block_on;
use serde_json::Value;

fn loaded(prefer: Prefer, context_length: Option<usize>) -> Option<Engine> {
    let checkpoint = block_on(format::open_path(&common::repo("models/intab-stories.gguf"))).unwrap();
    match block_on(load(&checkpoint, &LoadOptions { prefer, context_length, ..LoadOptions::default() })) {
        Ok(engine) => Some(engine),
        Err(error) => {
            common::no_gpu(&error);
            None
        }
    }
}

fn engine(prefer: Prefer) -> Option<(Engine, Grammars)> {
    let engine = loaded(prefer, None)?;
    let grammars = engine.grammars().unwrap();
    Some((engine, grammars))
}

fn on_both(check: impl Fn(&mut Engine, &Grammars)) {
    for prefer in [Prefer::Cpu, Prefer::Gpu] {
        if let Some((mut engine, grammars)) = engine(prefer) {
            check(&mut engine, &grammars);
        }
    }
}

fn once(engine: &Engine) -> Vec<u32> {
    engine.tokenizer().unwrap().encode("Once upon a time", true, false).unwrap()
}

fn options(seed: u64) -> GenerateOptions {
    GenerateOptions { seed, temperature: 1.5, max_new_tokens: Some(150), ..Default::default() }
}

fn run_with(
    engine: &mut Engine,
    constraint: Box<dyn Constraint>,
    options: GenerateOptions,
) -> Result<Output, Error> {
    let ids = once(engine);
    let mut generation = engine.generate_constrained(&ids, options, constraint)?;
    let mut pieces = String::new();
    loop {
        match block_on(generation.step(engine))? {
            Event::Token { text, .. } => pieces += &text,
            Event::Done { text, output } => {
                assert_eq!(pieces + &text, output.text);
                return Ok(output);
            }
            _ => {}
        }
    }
}

fn run(engine: &mut Engine, grammars: &Grammars, structure: &Structure, options: GenerateOptions) -> Output {
    let constraint = grammars.constraint(structure).unwrap();
    run_with(engine, constraint, options).unwrap()
}

const PERSON: &str = r#"{"type": "object", "properties": {
    "name": {"type": "string", "maxLength": 12},
    "age": {"type": "integer", "minimum": 0, "maximum": 120},
    "pets": {"type": "array", "items": {"enum": ["cat", "dog"]}, "maxItems": 3}
}, "required": ["name", "age", "pets"], "additionalProperties": false}"#;

#[test]
fn a_text_held_to_a_schema_is_json_that_fits() {
    on_both(|engine, grammars| {
        for seed in 0..4 {
            let output = run(engine, grammars, &Structure::JsonSchema(PERSON), options(seed));
            assert_eq!(output.finish_reason, FinishReason::Eos, "{}", output.text);
            let value: Value = serde_json::from_str(&output.text).unwrap();
            assert!(value["name"].as_str().unwrap().chars().count() <= 12, "{value}");
            assert!((0..=120).contains(&value["age"].as_i64().unwrap()), "{value}");
            assert!(
                value["pets"].as_array().unwrap().iter().all(|pet| pet == "cat" || pet == "dog"),
                "{value}"
            );
            assert!(output.timings.mask_ms > 0.0);
        }
    });
}

#[test]
fn a_structure_that_is_cut_says_so() {
    on_both(|engine, grammars| {
        let short = GenerateOptions { max_new_tokens: Some(5), ..options(1) };
        let output = run(engine, grammars, &Structure::JsonSchema(PERSON), short);
        assert_eq!((output.finish_reason, output.tokens.len()), (FinishReason::Length, 5));
        assert!(serde_json::from_str::<Value>(&output.text).is_err(), "{}", output.text);
    });
}

#[test]
fn a_structure_that_is_whole_with_the_last_token_is_not_cut() {
    on_both(|engine, grammars| {
        let whole = run(engine, grammars, &Structure::JsonSchema(PERSON), options(2));
        assert_eq!(whole.finish_reason, FinishReason::Eos);
        let exact = GenerateOptions { max_new_tokens: Some(whole.tokens.len()), ..options(2) };
        let output = run(engine, grammars, &Structure::JsonSchema(PERSON), exact);
        assert_eq!((output.finish_reason, output.text), (FinishReason::Eos, whole.text));
    });
}

#[test]
fn a_model_may_end_its_text_only_where_the_structure_may_end() {
    on_both(|engine, grammars| {
        let ends = engine.tokenizer().unwrap().ends().to_vec();
        assert!(!ends.is_empty());
        // Nothing but its end would come.
        let eager = |seed| GenerateOptions {
            logit_bias: ends.iter().map(|id| (*id, 100.0)).collect(),
            ..options(seed)
        };
        let output = run(engine, grammars, &Structure::Regex("[a-z]{3,9}"), eager(1));
        assert_eq!((output.finish_reason, output.text.len()), (FinishReason::Eos, 3), "{}", output.text);
    });
}

#[test]
fn penalties_and_biases_weigh_what_may_come() {
    on_both(|engine, grammars| {
        let tokenizer = engine.tokenizer().unwrap();
        let id = |text: &str| tokenizer.token_id(text).unwrap_or_else(|| panic!("no token {text}"));
        let (yes, no) = (id("a"), id("b"));
        for (more, less, expected) in [(yes, no, "a"), (no, yes, "b")] {
            let biased = GenerateOptions { logit_bias: [(more, 50.0), (less, -50.0)].into(), ..options(3) };
            assert_eq!(run(engine, grammars, &Structure::Regex("a|b"), biased).text, expected);
        }
        let penalized = GenerateOptions { frequency_penalty: 100.0, temperature: 0.0, ..options(0) };
        let mut tokens = run(engine, grammars, &Structure::Regex("[a-f]{5}"), penalized).tokens;
        let n = tokens.len();
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), n, "none comes twice while others may come");
    });
}

#[test]
fn the_host_and_the_device_draw_the_same() {
    on_both(|engine, grammars| {
        let structure = Structure::JsonSchema(PERSON);
        let device = run(engine, grammars, &structure, options(5));
        // For their sake the host draws.
        let told = GenerateOptions { logprobs: Some(2), ..options(5) };
        let host = run(engine, grammars, &structure, told);
        assert_eq!(device.tokens, host.tokens);
    });
}

#[test]
fn a_text_without_a_structure_is_what_it_was() {
    on_both(|engine, grammars| {
        let ids = once(engine);
        let free = |engine: &mut Engine| {
            let mut generation =
                engine.generate(&ids, GenerateOptions { ignore_eos: true, ..options(6) }).unwrap();
            loop {
                if let Event::Done { output, .. } = block_on(generation.step(engine)).unwrap() {
                    return output.tokens;
                }
            }
        };
        let before = free(engine);
        run(engine, grammars, &Structure::JsonSchema(PERSON), options(6));
        assert_eq!(free(engine), before);
    });
}

#[test]
fn what_goes_against_a_structure_is_refused_by_name() {
    let Some((mut engine, grammars)) = engine(Prefer::Cpu) else { return };
    let cases = [
        (GenerateOptions { ignore_eos: true, ..options(0) }, "ignore_eos: "),
        (GenerateOptions { num_beams: 2, temperature: 1.0, ..options(0) }, "constraint: "),
        // A text of three letters cannot have fifty tokens.
        (GenerateOptions { min_new_tokens: 50, ..options(0) }, ""),
    ];
    for (options, begins) in cases {
        let constraint = grammars.constraint(&Structure::Regex("[a-c]{3}")).unwrap();
        match run_with(&mut engine, constraint, options) {
            Err(error) => assert!(!begins.is_empty() && error.to_string().starts_with(begins), "{error}"),
            Ok(output) => assert!(begins.is_empty() && output.text.len() == 3, "{output:?}"),
        }
    }
    let tokenizer = engine.tokenizer().unwrap();
    let with_a: Vec<u32> = (0..tokenizer.vocab_size() as u32)
        .filter(|id| tokenizer.token_bytes(*id).unwrap().starts_with(b"a"))
        .collect();
    for logprobs in [None, Some(1)] {
        let banned = with_a.iter().map(|id| (*id, -100.0)).collect();
        let options = GenerateOptions { logit_bias: banned, logprobs, ..options(0) };
        let constraint = grammars.constraint(&Structure::Regex("a+")).unwrap();
        let error = run_with(&mut engine, constraint, options).unwrap_err().to_string();
        assert!(error.starts_with("constraint: no token may come next"), "{error}");
    }
}

/// Allows one token for ever.
struct Only(u32);

impl Constraint for Only {
    fn allow(&mut self, allowed: &mut [u32]) -> Result<Completion, Error> {
        allowed[self.0 as usize / 32] |= 1 << (self.0 % 32);
        Ok(Completion::Open)
    }

    fn accept(&mut self, id: u32) -> Result<(), Error> {
        assert_eq!(id, self.0);
        Ok(())
    }
}

#[test]
fn a_constraint_of_ones_own_is_followed_to_the_end_of_the_context() {
    for prefer in [Prefer::Cpu, Prefer::Gpu] {
        let Some(mut engine) = loaded(prefer, Some(24)) else { continue };
        let endless = GenerateOptions { max_new_tokens: None, ..options(0) };
        let output = run_with(&mut engine, Box::new(Only(77)), endless).unwrap();
        assert_eq!(output.finish_reason, FinishReason::Context);
        assert_eq!(output.usage.prompt + output.tokens.len(), 25, "the last token needs no place");
        assert!(output.tokens.iter().all(|id| *id == 77));
    }
}

/// A tiny model whose tokens are SentencePiece's: the space before a text's first piece is no part of the text.
fn with_sentencepiece() -> Engine {
    let mut tokens =
        vec!["<unk>".to_owned(), "<s>".into(), "</s>".into(), "▁".into(), "▁ab".into(), "ab".into()];
    tokens.extend(["a", "b"].map(String::from));
    tokens.extend((tokens.len()..tiny::N_VOCAB).map(|i| format!("x{i}")));
    let mut types = vec![1; tiny::N_VOCAB];
    types[..3].copy_from_slice(&[2, 3, 3]);
    let checkpoint = Tiny::default()
        .with("tokenizer.ggml.model", Metadata::String("llama".into()))
        .with("tokenizer.ggml.tokens", Metadata::Strings(tokens.iter().map(String::as_str).collect()))
        .with("tokenizer.ggml.token_type", Metadata::Ints(types))
        .with("tokenizer.ggml.scores", Metadata::Floats(vec![0.0; tiny::N_VOCAB]))
        .with("tokenizer.ggml.bos_token_id", Metadata::Uint(1))
        .with("tokenizer.ggml.eos_token_id", Metadata::Uint(2))
        .open()
        .unwrap();
    block_on(load(&checkpoint, &LoadOptions { prefer: Prefer::Cpu, ..LoadOptions::default() })).unwrap()
}

#[test]
fn a_space_that_is_no_part_of_the_text_does_not_count_for_the_structure() {
    let mut engine = with_sentencepiece();
    let grammars = engine.grammars().unwrap();
    let mut write = |prompt: &[u32], regex: &str| {
        let constraint = grammars.constraint(&Structure::Regex(regex)).unwrap();
        let mut generation = engine.generate_constrained(prompt, options(1), constraint)?;
        loop {
            if let Event::Done { output, .. } = block_on(generation.step(&mut engine))? {
                return Ok::<_, Error>(output.text);
            }
        }
    };
    // After a piece of text, its own space is shown.
    assert_eq!(write(&[1, 5], " ab").unwrap(), " ab");
    // At the start of a text it would not be, so nothing can be a text that begins with one.
    let error = write(&[1], " ab").unwrap_err().to_string();
    assert!(error.starts_with("constraint: no token may come next"), "{error}");
    for _ in 0..3 {
        assert_eq!(write(&[1], " ?ab").unwrap(), "ab");
    }
}
