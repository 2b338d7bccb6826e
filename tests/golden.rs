//! Whole models against the reference: Hugging Face transformers in float32 for the fixtures, float32 arithmetic on
//! the dequantized weights for the quantized ones. Both backends: logits within 1e-3 of the row's range, greedy ids equal.

mod common;

use std::path::Path;

use intab::{
    Error,
    backend::Precision,
    format,
    run::{Engine, Event, GenerateOptions, KvCache, LoadOptions, Output, Prefer, load},
};
use pollster::block_on;
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    input_ids: Vec<u32>,
    last_logits: Vec<f32>,
    greedy: Vec<u32>,
}

fn expected(path: &Path) -> Expected {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// `None` where the machine has no GPU.
fn engine(model: &Path, prefer: Prefer) -> Option<Engine> {
    engine_with(model, LoadOptions { prefer, ..LoadOptions::default() })
}

fn engine_with(model: &Path, options: LoadOptions) -> Option<Engine> {
    let checkpoint = block_on(format::open_path(model)).unwrap();
    match block_on(load(&checkpoint, &options)) {
        Ok(engine) => Some(engine),
        Err(error @ Error::NoDevice { .. }) => {
            common::no_gpu(&error);
            None
        }
        Err(error) => panic!("{}: {error}", model.display()),
    }
}

fn greedy(n: usize) -> GenerateOptions {
    GenerateOptions {
        precision: Some(Precision::Exact),
        temperature: 0.0,
        max_new_tokens: Some(n),
        ignore_eos: true,
        ..GenerateOptions::default()
    }
}

fn generate(engine: &mut Engine, ids: &[u32], options: GenerateOptions) -> Output {
    let mut generation = engine.generate(ids, options).unwrap();
    loop {
        if let Event::Done { output, .. } = block_on(generation.step(engine)).unwrap() {
            return output;
        }
    }
}

fn argmax(row: &[f32]) -> u32 {
    (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap() as u32
}

/// Logits, then the same greedy ids in three ways: generated, token by token with the prefix reused, and read off one
/// scoring of the whole text.
fn agrees(model: &Path, expected: &Expected, prefer: Prefer) {
    let Some(mut engine) = engine(model, prefer) else { return };
    let name = format!("{} on {}", model.display(), engine.facts().backend.name());
    let ids = &expected.input_ids;
    let n_vocab = engine.facts().config.n_vocab;

    let logits = block_on(engine.logits(ids)).unwrap();
    assert_eq!(logits.len(), ids.len() * n_vocab);
    let last = &logits[(ids.len() - 1) * n_vocab..];
    let (min, max) =
        expected.last_logits.iter().fold((f32::MAX, f32::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
    let worst = last.iter().zip(&expected.last_logits).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 1e-3 * (max - min), "{name}: logits differ by {worst} in a range of {}", max - min);

    let n = expected.greedy.len();
    let output = generate(&mut engine, ids, greedy(n));
    assert_eq!(output.tokens, expected.greedy, "{name}: generated");
    assert_eq!(output.usage.cached, ids.len() - 1, "{name}: the scored text is in the cache");

    let mut text = ids.clone();
    for (i, id) in expected.greedy.iter().enumerate() {
        let output = generate(&mut engine, &text, greedy(1));
        assert_eq!(output.tokens, [*id], "{name}: token {i} alone");
        assert_eq!(output.usage.cached, text.len() - 1, "{name}: token {i} reuses the prefix");
        text.push(*id);
    }

    let logits = block_on(engine.logits(&text)).unwrap();
    let rows = logits.chunks_exact(n_vocab).skip(ids.len() - 1).take(n);
    let scored: Vec<u32> = rows.map(argmax).collect();
    assert_eq!(scored, expected.greedy, "{name}: in one prefill");
}

fn fixture_agrees(name: &str) {
    let (Some(model), Some(folder)) = (
        common::shared(&format!("fixtures/{name}.gguf")),
        common::shared(&format!("fixtures/{name}/expected.json")),
    ) else {
        return;
    };
    let expected = expected(&folder);
    agrees(&model, &expected, Prefer::Cpu);
    agrees(&model, &expected, Prefer::Gpu);
}

fn quantized_agrees(name: &str) {
    let Some(model) = common::shared(&format!("fixtures/quants/{name}.gguf")) else { return };
    let expected = expected(&model.with_extension("json"));
    agrees(&model, &expected, Prefer::Cpu);
    agrees(&model, &expected, Prefer::Gpu);
}

#[test]
fn llama_agrees_with_the_reference() {
    fixture_agrees("llama");
}

#[test]
fn llama_with_scaled_rope_agrees_with_the_reference() {
    fixture_agrees("llama3-rope");
}

#[test]
fn qwen2_agrees_with_the_reference() {
    fixture_agrees("qwen2");
}

/// A test for each of these fixtures, so that they run side by side.
macro_rules! quantized {
    ($($test:ident: $name:literal,)*) => {
        const QUANTIZED: &[&str] = &[$($name),*];

        $(#[test]
        fn $test() {
            quantized_agrees($name);
        })*
    };
}

quantized! {
    f16_weights_agree_with_the_reference: "F16",
    q8_0_weights_agree_with_the_reference: "Q8_0",
    q4_0_weights_agree_with_the_reference: "Q4_0",
    q4_k_m_weights_agree_with_the_reference: "Q4_K_M",
    q6_k_weights_agree_with_the_reference: "Q6_K",
    q2_k_weights_agree_with_the_reference: "Q2_K",
    q5_k_m_weights_agree_with_the_reference: "Q5_K_M",
}

#[test]
fn quantized_fixtures_without_a_test_of_their_own_agree_too() {
    let Some(folder) = common::shared("fixtures/quants") else { return };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.extension().is_some_and(|extension| extension == "gguf") && !QUANTIZED.contains(&name) {
            quantized_agrees(name);
        }
    }
}

#[test]
fn the_default_model_agrees_with_its_own_reference() {
    let expected = expected(&common::repo("models/expected.json"));
    let model = common::repo("models/intab-stories.gguf");
    agrees(&model, &expected, Prefer::Cpu);
    agrees(&model, &expected, Prefer::Gpu);
}

#[test]
fn a_less_precise_cache_takes_less_memory_and_changes_little() {
    let model = common::repo("models/intab-stories.gguf");
    let mut rng = common::rng();
    let kinds = [(KvCache::F16, 1e-5), (KvCache::Q8_0, 1e-3)];
    for (prefer, (kind, most)) in [Prefer::Cpu, Prefer::Gpu].into_iter().flat_map(|p| kinds.map(|k| (p, k))) {
        let open = |kv_cache| engine_with(&model, LoadOptions { prefer, kv_cache, ..LoadOptions::default() });
        let (Some(mut whole), Some(mut half)) = (open(KvCache::F32), open(kind)) else { return };
        let n_vocab = whole.facts().config.n_vocab as u32;
        let ids: Vec<u32> = (0..100).map(|_| rng.u32(0..n_vocab)).collect();
        let logits = |engine: &mut Engine| block_on(engine.logits(&ids)).unwrap();
        let nmse = common::nmse(&logits(&mut whole), &logits(&mut half));
        assert!(nmse > 0.0 && nmse < most, "{prefer:?}, {kind:?}: NMSE {nmse:e}");
        assert!(half.counters().bytes < whole.counters().bytes);
    }
}

#[test]
fn a_prompt_longer_than_a_chunk_gives_the_same_on_both_backends() {
    let model = common::repo("models/intab-stories.gguf");
    let Some(mut gpu) = engine(&model, Prefer::Gpu) else { return };
    let mut cpu = engine(&model, Prefer::Cpu).unwrap();
    let n_vocab = cpu.facts().config.n_vocab as u32;
    let mut rng = common::rng();
    let ids: Vec<u32> = (0..300).map(|_| rng.u32(0..n_vocab)).collect();
    let scored = block_on(cpu.logits(&ids)).unwrap();
    let nmse = common::nmse(&scored, &block_on(gpu.logits(&ids)).unwrap());
    assert!(nmse < 1e-7, "NMSE {nmse}");
    // Prefill in chunks ends in the same token as scoring.
    let best = argmax(&scored[299 * n_vocab as usize..]);
    for engine in [&mut cpu, &mut gpu] {
        block_on(engine.logits(&ids[..1])).unwrap(); // forgets all but the first token
        assert_eq!(generate(engine, &ids, greedy(1)).tokens, [best]);
    }
}
