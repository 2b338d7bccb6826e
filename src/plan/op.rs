//! The operations of transformer networks. An operation names its arrays by role; shapes follow from them.

use super::Value;

/// How RoPE pairs the numbers of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RopeStyle {
    /// `(x[2i], x[2i + 1])`: the original paper (Su et al. 2021) and GGUF files of the Llama family.
    Interleaved,
    /// `(x[i], x[i + d/2])`: GPT-NeoX, Qwen.
    Halves,
}

/// Sizes of one attention.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionShape {
    /// Query heads.
    pub n_heads: usize,
    /// Key/value heads; each serves `n_heads / n_kv_heads` query heads (Ainslie et al. 2023).
    pub n_kv_heads: usize,
    /// Numbers in a head.
    pub head_dim: usize,
    /// What scores are multiplied with, `1 / sqrt(head_dim)` as a rule.
    pub scale: f32,
    /// A token sees at most this many of the latest positions, itself included.
    pub window: Option<usize>,
}

/// One operation. `x`, `y`, … are `[rows, cols]`; "per row" means for each of the run's rows.
#[derive(Debug, Clone)]
pub enum Op {
    /// `y[r] = table[ids[r]]`.
    Embed {
        /// Token ids, one per row.
        ids: Value,
        /// `[n_vocab, n_embd]`.
        table: Value,
        /// `[rows, n_embd]`.
        y: Value,
    },
    /// `y = x / sqrt(mean(x²) + eps) * weight`, over each group of `weight.cols` numbers of a row
    /// (Zhang & Sennrich 2019). A row that is several heads wide is normed head by head.
    RmsNorm {
        /// `[rows, k * n]`.
        x: Value,
        /// `[n]`.
        weight: Value,
        /// `[rows, k * n]`; may be `x`.
        y: Value,
        /// Keeps the root from zero.
        eps: f32,
    },
    /// `y = x wᵀ (+ bias)`, or `y += …`.
    Linear {
        /// `[rows, n_in]`.
        x: Value,
        /// `[n_out, n_in]`.
        w: Value,
        /// `[n_out]`.
        bias: Option<Value>,
        /// `[rows, n_out]`.
        y: Value,
        /// Whether the product is added to what `y` holds: the end of a residual branch.
        add: bool,
    },
    /// Rotates the first `table.cols` numbers of each head of `x`, in place, by the angle of the row's position.
    Rope {
        /// `[rows, n_heads * head_dim]`.
        x: Value,
        /// `[n_ctx, rope_dims]`: cosine and sine by turns, for each position and pair.
        table: Value,
        /// Numbers in a head.
        head_dim: usize,
        /// Which numbers form a pair.
        style: RopeStyle,
    },
    /// Writes the rows' keys or values to the cache at the rows' positions: `cache[pos + r] = x[r]`.
    CacheWrite {
        /// `[rows, n_kv_heads * head_dim]`.
        x: Value,
        /// `[n_ctx, n_kv_heads * head_dim]`.
        cache: Value,
    },
    /// Causal attention over the cache with an online softmax (Milakov & Gimelshein 2018): row `r` sees positions `0..=pos + r`.
    Attention {
        /// `[rows, n_heads * head_dim]`.
        q: Value,
        /// `[n_ctx, n_kv_heads * head_dim]`.
        k_cache: Value,
        /// `[n_ctx, n_kv_heads * head_dim]`.
        v_cache: Value,
        /// `[rows, n_heads * head_dim]`.
        y: Value,
        /// Heads and scale.
        shape: AttentionShape,
    },
    /// `gate = silu(gate) * up`, in place (Shazeer 2020).
    SwiGlu {
        /// `[rows, n_ff]`.
        gate: Value,
        /// `[rows, n_ff]`.
        up: Value,
    },
    /// The run's last row alone: `y[0] = x[n_rows - 1]`.
    LastRow {
        /// `[rows, n]`.
        x: Value,
        /// `[1, n]`.
        y: Value,
    },
    /// Repetition penalty (Keskar et al. 2019), presence and frequency penalties, from how often each token stands
    /// in the prompt and in what was generated: see [`super::Sampling`].
    Penalize {
        /// `[1, n_vocab]`.
        logits: Value,
        /// `[1, n_vocab]`: bit 31 set if the prompt has the token; below, its count among generated tokens.
        counts: Value,
        /// `[1, n_vocab]`.
        y: Value,
    },
    /// Draws the next token: see [`super::Sampling`]. Counts it, and leaves it where the next run embeds it.
    Sample {
        /// `[1, n_vocab]`.
        scores: Value,
        /// `[1, n_vocab]`, as in [`Op::Penalize`].
        counts: Value,
        /// Its first element gets the token's id, or [`super::Run::NOT_FINITE`].
        ids: Value,
    },
}

impl Op {
    /// The kernel's name, as in `shaders/<name>.wgsl` and in profiles.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Embed { .. } => "embed",
            Op::RmsNorm { .. } => "rms_norm",
            Op::Linear { .. } => "linear",
            Op::Rope { .. } => "rope",
            Op::CacheWrite { .. } => "cache_write",
            Op::Attention { .. } => "attention",
            Op::SwiGlu { .. } => "swiglu",
            Op::LastRow { .. } => "last_row",
            Op::Penalize { .. } => "penalize",
            Op::Sample { .. } => "sample",
        }
    }

    /// The values that are read.
    pub fn reads(&self) -> Vec<Value> {
        match *self {
            Op::Embed { ids, table, .. } => vec![ids, table],
            Op::RmsNorm { x, weight, .. } => vec![x, weight],
            Op::Linear { x, w, bias, y, add } => {
                [Some(x), Some(w), bias, add.then_some(y)].into_iter().flatten().collect()
            }
            Op::Rope { x, table, .. } => vec![x, table],
            Op::CacheWrite { x, .. } => vec![x],
            Op::Attention { q, k_cache, v_cache, .. } => vec![q, k_cache, v_cache],
            Op::SwiGlu { gate, up } => vec![gate, up],
            Op::LastRow { x, .. } => vec![x],
            Op::Penalize { logits, counts, .. } => vec![logits, counts],
            Op::Sample { scores, .. } => vec![scores],
        }
    }

    /// The values that are written.
    pub fn writes(&self) -> Vec<Value> {
        match *self {
            Op::Embed { y, .. }
            | Op::RmsNorm { y, .. }
            | Op::Linear { y, .. }
            | Op::Attention { y, .. }
            | Op::LastRow { y, .. }
            | Op::Penalize { y, .. } => vec![y],
            Op::Rope { x, .. } => vec![x],
            Op::SwiGlu { gate, .. } => vec![gate],
            Op::CacheWrite { cache, .. } => vec![cache],
            Op::Sample { counts, ids, .. } => vec![counts, ids],
        }
    }
}
