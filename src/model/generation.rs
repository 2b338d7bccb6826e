//! How a model wants its text to be generated, where the caller does not say: `generation_config.json`, or a GGUF file's keys.

/// Parameters that a model's files set; none where they do not. Names are transformers'.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GenerationDefaults {
    /// Tokens that end a text.
    pub eos: Vec<u32>,
    /// The token that begins a text.
    pub bos: Option<u32>,
    /// The token that fills batches up.
    pub pad: Option<u32>,
    /// The token that a decoder's text begins with.
    pub decoder_start: Option<u32>,
    /// The first token after it.
    pub forced_bos: Option<u32>,
    /// The last token where a text is cut at its longest.
    pub forced_eos: Option<u32>,
    /// Tokens of the whole text, the prompt's included.
    pub max_length: Option<usize>,
    /// Tokens after the prompt.
    pub max_new_tokens: Option<usize>,
    /// Whether tokens are drawn, or the best is taken.
    pub do_sample: Option<bool>,
    pub temperature: Option<f32>,
    pub top_k: Option<u32>,
    pub top_p: Option<f32>,
    pub min_p: Option<f32>,
    pub repetition_penalty: Option<f32>,
    pub num_beams: Option<usize>,
    pub length_penalty: Option<f32>,
    pub early_stopping: Option<EarlyStopping>,
    pub no_repeat_ngram_size: Option<usize>,
    pub min_length: Option<usize>,
    /// Tokens that are never generated.
    pub suppress: Vec<u32>,
    /// Tokens that are not generated first.
    pub begin_suppress: Vec<u32>,
    /// Sequences that are never generated.
    pub bad_words: Vec<Vec<u32>>,
    /// Added to the score of a sequence's last token where the text ends in the tokens before it.
    pub sequence_bias: Vec<(Vec<u32>, f32)>,
    pub min_new_tokens: Option<usize>,
    pub encoder_repetition_penalty: Option<f32>,
    pub encoder_no_repeat_ngram_size: Option<usize>,
    pub exponential_decay_length_penalty: Option<(usize, f32)>,
    pub renormalize_logits: bool,
    /// Options that change what is generated, are switched on, and are not run: to be refused by name.
    pub not_run: Vec<String>,
}

/// When beam search ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyStopping {
    /// As soon as there are as many finished texts as beams.
    Yes,
    /// When a better one is unlikely.
    No,
    /// When a better one is impossible.
    Never,
}
