//! The operations of transformer networks. An operation names its arrays by role; shapes follow from them.

use super::{Function, Linears, Place, Value};

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
    /// A token sees positions less than this far from its own, its own included: of the past where attention is
    /// causal, on both sides where it is not.
    pub window: Option<usize>,
    /// Scores become `cap * tanh(score / cap)` (Gemma 2).
    pub softcap: Option<f32>,
}

impl AttentionShape {
    /// Numbers in a row of queries.
    pub fn q_dim(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Numbers in a row of keys or of values.
    pub fn kv_dim(&self) -> usize {
        self.n_kv_heads * self.head_dim
    }
}

/// Which keys a row attends to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Keys {
    /// Rows of a cache up to the row's own position: `0..=pos + r`.
    Causal,
    /// Rows of a cache by a list for each row, oldest first: `table[r] = [n, slot of position 0, …, slot of position n - 1]`,
    /// where the last is the row's own. Sequences that share a beginning share its slots.
    Table(Value),
    /// Rows `first..end` of `k` and `v`, which are rows of this run: `spans[r] = [first, end]`. Several texts lie in
    /// one run one after the other, each seeing itself alone.
    Spans(Value),
    /// The first [`super::Run::n_keys`] rows: an encoder's.
    All,
}

/// Where the index of an embedding's row comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Index {
    /// A `u32` state, one index for each row.
    State(Value),
    /// The row's position, and so many more.
    Position(usize),
}

/// What a norm divides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NormKind {
    /// The root of the mean square (Zhang & Sennrich 2019).
    Rms,
    /// The standard deviation, after the mean was taken off (Ba et al. 2016).
    Layer,
}

/// How the scores of experts become weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Routing {
    /// Softmax over all, then the best are taken (Qwen-MoE, OLMoE).
    Softmax,
    /// The same, scaled so that those taken sum to one (Mixtral and Qwen3-MoE; for Mixtral it equals a softmax over the
    /// best, which is how gpt-oss says it).
    Normalized,
}

/// One operation. `x`, `y`, … are `[rows, cols]`; "per row" means for each of the run's rows.
#[derive(Debug, Clone)]
pub enum Op {
    /// `y[r] = table[index(r)]`, or `y[r] += …`.
    Embed {
        /// Which row of the table each row takes.
        index: Index,
        /// `[n, cols]`.
        table: Value,
        /// `[rows, cols]`.
        y: Value,
        /// Whether it is added to what `y` holds.
        add: bool,
    },
    /// `y = (x - mean) / sqrt(mean square + eps) * weight + bias` over each `group` of numbers of a row, where [`NormKind::Rms`]
    /// takes no mean off. A row that is several heads wide is normed head by head.
    Norm {
        /// What is divided by.
        kind: NormKind,
        /// `[rows, k * group]`.
        x: Value,
        /// `[group]`, the same for all groups, or `[k * group]`; none stands for ones.
        weight: Option<Value>,
        /// As `weight`; none stands for zeros.
        bias: Option<Value>,
        /// `[rows, k * group]`; may be `x`.
        y: Value,
        /// Numbers normed together.
        group: usize,
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
        /// `[n, rope_dims]`: cosine and sine by turns, for each position and pair; a run's positions count from
        /// [`super::Run::rope_start`].
        table: Value,
        /// Positions, one for each row; none stands for `pos + r`.
        positions: Option<Value>,
        /// Numbers in a head.
        head_dim: usize,
        /// Which numbers form a pair.
        style: RopeStyle,
    },
    /// Writes the rows' keys or values to the cache: `cache[slot(r)] = x[r]`.
    CacheWrite {
        /// `[rows, n_kv_heads * head_dim]`.
        x: Value,
        /// `[n_slots, n_kv_heads * head_dim]`.
        cache: Value,
        /// Slots, one for each row; none stands for `pos + r`.
        slots: Option<Value>,
    },
    /// Attention with an online softmax (Milakov & Gimelshein 2018).
    Attention {
        /// `[rows, n_heads * head_dim]`; a fused plan has keys and values behind them in each row.
        q: Value,
        /// `[n_keys, n_kv_heads * head_dim]`.
        k: Value,
        /// `[n_keys, n_kv_heads * head_dim]`.
        v: Value,
        /// `[rows, n_heads * head_dim]`.
        y: Value,
        /// Heads and scale.
        shape: AttentionShape,
        /// What each row sees.
        keys: Keys,
        /// Added to the scores by distance, `[n_heads, span]`: ALiBi (Press et al. 2022) and T5's buckets (Raffel et al. 2020).
        /// Column `span - 1` stands for the row itself where keys are causal, column `(span - 1) / 2` elsewhere; the column
        /// before it for the key before.
        bias: Option<Value>,
        /// `[n_heads]`: a score of a key without a value, which takes its part of the softmax (gpt-oss).
        sinks: Option<Value>,
    },
    /// `x = f(x)`, number by number, in place.
    Map {
        /// `[rows, n]`.
        x: Value,
        /// What is applied.
        f: Function,
    },
    /// `gate = f(gate) * up`, in place (Shazeer 2020).
    Gate {
        /// `[rows, n_ff]`.
        gate: Value,
        /// `[rows, n_ff]`, or `[rows, 1]`: one number for the whole row; of a weight, `[1, n_ff]`: the same for all rows.
        up: Value,
        /// What is applied to the gate.
        f: Function,
    },
    /// `y += x`.
    Add {
        /// `[rows, n]`.
        x: Value,
        /// `[rows, n]`.
        y: Value,
    },
    /// The mean of each row's span: `y[r] = mean(x[first..end])`.
    Mean {
        /// `[rows, n]`.
        x: Value,
        /// As in [`Keys::Spans`].
        spans: Value,
        /// `[rows, n]`.
        y: Value,
    },
    /// Chooses the `k` best experts of each row.
    Route {
        /// `[rows, n_experts]`.
        scores: Value,
        /// `[rows, 2 k]`: their numbers, then their weights.
        experts: Value,
        /// How scores become weights.
        routing: Routing,
    },
    /// A linear layer of each of a row's `k` experts: `y[r, j] = x[r, j] w[expert(r, j)]ᵀ (+ bias[expert(r, j)])`. Slots
    /// `j` lie [`super::padded`] apart; `x` may also be one slot that all experts read.
    ExpertLinear {
        /// `[rows, n_in]` or `[rows, k * padded(n_in)]`.
        x: Value,
        /// `[n_experts * n_out, n_in]`.
        w: Value,
        /// `[n_experts * n_out]`.
        bias: Option<Value>,
        /// As in [`Op::Route`].
        experts: Value,
        /// `[rows, k * padded(n_out)]`; what is behind a slot's outputs becomes zero.
        y: Value,
        /// Outputs of one expert.
        n_out: usize,
    },
    /// `y[r] += Σ weight(r, j) x[r, j]` over a row's experts.
    Combine {
        /// `[rows, k * padded(n)]`.
        x: Value,
        /// As in [`Op::Route`].
        experts: Value,
        /// `[rows, n]`.
        y: Value,
    },
    /// `y = x`, or the run's last row alone: `y[0] = x[n_rows - 1]`.
    Copy {
        /// `[rows, n]`.
        x: Value,
        /// `[rows, n]`, or `[1, n]`.
        y: Value,
        /// Whether only the last row counts.
        last: bool,
    },
    /// `y = logits + bias` for tokens that may come, minus infinity for all others.
    Mask {
        /// `[1, n_vocab]`.
        logits: Value,
        /// `[1, n_vocab]`; a number or minus infinity.
        bias: Value,
        /// `[1, ceil(n_vocab / 32)]`: bit `i % 32` of word `i / 32` says whether token `i` may come.
        allowed: Value,
        /// `[1, n_vocab]`.
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
    /// Several linear layers and their surroundings as one: made by [`super::fuse`] alone.
    Linears(Linears),
    /// All that happens between them and an attention, likewise.
    Place(Place),
}

impl Op {
    /// The kernel's name, as in `shaders/<name>.wgsl` and in profiles.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Embed { .. } => "embed",
            Op::Norm { .. } => "norm",
            Op::Linear { .. } => "linear",
            Op::Rope { .. } => "rope",
            Op::CacheWrite { .. } => "cache_write",
            Op::Attention { .. } => "attention",
            Op::Map { .. } => "map",
            Op::Gate { .. } => "gate",
            Op::Add { .. } => "add",
            Op::Mean { .. } => "mean",
            Op::Route { .. } => "route",
            Op::ExpertLinear { .. } => "expert_linear",
            Op::Combine { .. } => "combine",
            Op::Copy { .. } => "copy",
            Op::Mask { .. } => "mask",
            Op::Penalize { .. } => "penalize",
            Op::Sample { .. } => "sample",
            Op::Linears(_) => "linears",
            Op::Place(_) => "place",
        }
    }

    /// The values that are read.
    pub fn reads(&self) -> Vec<Value> {
        let some = |values: &[Option<Value>]| values.iter().flatten().copied().collect();
        match *self {
            Op::Embed { index, table, y, add } => {
                let ids = match index {
                    Index::State(ids) => Some(ids),
                    Index::Position(_) => None,
                };
                some(&[ids, Some(table), add.then_some(y)])
            }
            Op::Norm { x, weight, bias, .. } => some(&[Some(x), weight, bias]),
            Op::Linear { x, w, bias, y, add } => some(&[Some(x), Some(w), bias, add.then_some(y)]),
            Op::Rope { x, table, positions, .. } => some(&[Some(x), Some(table), positions]),
            Op::CacheWrite { x, slots, .. } => some(&[Some(x), slots]),
            Op::Attention { q, k, v, keys, bias, sinks, .. } => {
                let list = match keys {
                    Keys::Table(list) | Keys::Spans(list) => Some(list),
                    Keys::Causal | Keys::All => None,
                };
                some(&[Some(q), Some(k), Some(v), list, bias, sinks])
            }
            Op::Map { x, .. } => vec![x],
            Op::Gate { gate, up, .. } => vec![gate, up],
            Op::Add { x, y } => vec![x, y],
            Op::Mean { x, spans, .. } => vec![x, spans],
            Op::Route { scores, .. } => vec![scores],
            Op::ExpertLinear { x, w, bias, experts, .. } => some(&[Some(x), Some(w), bias, Some(experts)]),
            Op::Combine { x, experts, y } => vec![x, experts, y],
            Op::Copy { x, .. } => vec![x],
            Op::Mask { logits, bias, allowed, .. } => vec![logits, bias, allowed],
            Op::Penalize { logits, counts, .. } => vec![logits, counts],
            Op::Sample { scores, .. } => vec![scores],
            Op::Linears(ref fused) => fused.reads(),
            Op::Place(ref fused) => fused.reads(),
        }
    }

    /// The values that are written.
    pub fn writes(&self) -> Vec<Value> {
        match *self {
            Op::Embed { y, .. }
            | Op::Norm { y, .. }
            | Op::Linear { y, .. }
            | Op::Attention { y, .. }
            | Op::Add { y, .. }
            | Op::Mean { y, .. }
            | Op::ExpertLinear { y, .. }
            | Op::Combine { y, .. }
            | Op::Copy { y, .. }
            | Op::Mask { y, .. }
            | Op::Penalize { y, .. } => vec![y],
            Op::Rope { x, .. } | Op::Map { x, .. } => vec![x],
            Op::Gate { gate, .. } => vec![gate],
            Op::Route { experts, .. } => vec![experts],
            Op::CacheWrite { cache, .. } => vec![cache],
            Op::Sample { counts, ids, .. } => vec![counts, ids],
            Op::Linears(ref fused) => vec![fused.y],
            Op::Place(ref fused) => fused.writes(),
        }
    }
}
