//! Whole models in every type, through a file and on both backends: they answer what the same weights answer as plain numbers.

mod common;
mod random;

use std::rc::Rc;

use common::tiny::{N_VOCAB, Tiny};
use intab::{
    Error,
    backend::Precision,
    format::{MemorySource, gguf_writer::GgufWriter, metadata::Value, open},
    quant::{DType, TYPES, TypeInfo},
    run::{LoadOptions, Prefer, load},
};
use pollster::block_on;
use random::Random;

/// The block length of most types.
const N_EMBD: usize = 256;

struct Tensor {
    name: &'static str,
    dtype: DType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    fn vector(name: &'static str, number: f32) -> Tensor {
        let bytes = bytemuck::cast_slice(&[number; N_EMBD]).to_vec();
        Tensor { name, dtype: DType::F32, shape: vec![N_EMBD], bytes }
    }

    /// `[n_out, N_EMBD]`, of random blocks whose scales are much the same.
    fn matrix(name: &'static str, info: &TypeInfo, n_out: usize, random: &mut Random) -> Tensor {
        let n_blocks = n_out * N_EMBD / info.block_len;
        let exponent = |random: &mut Random| 8 + (random.bits() % 2) as u8;
        let bytes = random.scaled_blocks(info.name, info.block_bytes, n_blocks, exponent);
        Tensor { name, dtype: info.dtype, shape: vec![n_out, N_EMBD], bytes }
    }

    fn numbers(&self) -> Vec<f32> {
        let mut numbers = vec![0.0; self.shape.iter().product()];
        self.dtype.info().dequantize_row(&self.bytes, &mut numbers);
        numbers
    }

    /// The same weights as plain numbers.
    fn plain(&self) -> Tensor {
        let bytes = bytemuck::cast_slice(&self.numbers()).to_vec();
        Tensor { name: self.name, dtype: DType::F32, shape: self.shape.clone(), bytes }
    }
}

/// A Llama of one layer.
fn tensors(info: &TypeInfo, random: &mut Random) -> Vec<Tensor> {
    let mut matrix = |name, n_out| Tensor::matrix(name, info, n_out, random);
    let query = matrix("blk.0.attn_q.weight", N_EMBD);
    let key = matrix("blk.0.attn_k.weight", N_EMBD / 2);
    // Scores of a few units, whatever the weights' size.
    let squares: f32 = query.numbers().iter().map(|w| w * w).sum();
    let gain = 1.0 / squares.sqrt() * (N_EMBD as f32).sqrt();
    vec![
        matrix("token_embd.weight", N_VOCAB),
        Tensor::vector("blk.0.attn_norm.weight", gain),
        query,
        key,
        matrix("blk.0.attn_v.weight", N_EMBD / 2),
        matrix("blk.0.attn_output.weight", N_EMBD),
        Tensor::vector("blk.0.ffn_norm.weight", gain),
        matrix("blk.0.ffn_gate.weight", N_EMBD),
        matrix("blk.0.ffn_up.weight", N_EMBD),
        matrix("blk.0.ffn_down.weight", N_EMBD),
        Tensor::vector("output_norm.weight", 1.0),
    ]
}

fn file(tensors: &[Tensor]) -> Vec<u8> {
    let size = Value::Uint(N_EMBD as u64);
    let tiny = Tiny::default()
        .with("llama.embedding_length", size.clone())
        .with("llama.feed_forward_length", size)
        .with("llama.attention.head_count", Value::Uint(4))
        .with("llama.attention.head_count_kv", Value::Uint(2));
    let mut writer = GgufWriter::new();
    for (key, value) in &tiny.pairs {
        writer.put(key, value).unwrap();
    }
    for Tensor { name, dtype, shape, .. } in tensors {
        writer.tensor(name, *dtype, shape).unwrap();
    }
    let mut data = writer.start(Vec::new()).unwrap();
    for tensor in tensors {
        data.write(&tensor.bytes).unwrap();
    }
    data.finish().unwrap()
}

/// Logits of every position, and the bytes that the model holds; `None` where the machine has no GPU.
fn logits(file: Vec<u8>, ids: &[u32], options: LoadOptions) -> Option<(Vec<f32>, u64)> {
    let source = Rc::new(MemorySource::new("model.gguf", file));
    let checkpoint = block_on(open(vec![source])).unwrap();
    match block_on(load(&checkpoint, &options)) {
        Ok(mut engine) => {
            let bytes = engine.counters().bytes;
            Some((block_on(engine.logits(ids)).unwrap(), bytes))
        }
        Err(error @ Error::NoDevice { .. }) => {
            common::no_gpu(&error);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn on(prefer: Prefer) -> LoadOptions {
    LoadOptions { prefer, ..LoadOptions::default() }
}

#[test]
fn a_model_in_any_type_answers_as_its_weights_in_plain_numbers_do() {
    let mut random = Random::fresh();
    for info in TYPES {
        let tensors = tensors(info, &mut random);
        let plain: Vec<Tensor> = tensors.iter().map(Tensor::plain).collect();
        let ids: Vec<u32> = (0..9).map(|_| random.bits() as u32 % N_VOCAB as u32).collect();
        let (truth, _) = logits(file(&plain), &ids, on(Prefer::Cpu)).unwrap();
        assert!(truth.iter().all(|x| x.is_finite()), "{}: no numbers to compare with", info.name);
        for prefer in [Prefer::Cpu, Prefer::Gpu] {
            let Some((found, _)) = logits(file(&tensors), &ids, on(prefer)) else { return };
            for (row, (found, truth)) in
                found.chunks_exact(N_VOCAB).zip(truth.chunks_exact(N_VOCAB)).enumerate()
            {
                let (low, high) = truth.iter().fold((f32::MAX, f32::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
                let worst = truth.iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                let range = high - low;
                assert!(worst <= 1e-3 * range, "{} {prefer:?} row {row}: {worst} in {range}", info.name);
            }
        }
    }
}

/// On the CPU, where all matrices are multiplied as integers: so drafts are checked by the very numbers by which tokens are drawn,
/// and a cached prompt is the same as a fresh one.
#[test]
fn a_row_has_the_same_bits_however_many_are_computed_with_it() {
    let mut random = Random::fresh();
    for info in TYPES.iter().filter(|info| info.levels.is_some()) {
        let tensors = tensors(info, &mut random);
        let source = Rc::new(MemorySource::new("model.gguf", file(&tensors)));
        let checkpoint = block_on(open(vec![source])).unwrap();
        let mut engine = block_on(load(&checkpoint, &on(Prefer::Cpu))).unwrap();
        engine.set_precision(Precision::Fast);
        let ids: Vec<u32> = (0..11).map(|_| random.bits() as u32 % N_VOCAB as u32).collect();
        let all = block_on(engine.logits(&ids)).unwrap();
        for n in 1..ids.len() {
            let first = block_on(engine.logits(&ids[..n])).unwrap();
            assert_eq!(first, all[..first.len()], "{}: {n} rows", info.name);
        }
    }
}

/// As our own quantizers write a file: token embeddings at 8 bits, vectors as they are.
fn quantized(tensor: &Tensor, wanted: DType) -> Tensor {
    let dtype = match tensor.name {
        name if name.contains("norm") => return tensor.plain(),
        "token_embd.weight" => DType::Q8_0,
        _ => wanted,
    };
    let info = dtype.info();
    let mut bytes = vec![0; tensor.shape[0] * info.row_bytes(tensor.shape[1])];
    info.quantize.unwrap()(&tensor.numbers(), &mut bytes);
    Tensor { name: tensor.name, dtype, shape: tensor.shape.clone(), bytes }
}

#[test]
fn matrices_quantized_while_they_load_are_those_of_a_quantized_file() {
    let mut random = Random::fresh();
    let ids: Vec<u32> = (0..9).map(|_| random.bits() as u32 % N_VOCAB as u32).collect();
    for stored in [DType::F32, DType::F16, DType::BF16] {
        let tensors = tensors(stored.info(), &mut random);
        for (wanted, most) in [(DType::Q8_0, 1e-3), (DType::Q4_0, 0.2), (DType::Q4_K, 0.2)] {
            let made: Vec<Tensor> = tensors.iter().map(|tensor| quantized(tensor, wanted)).collect();
            for prefer in [Prefer::Cpu, Prefer::Gpu] {
                let Some((plain, whole)) = logits(file(&tensors), &ids, on(prefer)) else { return };
                let options = LoadOptions { quantize: Some(wanted), ..on(prefer) };
                let (found, bytes) = logits(file(&tensors), &ids, options).unwrap();
                let (expected, least) = logits(file(&made), &ids, on(prefer)).unwrap();
                let place = format!("{stored} as {wanted}, {prefer:?}");
                assert!(common::nmse(&expected, &found) < 1e-10, "{place}: another model than the file's");
                assert_eq!(bytes, least, "{place}");
                assert!(bytes < whole, "{place}: {bytes} of {whole} bytes");
                let nmse = common::nmse(&plain, &found);
                assert!(nmse > 0.0 && nmse < most, "{place}: NMSE {nmse}");
            }
        }
    }
}
