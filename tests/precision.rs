//! The two precisions: the fast one is another way to the same answers.

mod common;

use std::path::Path;

use intab::{
    Error,
    backend::Precision,
    format,
    quant::DType,
    run::{Engine, Event, GenerateOptions, LoadOptions, Output, Prefer, load},
};
use pollster::block_on;

/// `None` where the machine has no GPU.
fn engine(model: &Path, options: LoadOptions) -> Option<Engine> {
    let checkpoint = block_on(format::open_path(model)).unwrap();
    match block_on(load(&checkpoint, &options)) {
        Err(error @ Error::NoDevice { .. }) => {
            common::no_gpu(&error);
            None
        }
        engine => Some(engine.unwrap()),
    }
}

/// The default model.
fn stories_on(prefer: Prefer) -> Option<Engine> {
    engine(&common::repo("models/intab-stories.gguf"), LoadOptions { prefer, ..LoadOptions::default() })
}

fn stories() -> Engine {
    stories_on(Prefer::Cpu).unwrap()
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
        precision: Some(Precision::Exact),
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

/// Natural logarithms of the probabilities of all tokens.
fn log_probabilities(scores: &[f32]) -> Vec<f64> {
    let most: f64 = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max).into();
    let total: f64 = scores.iter().map(|x| (f64::from(*x) - most).exp()).sum();
    scores.iter().map(|x| f64::from(*x) - most - total.ln()).collect()
}

#[test]
fn products_of_bytes_on_a_gpu_choose_the_same_tokens() {
    let Some(mut engine) = stories_on(Prefer::Gpu) else { return };
    let n_vocab = engine.facts().config.n_vocab;
    let options = GenerateOptions {
        max_new_tokens: Some(500),
        ignore_eos: true,
        seed: 7, // of some hundred tokens a few stand at the border, and not always as few
        precision: Some(Precision::Exact),
        ..GenerateOptions::default()
    };
    let text = generate(&mut stories(), &[0], options).tokens;
    let exact = block_on(engine.logits(&text)).unwrap();
    engine.set_precision(Precision::Fast);
    let fast = block_on(engine.logits(&text)).unwrap();
    assert_ne!(exact, fast, "the fast precision is in use");
    let best = |scores: &[f32]| (0..n_vocab).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let (mut same, mut divergence) = (0, 0.0);
    for (exact, fast) in exact.chunks_exact(n_vocab).zip(fast.chunks_exact(n_vocab)) {
        same += usize::from(best(exact) == best(fast));
        let (p, q) = (log_probabilities(exact), log_probabilities(fast));
        divergence += p.iter().zip(q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>();
    }
    let n = text.len() as f64;
    let (same, divergence) = (same as f64 / n, divergence / n);
    assert!(same >= 0.99 && divergence <= 2e-3, "the same token {same}, KL divergence {divergence:e}");
}

#[test]
fn a_generation_has_the_precision_of_its_options_and_uses_nothing_less_exact() {
    for prefer in [Prefer::Cpu, Prefer::Gpu] {
        let Some(engine) = stories_on(prefer) else { return };
        follows_its_options(engine);
    }
}

fn follows_its_options(mut engine: Engine) {
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(common::repo("models/expected.json")).unwrap()).unwrap();
    let ids = |key: &str| -> Vec<u32> { serde_json::from_value(expected[key].clone()).unwrap() };
    let usual = engine.facts().backend.usual_precision();
    let (exact, fast) = (Some(Precision::Exact), Some(Precision::Fast));
    let after_exact = if usual == Precision::Exact { 4 } else { 0 };
    for (precision, n_cached) in [
        (fast, 0),
        (exact, 0),
        (exact, 4),
        (None, after_exact),
        (Some(usual), 4),
        (exact, after_exact),
        (fast, 0),
    ] {
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

/// Read with a prompt or one by one, computed anew or found in the cache: a token follows from the text alone. These models tell
/// products of integers from those of floats.
#[test]
fn unless_told_otherwise_the_same_tokens_come_however_a_text_is_read() {
    let mut rng = common::rng_for_texts();
    let q8_0 = Some(DType::Q8_0);
    let models =
        ["llama-linear", "gemma2", "olmo2"].map(|name| common::repo(&format!("tests/data/models/{name}")));
    for (prefer, path) in
        [Prefer::Cpu, Prefer::Gpu].into_iter().flat_map(|on| models.each_ref().map(|path| (on, path)))
    {
        let Some(mut engine) = engine(path, LoadOptions { prefer, quantize: q8_0, ..LoadOptions::default() })
        else {
            return;
        };
        let name = format!("{} on {}", path.display(), engine.facts().backend.name());
        let n_vocab = engine.facts().config.n_vocab as u32;
        let ids: Vec<u32> = (0..rng.usize(9..24)).map(|_| rng.u32(3..n_vocab)).collect();
        let options = |n| GenerateOptions {
            temperature: 0.0,
            max_new_tokens: Some(n),
            ignore_eos: true,
            ..GenerateOptions::default()
        };
        let mut text = ids.clone();
        let fresh = generate(&mut engine, &ids, options(12));
        assert_eq!(fresh.usage.cached, 0, "{name}");
        assert_eq!(
            generate(&mut engine, &ids, options(12)).tokens,
            fresh.tokens,
            "{name}: with the prompt cached"
        );
        for (i, id) in fresh.tokens.iter().enumerate() {
            let next = generate(&mut engine, &text, options(1));
            assert_eq!(
                (next.usage.cached, &next.tokens[..]),
                (text.len() - 1, &[*id][..]),
                "{name}: token {i} alone"
            );
            block_on(engine.logits(&[1])).unwrap(); // forgets the text
            let next = generate(&mut engine, &text, options(1));
            assert_eq!(
                (next.usage.cached, &next.tokens[..]),
                (0, &[*id][..]),
                "{name}: token {i}, all read at once"
            );
            text.push(*id);
        }
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
