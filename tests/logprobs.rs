//! How probable tokens were, and biases that make them more or less so.

mod common;

use std::collections::BTreeMap;

use intab::{
    Error, format,
    run::{Engine, Event, GenerateOptions, LoadOptions, Logprobs, Prefer, load},
};
use pollster::block_on;

fn engine(prefer: Prefer) -> Option<Engine> {
    let checkpoint = block_on(format::open_path(&common::repo("models/intab-stories.gguf"))).unwrap();
    match block_on(load(&checkpoint, &LoadOptions { prefer, ..LoadOptions::default() })) {
        Ok(engine) => Some(engine),
        Err(error) => {
            common::no_gpu(&error);
            None
        }
    }
}

fn on_both(check: impl Fn(&mut Engine)) {
    for prefer in [Prefer::Cpu, Prefer::Gpu] {
        if let Some(mut engine) = engine(prefer) {
            check(&mut engine);
        }
    }
}

fn once(engine: &Engine) -> Vec<u32> {
    engine.tokenizer().unwrap().encode("Once upon a time", true, false).unwrap()
}

fn options() -> GenerateOptions {
    GenerateOptions { seed: 4, max_new_tokens: Some(8), ignore_eos: true, ..Default::default() }
}

fn run(engine: &mut Engine, ids: &[u32], options: GenerateOptions) -> (Vec<u32>, Vec<Option<Logprobs>>) {
    let mut generation = engine.generate(ids, options).unwrap();
    let mut told = Vec::new();
    loop {
        match block_on(generation.step(engine)).unwrap() {
            Event::Token { logprobs, .. } => told.push(logprobs),
            Event::Done { output, .. } => return (output.tokens, told),
            _ => {}
        }
    }
}

/// ln p of each token, from the logits that the model gives for the whole text.
fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let sum: f64 = logits.iter().map(|x| f64::from(*x).exp()).sum();
    logits.iter().map(|x| f64::from(*x) - sum.ln()).collect()
}

#[test]
fn they_are_those_of_the_model_whatever_the_temperature_and_the_penalties() {
    on_both(|engine| {
        let ids = once(engine);
        let wild = GenerateOptions {
            temperature: 1.7,
            repetition_penalty: 1.3,
            top_k: 50,
            logit_bias: [(5, 3.0)].into(),
            logprobs: Some(3),
            precision: Some(intab::backend::Precision::Exact),
            ..options()
        };
        let (tokens, told) = run(engine, &ids, wild);
        let text: Vec<u32> = ids.iter().chain(&tokens).copied().collect();
        let logits = block_on(engine.logits(&text)).unwrap();
        let n_vocab = engine.facts().config.n_vocab;
        assert_eq!(told.len(), 8);
        for (at, (id, told)) in tokens.iter().zip(&told).enumerate() {
            let Logprobs { logprob, top } = told.as_ref().unwrap();
            let row = ids.len() - 1 + at;
            let expected = log_softmax(&logits[row * n_vocab..][..n_vocab]);
            assert!((f64::from(*logprob) - expected[*id as usize]).abs() < 1e-3, "token {at}");
            let mut best: Vec<u32> = (0..n_vocab as u32).collect();
            best.sort_by(|a, b| expected[*b as usize].total_cmp(&expected[*a as usize]));
            assert_eq!(top.iter().map(|(id, _)| *id).collect::<Vec<_>>(), best[..3], "token {at}");
            for (id, logprob) in top {
                assert!((f64::from(*logprob) - expected[*id as usize]).abs() < 1e-3, "token {at}");
            }
        }
    });
}

#[test]
fn asking_for_them_changes_no_token() {
    on_both(|engine| {
        let ids = once(engine);
        let plain = GenerateOptions { temperature: 0.8, top_p: 0.9, frequency_penalty: 0.2, ..options() };
        let (tokens, told) = run(engine, &ids, plain.clone());
        assert!(told.iter().all(Option::is_none));
        let (same, told) = run(engine, &ids, GenerateOptions { logprobs: Some(0), ..plain });
        assert_eq!(tokens, same);
        assert!(told.iter().all(|told| told.as_ref().is_some_and(|told| told.top.is_empty())));
    });
}

#[test]
fn a_banned_token_never_comes() {
    on_both(|engine| {
        let ids = once(engine);
        let greedy = GenerateOptions { temperature: 0.0, ..options() };
        let (tokens, _) = run(engine, &ids, greedy.clone());
        let banned = tokens[0];
        for bias in [-100.0, f32::NEG_INFINITY] {
            let logit_bias = BTreeMap::from([(banned, bias)]);
            let (others, _) = run(engine, &ids, GenerateOptions { logit_bias, ..greedy.clone() });
            assert!(!others.contains(&banned), "{others:?}");
        }
    });
}

#[test]
fn a_bias_is_added_to_the_logit() {
    on_both(|engine| {
        let ids = once(engine);
        let n_vocab = engine.facts().config.n_vocab;
        let logits = block_on(engine.logits(&ids)).unwrap();
        let last = &logits[(ids.len() - 1) * n_vocab..];
        let (best, score) = last.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        let other = if best == 40 { 41 } else { 40 };
        let lead = score - last[other];
        // A little less than the lead leaves the best token first, a little more does not.
        for (bias, expected) in [(lead - 0.02, best), (lead + 0.02, other)] {
            let greedy = GenerateOptions {
                temperature: 0.0,
                max_new_tokens: Some(1),
                logit_bias: [(other as u32, bias)].into(),
                precision: Some(intab::backend::Precision::Exact),
                ..options()
            };
            assert_eq!(run(engine, &ids, greedy).0, [expected as u32]);
        }
    });
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let Some(mut engine) = engine(Prefer::Cpu) else { return };
    let n_vocab = engine.facts().config.n_vocab as u32;
    let bias = |id, bias| GenerateOptions { logit_bias: [(id, bias)].into(), ..options() };
    let refused = [
        (bias(n_vocab, 1.0), "logit_bias: token"),
        (bias(1, 100.5), "logit_bias: 100.5 of token 1"),
        (bias(1, f32::NAN), "logit_bias: NaN of token 1"),
        (bias(1, f32::INFINITY), "logit_bias: inf of token 1"),
        (GenerateOptions { logprobs: Some(21), ..options() }, "logprobs: 21 is more than 20"),
        (GenerateOptions { logprobs: Some(1), num_beams: 2, ..options() }, "logprobs: they are told of"),
    ];
    for (options, begins) in refused {
        let error = engine.generate(&[1], options).err().unwrap();
        assert!(matches!(error, Error::Input { .. }), "{error}");
        assert!(error.to_string().starts_with(begins), "{error}");
    }
}
