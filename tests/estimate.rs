//! What a model takes is told before its weights are read, and is what it takes then.

mod common;

use intab::{
    Error,
    backend::Kind,
    format,
    quant::DType,
    run::{KvCache, LoadOptions, Prefer, estimate, load},
};
use pollster::block_on;

#[test]
fn what_is_told_before_a_load_is_what_it_takes_within_five_per_cent() {
    let models = [
        "models/intab-stories.gguf",
        "tests/data/models/gemma3-5to1.gguf",
        "tests/data/models/qwen3_moe.gguf",
        "tests/data/models/bert.gguf",
        "tests/data/models/t5.gguf",
    ];
    for model in models {
        let checkpoint = block_on(format::open_path(&common::repo(model))).unwrap();
        let default = LoadOptions::default;
        let small = || LoadOptions { context_length: Some(24), quantize: Some(DType::Q8_0), ..default() };
        let halves = || LoadOptions { kv_cache: KvCache::F16, ..default() };
        for (kind, prefer) in [(Kind::Cpu, Prefer::Cpu), (Kind::Gpu, Prefer::Gpu)] {
            for options in [default(), small(), halves()] {
                let options = LoadOptions { prefer, ..options };
                let told = block_on(estimate(&checkpoint, &options, kind)).unwrap();
                let engine = match block_on(load(&checkpoint, &options)) {
                    Err(error @ Error::NoDevice { .. }) => return common::no_gpu(&error),
                    engine => engine.unwrap(),
                };
                let taken = engine.counters().bytes;
                let ratio = told.total() as f64 / taken as f64;
                assert!((0.95..=1.05).contains(&ratio), "{model} on {kind:?}: {told:?}, and it took {taken}");
                assert!(told.weights > 0 && told.activations > 0, "{told:?}");
            }
        }
    }
}

#[test]
fn the_cache_of_a_longer_context_is_told_to_be_as_much_larger() {
    let checkpoint = block_on(format::open_path(&common::repo("models/intab-stories.gguf"))).unwrap();
    for kind in [Kind::Cpu, Kind::Gpu] {
        let told = |n, kv_cache| {
            let options = LoadOptions { context_length: Some(n), kv_cache, ..LoadOptions::default() };
            block_on(estimate(&checkpoint, &options, kind)).unwrap().cache
        };
        assert_eq!(told(512, KvCache::F32), 4 * told(128, KvCache::F32));
        assert_eq!(told(512, KvCache::F32), 2 * told(512, KvCache::F16));
        assert_eq!(told(512, KvCache::F32) / 32 * 9, told(512, KvCache::Q8_0));
    }
    let error = block_on(estimate(
        &checkpoint,
        &LoadOptions { context_length: Some(1 << 20), ..LoadOptions::default() },
        Kind::Cpu,
    ));
    assert!(matches!(error, Err(Error::Input { what: "context_length", .. })));
}
