//! The two precisions on the default model: the fast one is another way to the same answers.

mod common;

use intab::{
    backend::Precision,
    format,
    run::{Engine, Event, GenerateOptions, LoadOptions, Output, Prefer, load},
};
use pollster::block_on;

fn stories() -> Engine {
    let options = LoadOptions { prefer: Prefer::Cpu, ..LoadOptions::default() };
    let checkpoint = block_on(format::open_path(&common::repo("models/intab-stories.gguf"))).unwrap();
    block_on(load(&checkpoint, &options)).unwrap()
}

fn generate(engine: &mut Engine, ids: &[u32], options: GenerateOptions) -> Output {
    let mut generation = engine.generate(ids, options).unwrap();
    loop {
        if let Event::Done { output, .. } = block_on(generation.step(engine)).unwrap() {
            return output;
        }
    }
}

#[test]
fn scores_of_the_fast_precision_are_near_the_exact_ones_and_not_the_same() {
    let mut engine = stories();
    let n_vocab = engine.facts().config.n_vocab;
    let seed = common::rng().u64(..);
    let options = GenerateOptions {
        max_new_tokens: Some(400),
        ignore_eos: true,
        seed,
        precision: Precision::Exact,
        ..GenerateOptions::default()
    };
    let text = generate(&mut engine, &[0], options).tokens;
    let exact = block_on(engine.logits(&text)).unwrap();
    engine.set_precision(Precision::Fast);
    let fast = block_on(engine.logits(&text)).unwrap();
    assert_ne!(exact, fast, "the fast precision is in use");
    for (i, (exact, fast)) in exact.chunks_exact(n_vocab).zip(fast.chunks_exact(n_vocab)).enumerate() {
        let (min, max) = exact.iter().fold((f32::MAX, f32::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
        let worst = exact.iter().zip(fast).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 1e-3 * (max - min), "token {i}: {worst} in a range of {}", max - min);
    }
    engine.set_precision(Precision::Exact);
    assert_eq!(block_on(engine.logits(&text)).unwrap(), exact, "the exact precision is what it was before");
}

#[test]
fn a_generation_has_the_precision_of_its_options_and_uses_nothing_less_exact() {
    let mut engine = stories();
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(common::repo("models/expected.json")).unwrap()).unwrap();
    let ids = |key: &str| -> Vec<u32> { serde_json::from_value(expected[key].clone()).unwrap() };
    for (precision, n_cached) in
        [(Precision::Fast, 0), (Precision::Exact, 0), (Precision::Exact, 4), (Precision::Fast, 0)]
    {
        let options = GenerateOptions {
            temperature: 0.0,
            max_new_tokens: Some(ids("greedy").len()),
            ignore_eos: true,
            precision,
            ..GenerateOptions::default()
        };
        let output = generate(&mut engine, &ids("input_ids"), options);
        assert_eq!(output.tokens, ids("greedy"), "{precision:?}");
        assert_eq!(output.usage.cached, n_cached, "{precision:?}");
    }
}

#[test]
fn beams_leave_room_for_the_scores_of_long_texts() {
    let text: Vec<u32> = (0..40).collect();
    let mut engine = stories();
    let scores = block_on(engine.logits(&text)).unwrap();
    let mut engine = stories();
    let beams = GenerateOptions { num_beams: 2, max_new_tokens: Some(4), ..GenerateOptions::default() };
    assert!(!generate(&mut engine, &text[..5], beams).tokens.is_empty());
    assert_eq!(block_on(engine.logits(&text)).unwrap(), scores);
}
