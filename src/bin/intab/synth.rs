//! `intab synth`: a model of a known shape with random weights, for measuring loads and speeds without a download.

use std::{fs::File, io::BufWriter, path::PathBuf};

use clap::{Args, ValueEnum};
use intab::{
    Error, Result,
    format::{
        StringArray,
        gguf_writer::{GgufData, GgufWriter},
        metadata::Value,
    },
    quant::DType,
};

use super::output::{self, Failure};

#[derive(Args)]
pub struct SynthArgs {
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The model whose shape it has
    #[arg(long, value_enum, default_value_t = ShapeArg::Smollm2_135m)]
    shape: ShapeArg,
    /// The type of the matrices, as llama.cpp prints it, or its mixture Q4_K_M
    #[arg(long = "type", default_value = "Q8_0")]
    dtype: String,
}

/// Shapes of models that people run in a browser.
#[derive(Clone, Copy, ValueEnum)]
enum ShapeArg {
    #[value(name = "smollm2-135m")]
    Smollm2_135m,
    #[value(name = "qwen2.5-0.5b")]
    Qwen2_5_0_5b,
    #[value(name = "llama-3.2-1b")]
    Llama3_2_1b,
    #[value(name = "llama-3.1-8b")]
    Llama3_1_8b,
}

struct Shape {
    n_embd: usize,
    n_layers: usize,
    n_heads: usize,
    n_kv_heads: usize,
    n_ff: usize,
    n_vocab: usize,
}

impl ShapeArg {
    fn shape(self) -> Shape {
        let shape = |n_embd, n_layers, n_heads, n_kv_heads, n_ff, n_vocab| Shape {
            n_embd,
            n_layers,
            n_heads,
            n_kv_heads,
            n_ff,
            n_vocab,
        };
        match self {
            ShapeArg::Smollm2_135m => shape(576, 30, 9, 3, 1536, 49_152),
            ShapeArg::Qwen2_5_0_5b => shape(896, 24, 14, 2, 4864, 151_936),
            ShapeArg::Llama3_2_1b => shape(2048, 16, 32, 8, 8192, 128_256),
            ShapeArg::Llama3_1_8b => shape(4096, 32, 32, 8, 14_336, 128_256),
        }
    }
}

pub fn synth(args: &SynthArgs) -> output::Result<()> {
    let types = Types::named(&args.dtype)?;
    let shape = args.shape.shape();
    let mut writer = GgufWriter::new();
    metadata(&mut writer, &shape)?;
    let tensors = tensors(&shape, types);
    for (name, dtype, shape) in &tensors {
        writer.tensor(name, *dtype, shape)?;
    }
    let file = File::create(&args.output)
        .map_err(|error| Failure::Write { place: args.output.display().to_string(), error })?;
    let mut data = writer.start(BufWriter::new(file))?;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (_, dtype, shape) in &tensors {
        fill(&mut data, *dtype, shape, &mut random)?;
    }
    data.finish()?;
    Ok(())
}

/// The types of a model's matrices.
#[derive(Clone, Copy)]
enum Types {
    All(DType),
    /// llama.cpp's mixture: values and half of the way down finer than the rest.
    Q4KM,
}

impl Types {
    fn named(name: &str) -> Result<Types> {
        if name.eq_ignore_ascii_case("Q4_K_M") {
            return Ok(Types::Q4KM);
        }
        let mut types = intab::quant::TYPES.iter().map(|info| info.dtype);
        let found = types.find(|dtype| dtype.to_string().eq_ignore_ascii_case(name));
        let hint = "see `intab inspect` for names";
        found.map(Types::All).ok_or_else(|| Error::unsupported("type", name, hint))
    }

    /// Of a matrix with rows of `n_in` numbers; the embedding's table is the head as well.
    fn of(self, part: &str, layer: usize, shape: &Shape, n_in: usize) -> DType {
        let eighth = shape.n_layers / 8;
        let finer = layer < eighth || layer >= 7 * eighth || (layer - eighth) % 3 == 2;
        let wanted = match self {
            Types::All(dtype) => return dtype,
            Types::Q4KM if part == "token_embd" => DType::Q6_K,
            Types::Q4KM if finer && matches!(part, "attn_v" | "ffn_down") => DType::Q6_K,
            Types::Q4KM => DType::Q4_K,
        };
        // What llama.cpp falls back to for rows that units of 256 do not fill.
        match (n_in.is_multiple_of(256), wanted) {
            (true, wanted) => wanted,
            (false, DType::Q6_K) => DType::Q8_0,
            (false, _) => DType::Q5_0,
        }
    }
}

fn metadata(writer: &mut GgufWriter, shape: &Shape) -> Result<()> {
    let text = |s: &str| Value::String(s.into());
    let size = |n: usize| Value::Uint(n as u64);
    let pairs = [
        ("general.architecture", text("llama")),
        ("general.name", text("synthetic")),
        ("llama.block_count", size(shape.n_layers)),
        ("llama.context_length", size(16_384)),
        ("llama.embedding_length", size(shape.n_embd)),
        ("llama.feed_forward_length", size(shape.n_ff)),
        ("llama.attention.head_count", size(shape.n_heads)),
        ("llama.attention.head_count_kv", size(shape.n_kv_heads)),
        ("llama.attention.layer_norm_rms_epsilon", Value::Float(1e-5)),
        ("llama.rope.freq_base", Value::Float(10_000.0)),
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("gpt-2")),
        ("tokenizer.ggml.tokens", Value::Strings(vocabulary(shape.n_vocab)?)),
        ("tokenizer.ggml.token_type", Value::Ints(vec![1; shape.n_vocab])),
        ("tokenizer.ggml.merges", Value::Strings(StringArray::default())),
        ("tokenizer.ggml.bos_token_id", size(0)),
        ("tokenizer.ggml.eos_token_id", size(0)),
    ];
    for (key, value) in &pairs {
        writer.put(key, value)?;
    }
    Ok(())
}

/// The 256 byte symbols of GPT-2's table, then texts that no merge reaches, of the length that tokens have.
fn vocabulary(n: usize) -> Result<StringArray> {
    let printable = |b: &u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let bytes = (0..=255u8).filter(printable).map(char::from);
    let others = (0..68).map(|i| char::from_u32(256 + i).unwrap_or(char::REPLACEMENT_CHARACTER));
    let symbols: Vec<String> = bytes.chain(others).map(String::from).collect();
    let rest = (symbols.len()..n).map(|i| format!("Ġtok{i}"));
    let mut texts = StringArray::with_capacity(n);
    for text in symbols.iter().cloned().chain(rest) {
        if !texts.push(&text) {
            return Err(Error::input("vocabulary", "it is larger than 4 GiB"));
        }
    }
    Ok(texts)
}

fn tensors(shape: &Shape, types: Types) -> Vec<(String, DType, Vec<usize>)> {
    let Shape { n_embd, n_ff, n_vocab, .. } = *shape;
    let kv_dim = n_embd / shape.n_heads * shape.n_kv_heads;
    let vector = |name: String| (name, DType::F32, vec![n_embd]);
    let table = types.of("token_embd", 0, shape, n_embd);
    let mut all = vec![("token_embd.weight".into(), table, vec![n_vocab, n_embd])];
    for i in 0..shape.n_layers {
        let n = |part: &str| format!("blk.{i}.{part}.weight");
        let matrix = |part: &str, n_out, n_in| (n(part), types.of(part, i, shape, n_in), vec![n_out, n_in]);
        all.extend([
            vector(n("attn_norm")),
            matrix("attn_q", n_embd, n_embd),
            matrix("attn_k", kv_dim, n_embd),
            matrix("attn_v", kv_dim, n_embd),
            matrix("attn_output", n_embd, n_embd),
            vector(n("ffn_norm")),
            matrix("ffn_gate", n_ff, n_embd),
            matrix("ffn_up", n_ff, n_embd),
            matrix("ffn_down", n_embd, n_ff),
        ]);
    }
    all.push(vector("output_norm.weight".into()));
    all
}

/// Random weights, quantized block by block; a few hundred blocks over and over, which costs no more to run and far
/// less to make.
fn fill(
    data: &mut GgufData<BufWriter<File>>,
    dtype: DType,
    shape: &[usize],
    random: &mut Random,
) -> Result<()> {
    const BLOCKS: usize = 256;
    let info = dtype.info();
    let quantize = info
        .quantize
        .ok_or_else(|| Error::unsupported("type", info.name, "this crate cannot quantize to it yet"))?;
    let n: usize = shape.iter().product();
    let is_norm = shape.len() == 1;
    let scale = 1.0 / (shape[shape.len() - 1] as f32).sqrt();
    let weights: Vec<f32> =
        (0..BLOCKS * info.block_len).map(|_| if is_norm { 1.0 } else { random.next() * scale }).collect();
    let mut blocks = vec![0; BLOCKS * info.block_bytes];
    quantize(&weights, &mut blocks);
    let mut left = n / info.block_len * info.block_bytes;
    while left > 0 {
        let piece = left.min(blocks.len());
        data.write(&blocks[..piece])?;
        left -= piece;
    }
    Ok(())
}

/// Marsaglia's xorshift (2003): the same file every time.
struct Random(u64);

impl Random {
    /// In (-1, 1).
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}
