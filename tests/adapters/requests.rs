//! Adapters are swapped per request: the model's own weights, cache and memory stay what they are.

use std::path::PathBuf;

use intab::{
    Error,
    backend::Precision,
    quant::DType,
    run::{AdapterOptions, AdapterUse, Engine, Event, GenerateOptions, LoadOptions, Prefer},
};
use pollster::block_on;
use serde_json::Value as Json;

use super::{
    BOTH, common, common::folder::Folder, distance, engine, files, generate, greedy, last_logits,
    load_adapter, reference::Expected, times,
};

fn base(name: &str) -> PathBuf {
    common::repo(&format!("tests/data/models/{name}"))
}

fn adapter(name: &str) -> PathBuf {
    common::repo(&format!("tests/data/adapters/{name}"))
}

/// A model of this name with adapters of these names, on each backend.
pub fn on_both(model: &str, adapters: &[&str], test: impl Fn(&mut Engine, &[AdapterUse])) {
    for prefer in BOTH {
        let Some(mut engine) = engine(&base(model), prefer, None) else { continue };
        let uses: Vec<_> =
            adapters.iter().map(|name| times(load_adapter(&mut engine, &adapter(name)), 1.0)).collect();
        test(&mut engine, &uses);
    }
}

pub const IDS: [u32; 10] = [7, 30, 12, 81, 55, 9, 64, 23, 40, 11];

#[test]
fn the_base_is_the_same_to_the_bit_before_and_after() {
    on_both("qwen3", &["patterns"], |engine, uses| {
        let before = last_logits(engine, &IDS, &[]);
        let adapted = last_logits(engine, &IDS, uses);
        assert!(distance(&before, &adapted) > 0.05);
        assert_eq!(last_logits(engine, &IDS, &[]), before);
        assert_eq!(last_logits(engine, &IDS, uses), adapted);
    });
}

#[test]
fn a_weight_of_zero_is_the_base_and_half_is_neither() {
    on_both("qwen3", &["rslora"], |engine, uses| {
        let own = last_logits(engine, &IDS, &[]);
        let whole = last_logits(engine, &IDS, uses);
        let none = last_logits(engine, &IDS, &[times(uses[0].adapter, 0.0)]);
        assert!(distance(&own, &none) < 1e-6);
        let half = last_logits(engine, &IDS, &[times(uses[0].adapter, 0.5)]);
        assert!(distance(&own, &half) > 0.01 && distance(&whole, &half) > 0.01);
        // Written over and back again.
        assert_eq!(last_logits(engine, &IDS, uses), whole);
    });
}

#[test]
fn the_order_in_which_adapters_are_named_changes_nothing() {
    on_both("qwen3", &["rslora", "second"], |engine, uses| {
        let one = last_logits(engine, &IDS, uses);
        let other = last_logits(engine, &IDS, &[uses[1], uses[0]]);
        assert_eq!(one, other);
    });
}

#[test]
fn more_sets_than_are_kept_are_made_anew() {
    on_both("qwen3", &["rslora", "second", "patterns", "head", "embeddings", "lora-bias"], |engine, uses| {
        let all: Vec<_> = uses.iter().map(|one| last_logits(engine, &IDS, &[*one])).collect();
        for (one, before) in uses.iter().zip(&all) {
            assert_eq!(&last_logits(engine, &IDS, &[*one]), before);
        }
    });
}

#[test]
fn two_doras_add_what_each_adds() {
    // Scales and additions are sums in the weights, so the order of their halves does not matter.
    on_both("qwen2", &["dora", "second-dora"], |engine, uses| {
        let both = last_logits(engine, &IDS, uses);
        let one = last_logits(engine, &IDS, &[uses[0], times(uses[1].adapter, 0.0)]);
        assert!(distance(&last_logits(engine, &IDS, &uses[..1]), &one) < 1e-5);
        assert!(distance(&one, &both) > 0.01);
    });
}

#[test]
fn text_is_written_with_the_adapters_that_its_request_names() {
    on_both("qwen3", &["patterns"], |engine, uses| {
        let greedy_by_logits = |engine: &mut Engine, uses: &[AdapterUse]| {
            let mut text = IDS.to_vec();
            for _ in 0..6 {
                let row = last_logits(engine, &text, uses);
                let best = (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
                text.push(best as u32);
            }
            text[IDS.len()..].to_vec()
        };
        let (own, adapted) = (greedy_by_logits(engine, &[]), greedy_by_logits(engine, uses));
        assert_ne!(own, adapted);
        for _ in 0..2 {
            assert_eq!(generate(engine, &IDS, greedy(6, &[])).tokens, own);
            assert_eq!(generate(engine, &IDS, greedy(6, uses)).tokens, adapted);
        }
        // What a set has read is not read again, what another has read is.
        let again = generate(engine, &IDS, greedy(6, uses));
        assert_eq!((again.tokens, again.usage.cached), (adapted.clone(), IDS.len() - 1));
        assert_eq!(generate(engine, &IDS, greedy(6, &[])).usage.cached, 0);
    });
}

#[test]
fn beams_and_drafts_are_those_of_the_adapters() {
    on_both("qwen3", &["patterns"], |engine, uses| {
        let options = |num_beams| GenerateOptions { num_beams, ..greedy(6, uses) };
        let one = generate(engine, &IDS, options(1)).tokens;
        assert_eq!(one.len(), 6);
        let beams = generate(engine, &IDS, options(3)).tokens;
        assert_ne!(beams, generate(engine, &IDS, GenerateOptions { num_beams: 3, ..greedy(6, &[]) }).tokens);
        let guessed = GenerateOptions { speculation: intab::run::Speculation::Prompt, ..options(1) };
        assert_eq!(generate(engine, &IDS, guessed).tokens, one);
    });
}

#[test]
fn a_soft_prompt_stands_before_texts_that_are_written_too() {
    on_both("gpt2", &["prompt"], |engine, uses| {
        let row = last_logits(engine, &IDS, uses);
        let best = (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap() as u32;
        let output = generate(engine, &IDS, greedy(4, uses));
        assert_eq!((output.tokens[0], output.usage.prompt), (best, IDS.len()));
        let beams = generate(engine, &IDS, GenerateOptions { num_beams: 2, ..greedy(4, uses) });
        assert_eq!(beams.tokens.len(), 4);
        let penalized = GenerateOptions { no_repeat_ngram_size: 2, ..greedy(4, uses) };
        assert_eq!(generate(engine, &IDS, penalized).tokens[0], best);
        // The cache holds it: the same again reads the last token alone.
        let again = generate(engine, &IDS, greedy(4, uses));
        assert_eq!((again.tokens, again.usage.cached), (output.tokens, IDS.len() - 1));
    });
}

#[test]
fn memory_comes_back_with_an_adapter() {
    for prefer in BOTH {
        let Some(mut engine) = engine(&base("qwen3"), prefer, None) else { continue };
        let own = last_logits(&mut engine, &IDS, &[]);
        generate(&mut engine, &IDS, GenerateOptions { num_beams: 2, ..greedy(3, &[]) });
        let before = engine.counters();
        let ids = ["patterns", "second", "save-head"].map(|name| load_adapter(&mut engine, &adapter(name)));
        for uses in [&ids[..1], &ids[1..], &ids[..2]] {
            let uses: Vec<_> = uses.iter().map(|id| times(*id, 0.5)).collect();
            last_logits(&mut engine, &IDS, &uses);
            generate(&mut engine, &IDS, GenerateOptions { num_beams: 2, ..greedy(3, &uses) });
        }
        engine.set_adapters(&[]).unwrap();
        assert!(engine.counters().bytes > before.bytes);
        for id in ids {
            engine.unload_adapter(id).unwrap();
        }
        assert_eq!(engine.counters(), before, "{prefer:?}");
        assert_eq!(last_logits(&mut engine, &IDS, &[]), own);
    }
}

#[test]
fn an_adapter_that_is_gone_is_named_so_and_ends_its_generation() {
    on_both("qwen3", &["patterns"], |engine, uses| {
        let mut generation = engine.generate(&IDS, greedy(4, uses)).unwrap();
        block_on(generation.step(engine)).unwrap();
        engine.unload_adapter(uses[0].adapter).unwrap();
        let error = block_on(generation.step(engine)).unwrap_err();
        assert!(error.to_string().contains("other work"), "{error}");
        for error in [
            engine.set_adapters(uses).unwrap_err(),
            engine.generate(&IDS, greedy(4, uses)).err().unwrap(),
            engine.unload_adapter(uses[0].adapter).unwrap_err(),
        ] {
            assert!(error.to_string().contains("not loaded"), "{error}");
        }
    });
}

#[test]
fn another_models_adapter_is_refused() {
    on_both("qwen3", &["patterns"], |_, uses| {
        let mut other = engine(&base("qwen3"), Prefer::Cpu, None).unwrap();
        let error = other.set_adapters(uses).unwrap_err();
        assert!(error.to_string().contains("belongs to another model"), "{error}");
    });
}

#[test]
fn a_model_that_is_unloaded_has_no_adapters() {
    on_both("qwen3", &["patterns"], |engine, uses| {
        engine.unload();
        assert_eq!(
            block_on(engine.load_adapter(&files(&adapter("patterns")), &AdapterOptions::default())),
            Err(Error::Unloaded)
        );
        assert_eq!(engine.unload_adapter(uses[0].adapter), Err(Error::Unloaded));
        assert_eq!(engine.counters().bytes, 0);
    });
}

#[test]
fn a_mix_that_cannot_be_is_refused() {
    let mut engine = engine(&base("qwen3"), Prefer::Cpu, None).unwrap();
    let ids = ["save-head", "head", "rslora"].map(|name| load_adapter(&mut engine, &adapter(name)));
    let refusal = |engine: &mut Engine, uses: &[AdapterUse]| {
        let set = engine.set_adapters(uses).map(|()| Vec::new());
        set.and_then(|_: Vec<f32>| block_on(engine.logits(&IDS))).unwrap_err().to_string()
    };
    let whole = [times(ids[0], 1.0), times(ids[1], 1.0)];
    assert!(refusal(&mut engine, &whole).contains("one of them replaces output.weight, another adds to it"));
    assert!(refusal(&mut engine, &[times(ids[2], 1.0); 2]).contains("named twice"));
    assert!(refusal(&mut engine, &[times(ids[2], f32::NAN)]).contains("NaN"));
    assert!(refusal(&mut engine, &[times(ids[2], 1e9)]).contains("not between"));
    // And nothing of it is left.
    engine.set_adapters(&[]).unwrap();
    last_logits(&mut engine, &IDS, &[]);
}

/// A folder whose matrices hold what quantization to Q8_0 leaves of them, as f32.
fn dequantized(path: &str) -> Folder {
    let own = Folder::at(path);
    let (tensors, data) = (serde_json::Map::new(), Vec::new());
    let mut folder =
        Folder { tensors, data, config: own.config.clone(), files: Vec::new(), expected: Json::Null };
    let info = DType::Q8_0.info();
    for (name, tensor) in &own.tensors {
        let shape: Vec<usize> = serde_json::from_value(tensor["shape"].clone()).unwrap();
        let dtype = if tensor["dtype"] == "F16" { DType::F16 } else { DType::F32 };
        let mut numbers = vec![0.0; shape.iter().product()];
        dtype.info().dequantize_row(own.bytes(name), &mut numbers);
        if let [_, cols] = shape[..]
            && cols.is_multiple_of(info.block_len)
        {
            for row in numbers.chunks_exact_mut(cols) {
                let mut bytes = vec![0; info.row_bytes(cols)];
                info.quantize.unwrap()(row, &mut bytes);
                info.dequantize_row(&bytes, row);
            }
        }
        folder.add(name, &shape, &numbers);
    }
    folder
}

#[test]
fn adapters_of_a_quantized_base_are_those_of_its_dequantized_weights() {
    let of_ours =
        |name: &str| (format!("tests/data/models/{}", Expected::of(&adapter(name)).base), adapter(name));
    let mut cases = vec![of_ours("dora-even"), of_ours("save-norm")];
    if let Some(path) = common::shared("fixtures/adapters/qwen2-all-r16") {
        cases.push(("../shared/fixtures/qwen2".into(), path));
    }
    for (base, adapter) in cases {
        let expected = Expected::of(&adapter);
        for prefer in BOTH {
            let path = common::repo(&base);
            let Some(mut small) = engine(&path, prefer, Some(DType::Q8_0)) else { continue };
            let options = LoadOptions { prefer, ..LoadOptions::default() };
            let mut whole = dequantized(&base).load_with(&options).unwrap();
            assert!(small.counters().bytes < whole.counters().bytes, "{base} is not quantized");
            let uses = [&mut small, &mut whole].map(|engine| times(load_adapter(engine, &adapter), 1.0));
            let truth = last_logits(&mut whole, &expected.input_ids, &uses[1..]);
            let found = last_logits(&mut small, &expected.input_ids, &uses[..1]);
            let far = distance(&truth, &found);
            assert!(far < 1e-4, "{} of {base} on {prefer:?}: {far}", adapter.display());
            // Quantization itself leads further away.
            assert!(distance(&expected.last_logits, &found) > 10.0 * far);
        }
    }
}

#[test]
fn the_fast_precision_holds_with_adapters() {
    on_both("qwen3", &["patterns"], |engine, uses| {
        let exact = last_logits(engine, &IDS, uses);
        engine.set_precision(Precision::Fast);
        let fast = last_logits(engine, &IDS, uses);
        assert!(distance(&exact, &fast) < 0.02);
    });
}

#[test]
fn texts_with_the_same_adapters_are_written_together_as_each_is_alone() {
    for prefer in BOTH {
        let options = LoadOptions { prefer, max_batch: Some(3), ..LoadOptions::default() };
        let checkpoint = block_on(intab::format::open_path(&base("qwen3"))).unwrap();
        let mut engine = match block_on(intab::run::load(&checkpoint, &options)) {
            Ok(engine) => engine,
            Err(error) => return common::no_gpu(&error),
        };
        let engine = &mut engine;
        let uses = &[times(load_adapter(engine, &adapter("patterns")), 1.0)];
        let options = greedy(6, uses);
        let expected = [&IDS[..], &IDS[2..7]].map(|ids| generate(engine, ids, options.clone()).tokens);
        let mut first = engine.generate(&IDS, options.clone()).unwrap();
        assert!(engine.may_join(&options));
        assert!(!engine.may_join(&greedy(6, &[])), "with another adapter");
        let mut second = engine.generate(&IDS[2..7], options).unwrap();
        let mut found = [None, None];
        while found.contains(&None) {
            for (generation, found) in [&mut first, &mut second].into_iter().zip(&mut found) {
                if let Event::Done { output, .. } = block_on(generation.step(engine)).unwrap() {
                    *found = Some(output.tokens);
                }
            }
        }
        assert_eq!(found, expected.map(Some), "{prefer:?}");
    }
}
