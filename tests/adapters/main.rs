//! Adapters against PEFT's own result: logits of the last position within 1e-3 of the row's range, on both backends.

#[path = "../common/mod.rs"]
mod common;
mod reference;
mod refusals;
mod requests;
mod sessions;

use std::path::Path;

use intab::{
    Error,
    backend::Precision,
    format::{self, AdapterFiles},
    quant::DType,
    run::{
        AdapterId, AdapterOptions, AdapterUse, Engine, Event, GenerateOptions, LoadOptions, Output, Prefer,
        load,
    },
};
use pollster::block_on;

/// Both backends.
const BOTH: [Prefer; 2] = [Prefer::Cpu, Prefer::Gpu];

/// `None` where the machine has no GPU.
fn engine(model: &Path, prefer: Prefer, quantize: Option<DType>) -> Option<Engine> {
    let options = LoadOptions { prefer, quantize, ..LoadOptions::default() };
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

fn files(adapter: &Path) -> AdapterFiles {
    block_on(format::open_adapter_path(adapter))
        .unwrap_or_else(|error| panic!("{}: {error}", adapter.display()))
}

fn load_adapter(engine: &mut Engine, adapter: &Path) -> AdapterId {
    let loaded = block_on(engine.load_adapter(&files(adapter), &AdapterOptions::default()));
    loaded.unwrap_or_else(|error| panic!("{}: {error}", adapter.display()))
}

fn times(adapter: AdapterId, weight: f32) -> AdapterUse {
    AdapterUse { adapter, weight }
}

/// The last row of a language model's logits, with these adapters.
fn last_logits(engine: &mut Engine, ids: &[u32], uses: &[AdapterUse]) -> Vec<f32> {
    engine.set_adapters(uses).unwrap();
    let logits = block_on(engine.logits(ids)).unwrap();
    let n = engine.facts().config.n_out();
    assert_eq!(logits.len(), ids.len() * n);
    logits[logits.len() - n..].to_vec()
}

fn greedy(n: usize, adapters: &[AdapterUse]) -> GenerateOptions {
    GenerateOptions {
        precision: Some(Precision::Exact),
        temperature: 0.0,
        max_new_tokens: Some(n),
        ignore_eos: true,
        adapters: adapters.to_vec(),
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

/// The largest difference, as a part of the range of what is expected.
fn distance(expected: &[f32], found: &[f32]) -> f32 {
    assert_eq!(expected.len(), found.len());
    let (min, max) = expected.iter().fold((f32::MAX, f32::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
    let worst = expected.iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    worst / (max - min)
}
