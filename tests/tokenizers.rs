//! Tokenizers read out of GGUF files, against the ids that llama.cpp published for them.

mod common;

use std::time::Instant;

use intab::{
    format::open_path,
    text::{StreamDecoder, Tokenizer},
};

fn load(name: &str) -> Option<Tokenizer> {
    let path = common::shared(&format!("tokenizers/ggml-vocab-{name}.gguf"))?;
    let checkpoint = pollster::block_on(open_path(&path)).unwrap();
    let start = Instant::now();
    let tokenizer = Tokenizer::from_metadata(&checkpoint.metadata).unwrap();
    println!("{name}: {} tokens read in {:?}", tokenizer.vocab_size(), start.elapsed());
    Some(tokenizer)
}

/// Every text of the `.inp` file with the ids of its line in the `.out` file.
fn cases(name: &str) -> Vec<(String, Vec<u32>)> {
    let read = |end| {
        std::fs::read_to_string(common::shared(&format!("tokenizers/ggml-vocab-{name}.gguf.{end}")).unwrap())
            .unwrap()
    };
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

#[test]
fn bert_gives_the_published_ids() {
    agrees("bert-bge");
}

#[test]
fn llama_3_reads_its_special_tokens_where_asked() {
    let Some(tokenizer) = load("llama-bpe") else { return };
    assert_eq!(tokenizer.encode("Hello world", true, false).unwrap(), [128000, 9906, 1917]);
    let turn = "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>";
    assert_eq!(tokenizer.encode(turn, false, true).unwrap(), [128006, 882, 128007, 271, 9906, 128009]);
    assert!(tokenizer.encode(turn, false, false).unwrap().iter().all(|id| *id < 128000));
    assert!(tokenizer.is_end(128001) && tokenizer.is_end(128009));
    assert_eq!(tokenizer.eot(), Some(128009));
}

#[test]
fn phi_3_strips_after_its_turn_tokens() {
    let Some(tokenizer) = load("phi-3") else { return };
    let ids = tokenizer.encode("<|user|>\nHello<|end|>\n<|assistant|>\n", true, true).unwrap();
    assert_eq!(ids, [1, 32010, 15043, 32007, 32001]);
    assert!(tokenizer.is_end(32000) && tokenizer.is_end(32007));
}

#[test]
fn every_published_text_comes_back() {
    for name in ["gpt-2", "llama-bpe", "qwen2", "llama-spm", "phi-3"] {
        let Some(tokenizer) = load(name) else { return };
        for (text, ids) in cases(name) {
            assert_eq!(tokenizer.decode(&ids, true).unwrap(), text, "{name}");
            let mut decoder = StreamDecoder::new(&tokenizer, true);
            let mut streamed = String::new();
            for id in ids {
                let piece = decoder.push(&tokenizer, id).unwrap();
                assert!(!piece.contains('\u{fffd}'), "{name}: part of a character of {text:?} came out");
                streamed += &piece;
            }
            assert_eq!(streamed + &decoder.finish(), text, "{name}");
        }
    }
}
