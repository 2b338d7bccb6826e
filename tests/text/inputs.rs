//! Small vocabularies, as GGUF files have them.
#![allow(dead_code)] // each test binary uses its own part

use std::collections::BTreeMap;

use intab::{
    Error,
    format::metadata::{Metadata, Value},
    text::Tokenizer,
};

/// Metadata under `tokenizer.ggml.`.
pub struct File(Metadata);

impl File {
    pub fn new(model: &str, tokens: &[(&str, u64)]) -> Self {
        let metadata =
            Metadata { file: "made.gguf".into(), values: BTreeMap::new(), offsets: BTreeMap::new() };
        File(metadata)
            .with("model", Value::String(model.into()))
            .with("tokens", Value::Strings(tokens.iter().map(|(text, _)| text).collect()))
            .with("token_type", Value::Uints(tokens.iter().map(|(_, kind)| *kind).collect()))
    }

    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.0.values.insert(format!("tokenizer.ggml.{key}"), value);
        self
    }

    pub fn without(mut self, key: &str) -> Self {
        self.0.values.remove(&format!("tokenizer.ggml.{key}"));
        self
    }

    pub fn read(&self) -> Tokenizer {
        Tokenizer::from_metadata(&self.0).unwrap()
    }

    pub fn error(&self) -> Error {
        Tokenizer::from_metadata(&self.0).unwrap_err()
    }
}

pub const NORMAL: u64 = 1;
pub const UNKNOWN: u64 = 2;
pub const CONTROL: u64 = 3;
pub const USER_DEFINED: u64 = 4;
pub const BYTE: u64 = 6;

/// The 256 bytes in GPT-2's alphabet, in order.
pub fn alphabet() -> Vec<String> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut next = 256;
    let spell = |byte: u8| {
        let code = if printable(byte) { u32::from(byte) } else { next };
        next += u32::from(!printable(byte));
        char::from_u32(code).unwrap().to_string()
    };
    (0..=255).map(spell).collect()
}

/// Bytes 0..=255, then `<|im_start|>` 256, `<|im_end|>` 257, `<think>` 258, then what `merges` make.
pub fn byte_level(merges: &[&str]) -> File {
    let made: Vec<String> = merges.iter().map(|merge| merge.replace(' ', "")).collect();
    let alphabet = alphabet();
    let mut tokens: Vec<(&str, u64)> = alphabet.iter().map(|text| (text.as_str(), NORMAL)).collect();
    tokens.extend([("<|im_start|>", CONTROL), ("<|im_end|>", CONTROL), ("<think>", USER_DEFINED)]);
    tokens.extend(made.iter().map(|text| (text.as_str(), NORMAL)));
    File::new("gpt2", &tokens)
        .with("pre", Value::String("gpt-2".into()))
        .with("merges", Value::Strings(merges.iter().collect()))
        .with("bos_token_id", Value::Uint(256))
        .with("eos_token_id", Value::Uint(257))
}

/// `<unk>` 0, `<s>` 1, `</s>` 2, bytes from 3, then pieces from 259, each with a score lower than the one before.
pub fn sentencepiece(pieces: &[&str]) -> File {
    let bytes: Vec<String> = (0..=255u8).map(|byte| format!("<0x{byte:02X}>")).collect();
    let mut tokens = vec![("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)];
    tokens.extend(bytes.iter().map(|text| (text.as_str(), BYTE)));
    tokens.extend(pieces.iter().map(|text| (*text, NORMAL)));
    let scores = (0..tokens.len()).map(|id| 258.0 - id as f32).collect();
    File::new("llama", &tokens)
        .with("scores", Value::Floats(scores))
        .with("bos_token_id", Value::Uint(1))
        .with("eos_token_id", Value::Uint(2))
        .with("unknown_token_id", Value::Uint(0))
}

/// Pieces that spell "hello world".
pub const HELLO: &[&str] = &["he", "ll", "llo", "hello", "▁hello", "▁w", "▁", "h", "e", "l", "o", "w"];
