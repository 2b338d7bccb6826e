//! A tiny Llama in a GGUF file, whole or with one thing changed.

use intab::{
    Result,
    format::{Checkpoint, MemorySource, StringArray, gguf_writer::GgufWriter, metadata::Value, open},
    quant::DType,
};

/// What goes into the file.
pub struct Tiny {
    pub pairs: Vec<(String, Value)>,
    /// Name, shape (slowest first), one number for all elements.
    pub tensors: Vec<(String, Vec<usize>, f32)>,
}

pub const N_EMBD: usize = 32;
pub const N_VOCAB: usize = 256;

impl Default for Tiny {
    fn default() -> Self {
        let text = |s: &str| Value::String(s.into());
        let printable = |b: &u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
        let bytes = (0..=255u8).filter(printable).map(char::from);
        let others = (0..68).map(|i| char::from_u32(256 + i).unwrap());
        let tokens: Vec<String> = bytes.chain(others).map(String::from).collect();
        assert_eq!(tokens.len(), N_VOCAB);
        let pairs = [
            ("general.architecture", text("llama")),
            ("llama.block_count", Value::Uint(1)),
            ("llama.context_length", Value::Uint(64)),
            ("llama.embedding_length", Value::Uint(N_EMBD as u64)),
            ("llama.feed_forward_length", Value::Uint(32)),
            ("llama.attention.head_count", Value::Uint(2)),
            ("llama.attention.head_count_kv", Value::Uint(1)),
            ("llama.attention.layer_norm_rms_epsilon", Value::Float(1e-5)),
            ("tokenizer.ggml.model", text("gpt2")),
            ("tokenizer.ggml.pre", text("gpt-2")),
            (
                "tokenizer.ggml.tokens",
                Value::Strings(tokens.iter().map(String::as_str).collect::<StringArray>()),
            ),
            ("tokenizer.ggml.token_type", Value::Ints(vec![1; N_VOCAB])),
            ("tokenizer.ggml.merges", Value::Strings(StringArray::default())),
        ];
        let matrix = |name: &str, n_out, n_in| (name.to_owned(), vec![n_out, n_in], 0.01);
        let vector = |name: &str| (name.to_owned(), vec![N_EMBD], 1.0);
        let tensors = vec![
            matrix("token_embd.weight", N_VOCAB, N_EMBD),
            vector("blk.0.attn_norm.weight"),
            matrix("blk.0.attn_q.weight", N_EMBD, N_EMBD),
            matrix("blk.0.attn_k.weight", N_EMBD / 2, N_EMBD),
            matrix("blk.0.attn_v.weight", N_EMBD / 2, N_EMBD),
            matrix("blk.0.attn_output.weight", N_EMBD, N_EMBD),
            vector("blk.0.ffn_norm.weight"),
            matrix("blk.0.ffn_gate.weight", 32, N_EMBD),
            matrix("blk.0.ffn_up.weight", 32, N_EMBD),
            matrix("blk.0.ffn_down.weight", N_EMBD, 32),
            vector("output_norm.weight"),
        ];
        Tiny { pairs: pairs.map(|(key, value)| (key.to_owned(), value)).into(), tensors }
    }
}

impl Tiny {
    /// Another value for a key, or a new pair.
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.pairs.retain(|(other, _)| other != key);
        self.pairs.push((key.to_owned(), value));
        self
    }

    /// Without a key or tensor.
    pub fn without(mut self, name: &str) -> Self {
        self.pairs.retain(|(other, _)| other != name);
        self.tensors.retain(|(other, _, _)| other != name);
        self
    }

    /// Another shape for a tensor.
    pub fn shaped(mut self, name: &str, shape: &[usize]) -> Self {
        let tensor = self.tensors.iter_mut().find(|(other, _, _)| other == name).unwrap();
        tensor.1 = shape.to_vec();
        self
    }

    /// Other weights for a tensor.
    pub fn filled(mut self, name: &str, number: f32) -> Self {
        let tensor = self.tensors.iter_mut().find(|(other, _, _)| other == name).unwrap();
        tensor.2 = number;
        self
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut writer = GgufWriter::new();
        for (key, value) in &self.pairs {
            writer.put(key, value).unwrap();
        }
        for (name, shape, _) in &self.tensors {
            writer.tensor(name, DType::F32, shape).unwrap();
        }
        let mut data = writer.start(Vec::new()).unwrap();
        for (_, shape, number) in &self.tensors {
            // Rows differ a little, so that the tokens do.
            let n: usize = shape.iter().product();
            let numbers: Vec<f32> = (0..n).map(|i| number * (1.0 + (i * 31 % 97) as f32 / 97.0)).collect();
            data.write(bytemuck::cast_slice(&numbers)).unwrap();
        }
        data.finish().unwrap()
    }

    /// The file, read.
    pub fn open(&self) -> Result<Checkpoint> {
        let source = MemorySource::new("tiny.gguf", self.bytes());
        pollster::block_on(open(vec![std::rc::Rc::new(source)]))
    }
}
