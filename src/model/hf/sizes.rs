//! What all families have: sizes and heads, under the names that their configs give them.

use super::Keys;
use crate::{
    error::{Error, Result},
    format::Checkpoint,
    model::{FeedForward, Layer, NormConfig, QkNorm, Residual, Rope, Stack, check_head_dim},
    plan::{AttentionShape, Function, NormKind},
};

/// Names of sizes in the configs of all families.
const N_EMBD: &[&str] = &["hidden_size", "n_embd", "d_model", "dim", "n_embed"];
const N_LAYERS: &[&str] = &["num_hidden_layers", "n_layer", "n_layers", "num_layers"];
const N_HEADS: &[&str] = &["num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads"];
const N_KV_HEADS: &[&str] = &["num_key_value_heads", "num_kv_heads"];
const N_FF: &[&str] = &["intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "d_ff", "hidden_dim"];
const N_CTX: &[&str] = &["max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx"];

/// The sizes of a model. As a constant, the defaults of a family's class: there 0 stands for what follows from the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub n_vocab: usize,
    pub n_ctx: usize,
    pub n_embd: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    /// 0: as many as heads.
    pub n_kv_heads: usize,
    /// 0: the width divided by the heads.
    pub head_dim: usize,
    /// 0: four times the width.
    pub n_ff: usize,
}

impl Sizes {
    /// Sizes that follow the defaults in what they do not name.
    ///
    /// # Errors
    /// [`Error::Format`] for sizes that cannot be or do not fit each other.
    pub fn read(keys: &Keys, checkpoint: &Checkpoint, defaults: Sizes) -> Result<Sizes> {
        let n_embd = keys.size(N_EMBD, defaults.n_embd)?;
        let n_heads = keys.size(N_HEADS, defaults.n_heads)?;
        let n_kv_heads = match defaults.n_kv_heads {
            _ if N_KV_HEADS.iter().any(|name| keys.is_null(name)) => n_heads,
            0 => n_heads,
            n => n,
        };
        let head_dim = match keys.opt_size(&["head_dim", "d_kv"])? {
            Some(n) => n,
            None if defaults.head_dim > 0 && !keys.is_null("head_dim") => defaults.head_dim,
            None if n_embd % n_heads == 0 => n_embd / n_heads,
            None => {
                let problem = format!("{n_heads} heads do not divide the width {n_embd}");
                return Err(keys.bad(keys.name_of(N_HEADS), problem));
            }
        };
        let n_ff = if defaults.n_ff > 0 { defaults.n_ff } else { 4 * n_embd };
        Ok(Sizes {
            n_vocab: keys.size(&["vocab_size"], defaults.n_vocab)?,
            n_ctx: keys.size(N_CTX, defaults.n_ctx)?,
            n_embd,
            n_layers: layers(keys, checkpoint, N_LAYERS, defaults.n_layers)?,
            n_heads,
            n_kv_heads: keys.size(N_KV_HEADS, n_kv_heads)?,
            head_dim,
            n_ff: keys.size(N_FF, n_ff)?,
        })
    }

    /// The attention's heads, scaled as usual.
    ///
    /// # Errors
    /// [`Error::Format`] for heads that do not fit each other, [`Error::Unsupported`] for a head size that is not run.
    pub fn attention(&self, keys: &Keys) -> Result<AttentionShape> {
        let Sizes { n_heads, n_kv_heads, head_dim, .. } = *self;
        if n_heads % n_kv_heads != 0 {
            let problem = format!("{n_kv_heads} key/value heads do not divide {n_heads} heads");
            return Err(keys.bad(keys.name_of(N_KV_HEADS), problem));
        }
        check_head_dim(head_dim)?;
        keys.product(keys.name_of(N_HEADS), n_heads, head_dim)?;
        let scale = 1.0 / (head_dim as f32).sqrt();
        Ok(AttentionShape { n_heads, n_kv_heads, head_dim, scale, window: None, softcap: None })
    }

    /// A decoder's stack with RMS norms before its sublayers and a gated feed-forward; no positions yet.
    ///
    /// # Errors
    /// As [`Sizes::attention`].
    pub fn stack(&self, keys: &Keys) -> Result<Stack> {
        Ok(Stack {
            prefix: "",
            n_embd: self.n_embd,
            embedding_scale: 1.0,
            positions: None,
            embedding_norm: false,
            layers: vec![Layer::default(); self.n_layers],
            layer_groups: None,
            attention: self.attention(keys)?,
            causal: true,
            cross: false,
            ropes: Vec::new(),
            score_bias: None,
            qk_norm: QkNorm::None,
            clip_qkv: None,
            sinks: false,
            norm: NormConfig { kind: NormKind::Rms, eps: 1e-6, weights: true },
            residual: Residual::Pre,
            residual_scale: 1.0,
            feed_forward: FeedForward {
                n_ff: self.n_ff,
                activation: Function::Silu,
                gated: true,
                experts: None,
            },
            final_norm: true,
        })
    }
}

/// Layers, of which each has tensors.
pub(super) fn layers(keys: &Keys, checkpoint: &Checkpoint, names: &[&str], default: usize) -> Result<usize> {
    let n = keys.size(names, default)?;
    match n <= checkpoint.tensors.len() {
        true => Ok(n),
        false => {
            Err(keys
                .bad(keys.name_of(names), format!("{n} layers, but {} tensors", checkpoint.tensors.len())))
        }
    }
}

/// All layers rotate by `rope`.
pub(super) fn rotate(stack: &mut Stack, rope: Rope) {
    stack.ropes = vec![rope];
    stack.layers.iter_mut().for_each(|layer| layer.rope = Some(0));
}

/// Layer norms instead of RMS norms, and a feed-forward without a gate.
pub(super) fn with_layer_norms(stack: &mut Stack, eps: f32, activation: Function) {
    stack.norm = NormConfig { kind: NormKind::Layer, eps, weights: true };
    stack.feed_forward.activation = activation;
    stack.feed_forward.gated = false;
}

/// Which layers see a window alone: as `layer_types` says, else by `rule`.
///
/// # Errors
/// [`Error::Unsupported`] for a type of layer that is not run, [`Error::Format`] for a list of another length.
pub(super) fn sliding(keys: &Keys, n_layers: usize, rule: impl Fn(usize) -> bool) -> Result<Vec<bool>> {
    let Some(types) = keys.opt_list("layer_types")? else { return Ok((0..n_layers).map(rule).collect()) };
    if types.len() != n_layers {
        return Err(keys.bad("layer_types", format!("it has {} entries, not {n_layers}", types.len())));
    }
    let is_sliding = |kind: &serde_json::Value| match kind.as_str() {
        Some("sliding_attention") => Ok(true),
        Some("full_attention") => Ok(false),
        _ => Err(Error::unsupported(
            "layer type",
            kind.to_string(),
            "full_attention and sliding_attention are run",
        )),
    };
    types.iter().map(is_sliding).collect()
}

/// Gives the layers marked by `sliding` their window.
pub(super) fn set_windows(stack: &mut Stack, sliding: &[bool], window: Option<usize>) {
    for (layer, sliding) in stack.layers.iter_mut().zip(sliding) {
        layer.window = window.filter(|_| *sliding);
    }
}
