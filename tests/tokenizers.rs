//! Tokenizers read out of GGUF files, against the ids that llama.cpp published for them.

use std::{path::PathBuf, time::Instant};

use intab::{format::open_path, text::Tokenizer};

fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/tokenizers")).join(name);
    if !path.exists() {
        println!("skipped: {} is not here", path.display());
        return None;
    }
    Some(path)
}

fn load(name: &str) -> Option<Tokenizer> {
    let path = shared(&format!("ggml-vocab-{name}.gguf"))?;
    let checkpoint = pollster::block_on(open_path(&path)).unwrap();
    let start = Instant::now();
    let tokenizer = Tokenizer::from_metadata(&checkpoint.metadata).unwrap();
    println!("{name}: {} tokens read in {:?}", tokenizer.vocab_size(), start.elapsed());
    Some(tokenizer)
}

/// Every text of the `.inp` file with the ids of its line in the `.out` file.
fn cases(name: &str) -> Vec<(String, Vec<u32>)> {
    let read =
        |end| std::fs::read_to_string(shared(&format!("ggml-vocab-{name}.gguf.{end}")).unwrap()).unwrap();
    let (texts, ids) = (read("inp"), read("out"));
    let texts: Vec<&str> = texts.split("\n__ggml_vocab_test__\n").collect();
    let ids = ids.lines().map(|line| line.split_whitespace().map(|id| id.parse().unwrap()).collect());
    let cases: Vec<_> = texts.iter().map(|text| text.to_string()).zip(ids).collect();
    assert!(cases.len() > 40, "{} cases", cases.len());
    cases
}

fn agrees(name: &str) {
    let Some(tokenizer) = load(name) else { return };
    for (text, expected) in cases(name) {
        let ids = tokenizer.encode(&text, false, false).unwrap();
        assert_eq!(ids, expected, "{name}: {text:?}");
    }
}

#[test]
fn gpt_2_gives_the_published_ids() {
    agrees("gpt-2");
}

#[test]
fn llama_3_gives_the_published_ids() {
    agrees("llama-bpe");
}

#[test]
fn qwen_2_gives_the_published_ids() {
    agrees("qwen2");
}

#[test]
fn llama_2_gives_the_published_ids() {
    agrees("llama-spm");
}

#[test]
fn phi_3_gives_the_published_ids() {
    agrees("phi-3");
}
