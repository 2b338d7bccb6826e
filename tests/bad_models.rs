//! Files that are well-formed GGUF and no model that runs: each is refused in words that name the culprit, on the device
//! nothing is left behind, and no panic.

mod common;

use common::tiny::Tiny;
use intab::{
    Error,
    backend::gpu,
    format::metadata::Value,
    run::{Engine, LoadOptions, Prefer, load},
};
use pollster::block_on;

fn load_on(tiny: &Tiny, prefer: Prefer) -> Result<Engine, Error> {
    let options = LoadOptions { prefer, default_limits: true, ..LoadOptions::default() };
    block_on(load(&tiny.open()?, &options))
}

/// The error of a load on the CPU.
fn refused(tiny: Tiny) -> Error {
    match load_on(&tiny, Prefer::Cpu) {
        Ok(_) => panic!("it was loaded"),
        Err(error) => error,
    }
}

#[test]
fn the_tiny_model_itself_loads() {
    assert!(load_on(&Tiny::default(), Prefer::Cpu).is_ok());
}

#[test]
fn an_unknown_architecture_is_named() {
    let error = refused(Tiny::default().with("general.architecture", Value::String("rwkv".into())));
    assert!(
        matches!(&error, Error::Unsupported { what: "architecture", found, .. } if found == "rwkv"),
        "{error}"
    );
}

#[test]
fn every_missing_key_is_named() {
    for key in [
        "general.architecture",
        "llama.block_count",
        "llama.context_length",
        "llama.embedding_length",
        "llama.feed_forward_length",
        "llama.attention.head_count",
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.merges",
    ] {
        let error = refused(Tiny::default().without(key));
        assert!(error.to_string().contains(key), "{key}: {error}");
    }
}

#[test]
fn every_missing_tensor_is_named() {
    for (name, _, _) in Tiny::default().tensors {
        let error = refused(Tiny::default().without(&name));
        assert!(matches!(&error, Error::Format { field, .. } if *field == name), "{name}: {error}");
    }
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both_shapes() {
    for (name, shape, _) in Tiny::default().tensors {
        let wrong: Vec<usize> = shape.iter().map(|n| n * 2).collect();
        let error = refused(Tiny::default().shaped(&name, &wrong));
        assert!(matches!(&error, Error::Format { .. }), "{name}: {error}");
        // Of the embedding the rows are the vocabulary, which the tokenizer contradicts.
        assert!(error.to_string().contains(&name) || name == "token_embd.weight", "{name}: {error}");
    }
    let error = refused(Tiny::default().shaped("blk.0.attn_q.weight", &[32, 32, 1]));
    assert!(error.to_string().contains("attn_q"), "{error}");
    let error = refused(Tiny::default().shaped("token_embd.weight", &[256 * 32]));
    assert!(error.to_string().contains("token_embd"), "{error}");
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    for (key, value) in [
        ("llama.block_count", 0),
        ("llama.block_count", 1 << 40),
        ("llama.embedding_length", 0),
        ("llama.attention.head_count", 0),
        ("llama.attention.head_count", 3),
        ("llama.attention.head_count", 32),
        ("llama.attention.head_count_kv", 0),
        ("llama.attention.head_count_kv", 3),
        ("llama.feed_forward_length", u64::MAX),
        ("llama.context_length", 0),
        ("llama.rope.dimension_count", 7),
        ("llama.rope.dimension_count", 400),
    ] {
        let error = refused(Tiny::default().with(key, Value::Uint(value)));
        assert!(
            matches!(error, Error::Format { .. } | Error::Unsupported { .. }),
            "{key} = {value}: {error}"
        );
    }
}

#[test]
fn a_key_of_the_wrong_type_is_refused() {
    for (key, value) in [
        ("llama.block_count", Value::String("three".into())),
        ("llama.attention.layer_norm_rms_epsilon", Value::Float(f64::NAN)),
        ("llama.rope.freq_base", Value::Float(-1.0)),
        ("tokenizer.ggml.tokens", Value::Uint(3)),
    ] {
        let error = refused(Tiny::default().with(key, value));
        assert!(matches!(&error, Error::Format { field, .. } if field == key), "{key}: {error}");
    }
}

#[test]
fn a_tensor_that_would_be_ignored_is_named() {
    let mut tiny = Tiny::default();
    tiny.tensors.push(("blk.0.exp_probs_b.bias".into(), vec![32], 1.0));
    let error = refused(tiny);
    assert!(
        matches!(&error, Error::Unsupported { found, .. } if found == "blk.0.exp_probs_b.bias"),
        "{error}"
    );
}

#[test]
fn positions_are_scaled_as_the_file_says_or_refused() {
    let logits =
        |tiny: Tiny| block_on(load_on(&tiny, Prefer::Cpu).unwrap().logits(&[5, 9, 200, 31])).unwrap();
    // Larger queries and keys, so that positions matter.
    let base = || Tiny::default().filled("blk.0.attn_q.weight", 1.0).filled("blk.0.attn_k.weight", 1.0);
    let plain = logits(base());
    let scaled = logits(base().with("llama.rope.scaling.factor", Value::Float(4.0)));
    assert_ne!(plain, scaled);
    assert_eq!(scaled, logits(base().with("llama.rope.scale_linear", Value::Float(4.0))));
    assert_eq!(plain, logits(base().with("llama.rope.scaling.factor", Value::Float(0.0))));
    let error = refused(base().with("llama.rope.scaling.type", Value::String("ntk".into())));
    assert!(matches!(&error, Error::Unsupported { found, .. } if found == "ntk"), "{error}");
}

#[test]
fn weights_that_are_not_numbers_are_an_error_when_they_are_used() {
    for prefer in [Prefer::Cpu, Prefer::Gpu] {
        let tiny = Tiny::default().filled("blk.0.ffn_down.weight", f32::NAN);
        let mut engine = match load_on(&tiny, prefer) {
            Ok(engine) => engine,
            Err(error) => return common::no_gpu(&error),
        };
        let error = block_on(engine.logits(&[1, 2, 3])).unwrap_err();
        assert!(matches!(error, Error::NotFinite { .. }), "{prefer:?}: {error}");
        let mut generation = engine.generate(&[1, 2, 3], Default::default()).unwrap();
        let error = loop {
            match block_on(generation.step(&mut engine)) {
                Ok(event) => assert!(matches!(event, intab::run::Event::Prefill { .. }), "{event:?}"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::NotFinite { .. }), "{prefer:?}: {error}");
    }
}

#[test]
fn a_context_that_the_device_cannot_hold_is_out_of_memory_and_leaves_nothing() {
    let before = gpu::live_buffers();
    let long = Tiny::default().with("llama.context_length", Value::Uint(8 << 20));
    let options = LoadOptions {
        prefer: Prefer::Gpu,
        default_limits: true,
        context_length: Some(8 << 20),
        ..Default::default()
    };
    match block_on(load(&long.open().unwrap(), &options)) {
        Err(Error::OutOfMemory { .. }) => assert_eq!(gpu::live_buffers(), before),
        Err(error @ Error::NoDevice { .. }) => common::no_gpu(&error),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was loaded"),
    }
}
