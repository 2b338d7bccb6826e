//! What changes from token to token. It is one small uniform buffer on the GPU, laid out as `shaders/lib/run.wgsl`.

/// How the next token is chosen, in this order, which is that of Hugging Face transformers: penalties, temperature,
/// top-k, top-p, min-p, draw. Each filter keeps the tokens that tie with the last one kept.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Sampling {
    /// Logits are divided by it; 0 takes the best token and skips the rest.
    pub temperature: f32,
    /// Keep the `k` best; 0 keeps all.
    pub top_k: u32,
    /// Keep the smallest set of best tokens whose probability is at least this (Holtzman et al. 2019); 1 keeps all.
    pub top_p: f32,
    /// Keep tokens at least this probable relative to the best (Nguyen et al. 2024); 0 keeps all.
    pub min_p: f32,
    /// Positive logits of tokens that occurred are divided by it, negative ones multiplied; 1 is off.
    pub repetition_penalty: f32,
    /// Subtracted from the logit of a token that was generated; 0 is off.
    pub presence_penalty: f32,
    /// Subtracted from the logit once for each time the token was generated; 0 is off.
    pub frequency_penalty: f32,
    /// The random stream, low half.
    pub seed_low: u32,
    /// The random stream, high half.
    pub seed_high: u32,
}

impl Sampling {
    /// Always the best token.
    pub const GREEDY: Sampling = Sampling {
        temperature: 0.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        repetition_penalty: 1.0,
        presence_penalty: 0.0,
        frequency_penalty: 0.0,
        seed_low: 0,
        seed_high: 0,
    };

    /// Whether any penalty looks at the counts.
    pub fn has_penalties(&self) -> bool {
        self.repetition_penalty != 1.0 || self.presence_penalty != 0.0 || self.frequency_penalty != 0.0
    }
}

/// The parameters of one run of a plan.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Run {
    /// Position in the context of the first row.
    pub pos: u32,
    /// Rows (tokens) in this run.
    pub n_rows: u32,
    /// How many tokens were drawn before: the counter of the random stream.
    pub draw: u32,
    /// Rows of [`super::Keys::All`]: how long the encoder's text is.
    pub n_keys: u32,
    /// The row of the rotation tables that position 0 has: models whose rotation depends on the text's length keep
    /// several tables in one.
    pub rope_start: u32,
    /// How the next token is chosen.
    pub sampling: Sampling,
}

impl Run {
    /// `n_rows` rows from position `pos` on, sampling greedily.
    pub fn new(pos: usize, n_rows: usize) -> Run {
        let (pos, n_rows) = (pos as u32, n_rows as u32);
        Run { pos, n_rows, draw: 0, n_keys: 0, rope_start: 0, sampling: Sampling::GREEDY }
    }

    /// What a sampler writes instead of a token's id when the scores are not finite.
    pub const NOT_FINITE: u32 = u32::MAX;
    /// In a count of [`super::Op::Penalize`]: the prompt has the token.
    pub const IN_PROMPT: u32 = 1 << 31;
}
