use super::*;
use crate::text::{aligned::Aligned, pre_tokenizer::Pieces};

const TEXT: &str = "He said: «Ça va?»  x=3.14 日本語 2024\n\n  ok  ";

/// Every name of llama.cpp's table (`llama-vocab.cpp`) that cuts by expressions.
const NAMES: &[&str] = &[
    "default",
    "minicpm5",
    "llama3",
    "llama-v3",
    "llama-bpe",
    "falcon3",
    "falcon-h1",
    "pixtral",
    "midm-2.0",
    "lfm2",
    "jina-v5-nano",
    "deepseek-llm",
    "deepseek-coder",
    "deepseek-v3",
    "spark2_5",
    "youtu",
    "falcon",
    "mpt",
    "starcoder",
    "gpt-2",
    "phi-2",
    "jina-es",
    "jina-de",
    "gigachat",
    "jina-v2-es",
    "jina-v2-de",
    "a.x-4.0",
    "mellum",
    "modern-bert",
    "jais-2",
    "gemma4",
    "granite-embed-multi-311m",
    "sarvam-moe",
    "jina-v1-en",
    "jina-v2-code",
    "roberta-bpe",
    "refact",
    "command-r",
    "qwen2",
    "deepseek-r1-qwen",
    "kormo",
    "f2llmv2",
    "qwen35",
    "stablelm2",
    "olmo",
    "dbrx",
    "smaug-bpe",
    "poro-chat",
    "glm4",
    "chatglm-bpe",
    "viking",
    "jais",
    "tekken",
    "smollm",
    "codeshell",
    "bloom",
    "gpt3-finnish",
    "exaone",
    "exaone4",
    "exaone-moe",
    "chameleon",
    "minerva-7b",
    "megrez",
    "gpt-4o",
    "llama4",
    "kanana2",
    "talkie",
    "granite-embed-multi-97m",
    "tiny_aya",
    "cohere2moe",
    "superbpe",
    "trillion",
    "granite-docling",
    "bailingmoe",
    "bailingmoe2",
    "llada-moe",
    "seed-coder",
    "hunyuan",
    "hunyuan-dense",
    "hy_v4",
    "joyai-llm",
    "kimi-k2",
    "ufakzeka",
    "grok-2",
    "afmoe",
    "laguna",
    "minimax-m2",
    "solar-open",
    "mellum2",
];

fn cut(name: &str, text: &str) -> Vec<String> {
    let mut pieces = Pieces::new(Aligned::new(text, 0));
    Rules::named(name).unwrap().steps().unwrap().iter().for_each(|step| step.apply(&mut pieces).unwrap());
    pieces.ranges.iter().map(|(start, end)| pieces.text.text()[*start..*end].to_owned()).collect()
}

#[track_caller]
fn cuts(name: &str, expected: &str) {
    assert_eq!(cut(name, TEXT).join("¦"), expected, "{name}");
}

#[test]
fn words_are_cut_as_the_published_expressions_cut_them() {
    // What the Python package `tokenizers` 0.23 makes of the text.
    cuts("gpt-2", "He¦ said¦:¦ «¦Ça¦ va¦?»¦ ¦ x¦=¦3¦.¦14¦ 日本語¦ 2024¦\n\n ¦ ok¦  ");
    cuts("smollm", "He¦ said¦:¦ «¦Ça¦ va¦?»¦ ¦ x¦=¦3¦.¦1¦4¦ 日本語¦ ¦2¦0¦2¦4¦\n\n ¦ ok¦  ");
    cuts("llama-bpe", "He¦ said¦:¦ «¦Ça¦ va¦?»¦ ¦ x¦=¦3¦.¦14¦ 日本語¦ ¦202¦4¦\n\n¦ ¦ ok¦  ");
    cuts("qwen2", "He¦ said¦:¦ «¦Ça¦ va¦?»¦ ¦ x¦=¦3¦.¦1¦4¦ 日本語¦ ¦2¦0¦2¦4¦\n\n¦ ¦ ok¦  ");
    cuts("deepseek-v3", "He¦ said¦:¦ «¦Ça¦ va¦?»¦ ¦ x¦=¦3¦.¦14¦ ¦日本語¦ ¦202¦4¦\n\n¦ ¦ ok¦  ");
    cuts("deepseek-llm", "He¦ said¦:¦ «¦Ç¦a¦ va¦?¦»¦ ¦ x¦=¦3¦.¦14¦ ¦日本語¦ ¦2024¦\n¦\n¦ ¦ ok¦  ");
    cuts("deepseek-coder", "He¦ said¦:¦ «¦Ça¦ va¦?»¦ ¦ x¦=¦3¦.¦1¦4¦ ¦日本語¦ ¦2¦0¦2¦4¦\n¦\n¦ ¦ ok¦  ");
    cuts("bloom", "He¦ said:¦ «Ça¦ va¦?¦»¦ ¦ x=3¦.¦14¦ 日本語¦ 2024¦\n\n ¦ ok¦  ");
    cuts("viking", "He¦ said:¦ «Ça¦ va¦?¦»¦ ¦ x=¦3¦.¦1¦4¦ 日本語¦ ¦2¦0¦2¦4¦\n\n ¦ ok¦  ");
    cuts("falcon", "He¦ said¦:¦ ¦«¦Ça¦ va¦?»¦ ¦ x¦=¦3¦.¦14¦ 日本語¦ ¦202¦4¦\n\n ¦ ok¦  ");
    cuts("superbpe", "He said: «Ça va?»  x=¦3¦.¦14¦ 日本語 ¦2¦024¦\n\n  ok  ");
}

#[test]
fn digits_are_grouped_from_the_right_where_a_family_does_so() {
    assert_eq!(cut("afmoe", "1234567 12"), ["1", "234", "567", " ", "12"]);
    assert_eq!(cut("tiny_aya", "1234567 12"), ["1", "234", "567", " ", "12"]);
    assert_eq!(cut("superbpe", "1234567"), ["1", "234", "567"]);
    assert_eq!(cut("llama-bpe", "1234567"), ["123", "456", "7"]);
}

#[test]
fn every_name_is_known_and_loses_no_text() {
    for name in NAMES {
        assert_eq!(cut(name, TEXT).concat(), TEXT, "{name}");
        assert!(cut(name, "").is_empty(), "{name}");
    }
    assert!(matches!(Rules::named("nobody-knows"), Err(Error::Unsupported { what: "pre-tokenizer", .. })));
}
