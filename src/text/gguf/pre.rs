//! How byte-pair vocabularies cut text into words, by the name in `tokenizer.ggml.pre`. Each name stands for the regular
//! expressions of a published `tokenizer.json`, applied one after the other, each match a word of its own; llama.cpp
//! writes some of them in a form that its engine can run, here they are the originals.

use crate::{
    error::{Error, Result},
    text::{
        pattern::Pattern,
        pre_tokenizer::{Behavior, GPT2, PreTokenizer},
        regex::Regex,
    },
};

/// What a name settles.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rules {
    pub patterns: &'static [&'static str],
    /// A word that is a token stays that token, whether or not merges lead to it.
    pub ignores_merges: bool,
    /// A text begins with BOS where the file does not say.
    pub adds_bos: bool,
    /// A pair of texts has two separators between them.
    pub adds_sep: bool,
    /// Tokens are text with `▁` for spaces, not bytes in their alphabet.
    pub spells_spaces: bool,
    /// Runs of newlines that are a token stay that token.
    pub keeps_newlines: bool,
}

impl Rules {
    const fn cut(patterns: &'static [&'static str]) -> Self {
        Rules {
            patterns,
            ignores_merges: false,
            adds_bos: false,
            adds_sep: false,
            spells_spaces: false,
            keeps_newlines: false,
        }
    }

    /// # Errors
    /// [`Error::Unsupported`] for a name that is not known.
    pub fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "default" => Rules::cut(&[DEFAULT_PUNCTUATION, GPT2, r"\p{N}+", THREE_DIGITS]),
            "falcon" => Rules::cut(&[FALCON_PUNCTUATION, GPT2, THREE_DIGITS]),
            "gpt-2" | "phi-2" | "mpt" | "olmo" | "jais" | "gigachat" | "exaone4" | "a.x-4.0" | "mellum"
            | "modern-bert" | "trillion" | "granite-docling" | "jina-es" | "jina-de" | "jina-v2-es"
            | "jina-v2-de" => Rules::cut(&[GPT2]),
            "jina-v1-en" | "jina-v2-code" | "roberta-bpe" => Rules { adds_sep: true, ..Rules::cut(&[GPT2]) },
            "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" | "exaone" | "minerva-7b"
            | "mellum2" => Rules::cut(&[r"\p{N}", GPT2]),
            "llama-bpe" | "llama3" | "llama-v3" | "falcon3" | "falcon-h1" | "pixtral" | "midm-2.0"
            | "lfm2" | "jina-v5-nano" => {
                Rules { ignores_merges: true, adds_bos: true, ..Rules::cut(&[CL100K]) }
            }
            "dbrx" | "smaug-bpe" | "glm4" | "chatglm-bpe" => Rules::cut(&[CL100K]),
            "minicpm5" => Rules { ignores_merges: true, ..Rules::cut(&[r"\p{N}{1,3}", MINICPM5]) },
            "jais-2" => Rules::cut(&[JAIS_2]),
            "qwen2" | "deepseek-r1-qwen" | "stablelm2" | "hunyuan" | "solar-open" | "megrez" | "grok-2"
            | "kormo" | "f2llmv2" => Rules::cut(&[QWEN2]),
            "qwen35" => Rules::cut(&[QWEN35]),
            "ufakzeka" => Rules::cut(&[UFAKZEKA]),
            "laguna" => Rules::cut(&[LINES, QWEN2]),
            "seed-coder" => Rules::cut(&[SEED_CODER]),
            "bailingmoe" | "bailingmoe2" | "llada-moe" => Rules::cut(&[BAILING]),
            "exaone-moe" => Rules::cut(&[EXAONE_MOE]),
            "gpt-4o" | "llama4" | "kanana2" | "talkie" | "minimax-m2" => Rules::cut(&[O200K]),
            "granite-embed-multi-97m" => Rules { ignores_merges: true, ..Rules::cut(&[O200K]) },
            "tiny_aya" | "cohere2moe" => Rules::cut(&[r"\d{1,3}(?=(?:\d{3})*\b)", O200K]),
            "tekken" => Rules { ignores_merges: true, adds_bos: true, ..Rules::cut(&[TEKKEN]) },
            "youtu" => Rules { ignores_merges: true, ..Rules::cut(&[YOUTU_SCRIPTS, YOUTU]) },
            "kimi-k2" => Rules::cut(&[KIMI_K2]),
            "deepseek-v3" | "hunyuan-dense" | "joyai-llm" | "hy_v4" => {
                Rules::cut(&[r"\p{N}{1,3}", DEEPSEEK_CJK, DEEPSEEK_V3])
            }
            "spark2_5" => Rules::cut(&[r"\p{N}{1,3}", DEEPSEEK_CJK, SPARK, r"\p{N}"]),
            "afmoe" => Rules::cut(&[AFMOE_DIGITS, AFMOE_SCRIPTS, DEEPSEEK_V3]),
            "deepseek-llm" => Rules::cut(&[
                r"[\r\n]",
                DEEPSEEK_LETTERS,
                r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
                r"\s+\z",
                CJK_AND_MORE,
                r"\p{N}+",
            ]),
            "deepseek-coder" => Rules::cut(&[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", CJK_AND_MORE, r"\p{N}"]),
            "bloom" | "poro-chat" | "gpt3-finnish" => Rules::cut(&[BLOOM]),
            "viking" => Rules::cut(&[BLOOM, r"\p{N}"]),
            "superbpe" => Rules::cut(&[r"\p{N}+", r"(?=(\d{3})+(?!\d))"]),
            "chameleon" => Rules {
                adds_bos: true,
                ..Rules::cut(&[
                    "<sentinel:[0-9]+>",
                    "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z",
                    r"([\t\n]|    |  )",
                    r"\p{N}",
                    r"[\p{P}!-/:-@\[-`{-~]",
                    GPT2,
                ])
            },
            "gemma4" | "granite-embed-multi-311m" => {
                Rules { adds_bos: true, spells_spaces: true, keeps_newlines: true, ..Rules::cut(&[LINES]) }
            }
            "sarvam-moe" => Rules { spells_spaces: true, ..Rules::cut(&[LINES]) },
            other => {
                let hint = "without its rules the text would be cut into the wrong tokens";
                return Err(Error::unsupported("pre-tokenizer", other, hint));
            }
        })
    }

    /// The steps that cut a text.
    ///
    /// # Errors
    /// None in practice: the expressions are ours.
    pub fn steps(&self) -> Result<Vec<PreTokenizer>> {
        let split = |pattern: &&str| {
            let pattern = Pattern::Regex(Regex::new(pattern)?);
            Ok(PreTokenizer::Split { pattern, behavior: Behavior::Isolated, inverts: false })
        };
        self.patterns.iter().map(split).collect()
    }
}

const DEFAULT_PUNCTUATION: &str = r"[\p{P}$+<=>^~|]+";
const FALCON_PUNCTUATION: &str = r"[\p{P}$+<=>^~|`]+";
const THREE_DIGITS: &str = "[0-9][0-9][0-9]";
const LINES: &str = r"[^\n]+|[\n]+";
const CL100K: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const MINICPM5: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const JAIS_2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN35: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const UFAKZEKA: &str = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const SEED_CODER: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+";
const BAILING: &str = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";
const EXAONE_MOE: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+";
const O200K: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const KIMI_K2: &str = r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const YOUTU_SCRIPTS: &str = "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+";
const YOUTU: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const DEEPSEEK_CJK: &str = r"[一-龥\x{3040}-ゟ゠-ヿ]+";
const DEEPSEEK_V3: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;
const SPARK: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+"##;
/// Digits in threes from the right.
const AFMOE_DIGITS: &str = r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))";
const AFMOE_SCRIPTS: &str = r"[\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{F900}-\x{FAFF}\x{3040}-\x{309F}\x{30A0}-\x{30FF}\x{FF65}-\x{FF9F}\x{2F00}-\x{2FDF}\x{E40}-\x{E7F}\x{E80}-\x{EFF}\x{1780}-\x{17FF}\x{1000}-\x{109F}\x{AA60}-\x{AA7F}\x{A9E0}-\x{A9FF}\x{AC00}-\x{D7AF}\x{1100}-\x{11FF}]+";
const CJK_AND_MORE: &str = r"[一-龥\x{800}-一가-\x{D7FF}]+";
/// Both brackets and the bar are part of the set: the published expression writes an alternation inside `[^…]`.
const BLOOM: &str = r" ?[^(\s|.,!?…。，、।۔،)]+";
/// Letters of scripts with case: Latin, Greek, Cyrillic, Armenian, Georgian, Cherokee, …
const DEEPSEEK_LETTERS: &str = concat!(
    r"\s?[",
    r"A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}",
    r"\x{295}-\x{2AF}\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}",
    r"\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556}",
    r"\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}",
    r"\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}",
    r"\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}",
    r"\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}",
    r"\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}",
    r"\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128}",
    r"\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}",
    r"\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}",
    r"\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}",
    r"\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}",
    r"\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}",
    r"\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}",
    r"]+"
);

#[cfg(test)]
mod tests;
