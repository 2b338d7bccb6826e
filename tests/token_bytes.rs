//! The bytes that each token stands for: one after another they are the text that a stream lets out, so that what looks at
//! bytes alone sees the text.

mod common;

use std::{fs, path::Path};

use intab::{
    Error, format,
    run::tokenizer,
    text::{StreamDecoder, Tokenizer, TokenizerFiles},
};
use pollster::block_on;

/// Texts with what tokenizers treat in their own ways.
const TEXTS: [&str; 6] = [
    r#"{"name": "Zoë", "tags": ["a b", "  c"], "n": -1.5e3}"#,
    "Once upon a time, there was a cat. She said: \"Hello!\"\n\n\tIt's 2024.",
    "def f(x):\n    return x ** 2  # done\r\n",
    "日本語のテキスト 🦀👩‍👩‍👧 naïve Ελλάδα",
    "   leading and trailing   ",
    "<0x41> ▁ Ġ <unk>",
];

/// Each text after a first one, as an answer follows a prompt: decoded, and as bytes.
fn check(name: &str, tokenizer: &Tokenizer) {
    let prompt = tokenizer.encode("The answer is", false, false).unwrap();
    for text in TEXTS {
        let Ok(ids) = tokenizer.encode(text, false, false) else { continue };
        let ids: Vec<u32> = ids.into_iter().filter(|id| !tokenizer.is_special(*id)).collect();
        let mut decoder = StreamDecoder::after(tokenizer, &prompt).unwrap();
        let mut decoded = String::new();
        for id in &ids {
            decoded += &decoder.push(tokenizer, *id).unwrap();
        }
        decoded += &decoder.finish();
        let bytes: Vec<u8> =
            ids.iter().flat_map(|id| tokenizer.token_bytes(*id).unwrap().into_owned()).collect();
        let spelled = String::from_utf8_lossy(&bytes);
        // What the vocabulary cannot spell is no beginning that the answer would go on from.
        let begins = prompt.last().is_none_or(|id| tokenizer.is_special(*id));
        let expected = if begins { spelled.strip_prefix(' ').unwrap_or(&spelled) } else { &spelled };
        assert_eq!(decoded, expected, "{name}: {text:?}");
    }
}

fn read(path: &Path) -> Tokenizer {
    tokenizer(&block_on(format::open_path(path)).unwrap()).unwrap().unwrap()
}

#[test]
fn those_of_an_answer_are_its_text() {
    check("the default model's", &read(&common::repo("models/intab-stories.gguf")));
    for name in ["gpt-2", "llama-bpe", "qwen2", "llama-spm", "phi-3"] {
        if let Some(path) = common::shared(&format!("tokenizers/ggml-vocab-{name}.gguf")) {
            check(name, &read(&path));
        }
    }
}

#[test]
fn decoders_for_which_they_are_not_are_told_from_the_others() {
    let mut refused = Vec::new();
    let folder = common::repo("tests/data/tokenizers");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let tokenizer = match name.rsplit_once('.') {
            _ if name.ends_with(".cases.json") => continue,
            Some((_, "json")) => {
                Tokenizer::from_json(&fs::read(&file).unwrap(), &TokenizerFiles::default()).unwrap()
            }
            _ => read(&file),
        };
        match tokenizer.check_concatenates() {
            Ok(()) => check(&name, &tokenizer),
            Err(Error::Unsupported { .. }) => refused.push(name),
            Err(error) => panic!("{name}: {error}"),
        }
    }
    let expected = ["bert-cased.json", "bert-uncased.json", "clip.json", "word-level.json"];
    assert_eq!(refused, expected);
}
