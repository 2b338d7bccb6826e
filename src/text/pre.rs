//! Cuts a text into the words that byte-level BPE merges within, by the name in `tokenizer.ggml.pre`.
//!
//! Each name stands for the regular expressions of a published `tokenizer.json`. The common ones are grammars of
//! the `tokenizers` crate; the rest are sequences of simple [`Rule`]s. No regex engine is needed.

use tokenizers::{
    SplitDelimiterBehavior::Isolated,
    pipeline::{PipelinePreTokenizer, PreTokenizer as _, PreTokenizerScratch},
    pre_tokenizers::{
        digits::Digits,
        sequence::PipelineSequence,
        split::{Split, SplitPattern},
    },
    utils::DEEPSEEK_PATTERNS,
};

use super::pre_rules::{self, Rule};
use crate::error::{Error, Result};

/// cl100k with one token per digit, as Qwen 2 has it.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// How words are cut, and what else the name settles.
#[derive(Debug)]
pub(super) struct PreTokenizer {
    cutter: Cutter,
    /// A word that is a token stays that token, whether or not merges lead to it.
    pub(super) ignores_merges: bool,
    /// A text begins with BOS where the file does not say.
    pub(super) adds_bos: bool,
}

#[derive(Debug)]
enum Cutter {
    Grammar(PipelinePreTokenizer),
    Rules(&'static [Rule]),
}

impl PreTokenizer {
    /// # Errors
    /// [`Error::Unsupported`] for a name that is not known.
    pub(super) fn named(name: &str) -> Result<Self> {
        let gpt2 = || grammar(bitcannon::regexes::GPT2);
        let (cutter, ignores_merges, adds_bos) = match name {
            "default" | "gpt-2" | "phi-2" | "mpt" | "olmo" | "jais" | "gigachat" | "exaone4" | "a.x-4.0"
            | "mellum" | "modern-bert" | "trillion" | "granite-docling" | "jina-es" | "jina-de"
            | "jina-v1-en" | "jina-v2-es" | "jina-v2-de" | "jina-v2-code" | "roberta-bpe" => {
                (Cutter::Grammar(gpt2()?), false, false)
            }
            "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" | "exaone" | "minerva-7b"
            | "mellum2" => {
                let digits = PipelinePreTokenizer::Digits(Digits::new(true));
                (Cutter::Grammar(sequence(vec![digits, gpt2()?])), false, false)
            }
            "llama-bpe" | "llama3" | "llama-v3" | "falcon3" | "falcon-h1" | "pixtral" | "midm-2.0"
            | "lfm2" | "jina-v5-nano" => (Cutter::Grammar(grammar(bitcannon::regexes::CL100K)?), true, true),
            "dbrx" | "smaug-bpe" | "glm4" | "chatglm-bpe" => {
                (Cutter::Grammar(grammar(bitcannon::regexes::CL100K)?), false, false)
            }
            "qwen2" | "deepseek-r1-qwen" | "stablelm2" | "hunyuan" | "solar-open" | "megrez" | "grok-2"
            | "kormo" | "f2llmv2" => (Cutter::Grammar(grammar(QWEN2)?), false, false),
            "gpt-4o" | "llama4" | "kanana2" | "talkie" | "minimax-m2" => {
                (Cutter::Grammar(grammar(bitcannon::regexes::O200K)?), false, false)
            }
            "tekken" => (Cutter::Grammar(grammar(bitcannon::regexes::TEKKEN)?), true, true),
            "kimi-k2" => (Cutter::Grammar(grammar(bitcannon::regexes::KIMI_K2)?), false, false),
            "deepseek-v3" | "hunyuan-dense" | "joyai-llm" | "hy_v4" => {
                let patterns = DEEPSEEK_PATTERNS.iter().map(|pattern| grammar(pattern));
                (Cutter::Grammar(sequence(patterns.collect::<Result<_>>()?)), false, false)
            }
            "deepseek-llm" => (Cutter::Rules(pre_rules::DEEPSEEK_LLM), false, false),
            "deepseek-coder" => (Cutter::Rules(pre_rules::DEEPSEEK_CODER), false, false),
            "bloom" | "poro-chat" | "gpt3-finnish" => (Cutter::Rules(pre_rules::BLOOM), false, false),
            "viking" => (Cutter::Rules(pre_rules::VIKING), false, false),
            other => {
                let hint = "without its rules the text would be cut into the wrong tokens";
                return Err(Error::unsupported("pre-tokenizer", other, hint));
            }
        };
        Ok(PreTokenizer { cutter, ignores_merges, adds_bos })
    }

    /// The words of a text, in order; together they are the text.
    pub(super) fn split<'a>(&self, text: &'a str) -> Result<Vec<&'a str>> {
        match &self.cutter {
            Cutter::Rules(rules) => Ok(pre_rules::split(rules, text)),
            Cutter::Grammar(grammar) => {
                let mut spans = Vec::new();
                grammar
                    .pre_tokenize(text, &mut PreTokenizerScratch::default(), &mut spans)
                    .map_err(|error| Error::Tokenizer { problem: error.to_string() })?;
                Ok(spans.iter().map(|span| &text[span.range()]).collect())
            }
        }
    }
}

/// A pattern, or one of a sequence of them, that the crate knows a grammar for.
fn grammar(pattern: &str) -> Result<PipelinePreTokenizer> {
    Split::native(SplitPattern::Regex(pattern.to_owned()), Isolated, false)
        .map(PipelinePreTokenizer::Split)
        .map_err(|error| Error::Tokenizer { problem: error.to_string() })
}

fn sequence(members: Vec<PipelinePreTokenizer>) -> PipelinePreTokenizer {
    PipelinePreTokenizer::Sequence(PipelineSequence::new(members))
}
