//! The decoder's layers, in the paper's order, written once for every family and every kind of run.

use std::rc::Rc;

use super::Config;
use crate::{
    error::{Error, Result},
    format::Checkpoint,
    plan::{Builder, Plan, Stage, Value},
    quant::DType,
};

/// State that holds the run's token ids, one per row; sampling leaves the next token in its first place.
pub const IDS: &str = "ids";
/// State that holds the last row's logits: `[1, n_vocab]`.
pub const LOGITS: &str = "logits";
/// State that holds every row's logits in a plan of [`Output::AllLogits`]: `[max_rows, n_vocab]`.
pub const ALL_LOGITS: &str = "all_logits";
/// State that holds how often each token occurred: see [`crate::plan::Op::Penalize`].
pub const COUNTS: &str = "counts";

/// What a plan computes after the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Logits of the last row, then the next token.
    NextToken,
    /// Logits of every row.
    AllLogits,
}

/// The names and types of a checkpoint's weights, checked against the Config's shapes as the layers ask for them.
pub struct Weights<'a> {
    checkpoint: &'a Checkpoint,
    n_ctx: usize,
    rope_table: Rc<[f32]>, // [n_ctx, rope.dims]
}

impl<'a> Weights<'a> {
    /// Over `checkpoint`, for a context of `n_ctx` positions.
    ///
    /// # Errors
    /// [`Error::Format`] if the rotation factors have the wrong shape or values, [`Error::Source`] if they cannot be read.
    pub async fn open(checkpoint: &'a Checkpoint, config: &Config, n_ctx: usize) -> Result<Weights<'a>> {
        let mut weights = Weights { checkpoint, n_ctx, rope_table: Rc::default() };
        let factors = weights.rope_factors(config.rope.dims / 2).await?;
        weights.rope_table = config.rope.table(n_ctx, factors.as_deref())?;
        Ok(weights)
    }

    /// What Llama 3's files divide the frequencies of RoPE by: `[n]`.
    async fn rope_factors(&self, n: usize) -> Result<Option<Vec<f32>>> {
        let name = "rope_freqs.weight";
        let Some(info) = self.checkpoint.tensors.get(name) else { return Ok(None) };
        self.check(name, &[n])?;
        let mut factors = vec![0.0; n];
        let bytes = self.checkpoint.read(info, 0, info.n_bytes as usize).await?;
        info.dtype.info().dequantize_row(&bytes, &mut factors);
        match factors.iter().all(|f| f.is_finite() && *f > 0.0) {
            true => Ok(Some(factors)),
            false => Err(self.bad(name, "a factor is not a positive number".into())),
        }
    }

    fn bad(&self, name: &str, problem: String) -> Error {
        let info = self.checkpoint.tensors.get(name);
        Error::format(&self.checkpoint.metadata.file, name, info.map_or(0, |t| t.offset), problem)
    }

    fn has(&self, name: &str) -> bool {
        self.checkpoint.tensors.contains_key(name)
    }

    fn check(&self, name: &str, shape: &[usize]) -> Result<DType> {
        let info = self
            .checkpoint
            .tensors
            .get(name)
            .ok_or_else(|| self.bad(name, "the tensor is missing".into()))?;
        if info.shape != shape {
            let problem = format!("its shape is {:?}, the metadata call for {shape:?}", info.shape);
            return Err(self.bad(name, problem));
        }
        Ok(info.dtype)
    }

    fn matrix(&self, b: &mut Builder, name: &str, n_out: usize, n_in: usize) -> Result<Value> {
        let dtype = self.check(name, &[n_out, n_in])?;
        Ok(b.matrix(name, dtype, n_out, n_in))
    }

    fn vector(&self, b: &mut Builder, name: &str, n: usize) -> Result<Value> {
        self.check(name, &[n])?;
        Ok(b.vector(name, n))
    }

    fn opt_vector(&self, b: &mut Builder, name: &str, n: usize) -> Result<Option<Value>> {
        if self.has(name) { self.vector(b, name, n).map(Some) } else { Ok(None) }
    }
}

/// The plan of a decoder for runs of up to `max_rows` tokens.
///
/// # Errors
/// [`Error::Format`] naming the tensor that is missing or has another shape than the Config calls for.
pub fn decoder_plan(
    name: &str,
    config: &Config,
    weights: &Weights,
    max_rows: usize,
    output: Output,
) -> Result<Plan> {
    let mut b = Builder::new(name, max_rows);
    let ids = b.state_u32(IDS, weights.n_ctx);
    let table = weights.matrix(&mut b, "token_embd.weight", config.n_vocab, config.n_embd)?;
    let rope = b.constant("rope", weights.rope_table.clone(), config.rope.dims);

    let x = b.embed(ids, table); // [rows, n_embd]
    for i in 0..config.n_layers {
        attention_block(&mut b, config, weights, i, x, rope)?;
        feed_forward_block(&mut b, config, weights, i, x)?;
    }

    b.stage(Stage::Logits);
    let norm = weights.vector(&mut b, "output_norm.weight", config.n_embd)?;
    let head = match weights.has("output.weight") {
        true => weights.matrix(&mut b, "output.weight", config.n_vocab, config.n_embd)?,
        false => table, // tied
    };
    let (x, rows) = match output {
        Output::NextToken => (b.last_row(x), 1),
        Output::AllLogits => (x, max_rows),
    };
    let x = b.rms_norm(x, norm, config.norm_eps);
    let logits = match output {
        Output::NextToken => b.state(LOGITS, rows, config.n_vocab),
        Output::AllLogits => b.state(ALL_LOGITS, rows, config.n_vocab),
    };
    b.linear_to(x, head, None, logits, false);

    if output == Output::NextToken {
        b.stage(Stage::Sample);
        let counts = b.state_u32(COUNTS, config.n_vocab);
        b.sample(logits, counts, ids);
    }
    Ok(b.finish())
}

/// `x += wo(attention(norm(x)))`.
fn attention_block(
    b: &mut Builder,
    config: &Config,
    weights: &Weights,
    i: usize,
    x: Value,    // [rows, n_embd], updated
    rope: Value, // [n_ctx, rope.dims]
) -> Result<()> {
    let shape = config.attention;
    let q_dim = shape.n_heads * shape.head_dim;
    let kv_dim = shape.n_kv_heads * shape.head_dim;
    let n = |part: &str| format!("blk.{i}.{part}");

    let norm = weights.vector(b, &n("attn_norm.weight"), config.n_embd)?;
    let wq = weights.matrix(b, &n("attn_q.weight"), q_dim, config.n_embd)?;
    let wk = weights.matrix(b, &n("attn_k.weight"), kv_dim, config.n_embd)?;
    let wv = weights.matrix(b, &n("attn_v.weight"), kv_dim, config.n_embd)?;
    let wo = weights.matrix(b, &n("attn_output.weight"), config.n_embd, q_dim)?;
    let bq = weights.opt_vector(b, &n("attn_q.bias"), q_dim)?;
    let bk = weights.opt_vector(b, &n("attn_k.bias"), kv_dim)?;
    let bv = weights.opt_vector(b, &n("attn_v.bias"), kv_dim)?;
    let bo = weights.opt_vector(b, &n("attn_output.bias"), config.n_embd)?;
    let q_norm = weights.opt_vector(b, &n("attn_q_norm.weight"), shape.head_dim)?;
    let k_norm = weights.opt_vector(b, &n("attn_k_norm.weight"), shape.head_dim)?;
    let k_cache = b.state(&format!("k_cache.{i}"), weights.n_ctx, kv_dim);
    let v_cache = b.state(&format!("v_cache.{i}"), weights.n_ctx, kv_dim);

    let h = b.rms_norm(x, norm, config.norm_eps);
    let q = b.linear(h, wq, bq, "q");
    let k = b.linear(h, wk, bk, "k");
    let v = b.linear(h, wv, bv, "v");
    if let Some(norm) = q_norm {
        b.rms_norm_in_place(q, norm, config.norm_eps);
    }
    if let Some(norm) = k_norm {
        b.rms_norm_in_place(k, norm, config.norm_eps);
    }
    b.rope(q, rope, shape.head_dim, config.rope.style);
    b.rope(k, rope, shape.head_dim, config.rope.style);
    b.cache_write(k, k_cache);
    b.cache_write(v, v_cache);
    let y = b.attention(q, k_cache, v_cache, shape);
    b.linear_add(y, wo, bo, x);
    Ok(())
}

/// `x += down(silu(gate(h)) * up(h))` with `h = norm(x)`.
fn feed_forward_block(b: &mut Builder, config: &Config, weights: &Weights, i: usize, x: Value) -> Result<()> {
    let n = |part: &str| format!("blk.{i}.{part}");
    let norm = weights.vector(b, &n("ffn_norm.weight"), config.n_embd)?;
    let w_gate = weights.matrix(b, &n("ffn_gate.weight"), config.n_ff, config.n_embd)?;
    let w_up = weights.matrix(b, &n("ffn_up.weight"), config.n_ff, config.n_embd)?;
    let w_down = weights.matrix(b, &n("ffn_down.weight"), config.n_embd, config.n_ff)?;

    let h = b.rms_norm(x, norm, config.norm_eps);
    let gate = b.linear(h, w_gate, None, "gate");
    let up = b.linear(h, w_up, None, "up");
    b.swiglu(gate, up);
    b.linear_add(gate, w_down, None, x);
    Ok(())
}
