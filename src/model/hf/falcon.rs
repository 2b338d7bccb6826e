//! Falcon in its four shapes.

use super::{
    Found, Reading, Sizes,
    gpt::MEGATRON_MLP,
    names::{Fused, all, qkv},
    rope::{RopeDefaults, rope},
    sizes::{rotate, with_layer_norms},
};
use crate::{
    error::Result,
    model::{Residual, ScoreBias, alibi_slopes},
    plan::Function,
};

const FALCON: Sizes = Sizes {
    n_vocab: 65_024,
    n_ctx: 2048,
    n_embd: 4544,
    n_layers: 32,
    n_heads: 71,
    n_kv_heads: 0,
    head_dim: 0,
    n_ff: 0,
};

/// The 7B model has one key/value head for all and one norm for attention and feed-forward side by side; the 40B model groups
/// of heads and two norms; the 11B model groups and one norm; the first ones ("RW") a key/value head for each, biases by
/// distance, and one sublayer after the other.
pub fn falcon<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut sizes = r.sizes(FALCON)?;
    let new = r.keys.flag("new_decoder_architecture", false)?;
    if !new {
        sizes.n_kv_heads = if r.keys.flag("multi_query", true)? { 1 } else { sizes.n_heads };
    }
    let mut stack = sizes.stack(r.keys)?;
    let activation = r.keys.activation(&["activation"], Function::Gelu)?;
    with_layer_norms(&mut stack, r.keys.number(&["layer_norm_epsilon"], 1e-5)?, activation);
    if r.keys.flag("alibi", false)? {
        // The biases are added before the scores are scaled.
        let scale = stack.attention.scale;
        let slopes = alibi_slopes(sizes.n_heads).iter().map(|slope| slope * scale).collect();
        stack.score_bias = Some(ScoreBias::Alibi { slopes });
    } else {
        rotate(&mut stack, rope(r.keys, None, sizes.head_dim, sizes.n_ctx, RopeDefaults::USUAL)?);
    }
    let parallel = new || r.keys.flag("parallel_attn", true)?;
    let two_norms = new && r.keys.size(&["num_ln_in_parallel_attn"], 2)? == 2;
    stack.residual = if parallel { Residual::Parallel } else { Residual::Pre };

    let n = sizes.n_layers;
    let mut names = r.names(&["word_embeddings"]);
    names.base_rules(&all([("output_norm", "ln_f")]));
    names.layers("", "h.", n, &qkv("self_attention.query_key_value", &stack.attention, Fused::ByHead));
    names.layers("", "h.", n, &all(MEGATRON_MLP));
    names.layers("", "h.", n, &all([("attn_output", "self_attention.dense")]));
    names.layers("", "h.", n, &all([("attn_norm", if two_norms { "ln_attn" } else { "input_layernorm" })]));
    if two_norms {
        names.layers("", "h.", n, &all([("ffn_norm", "ln_mlp")]));
    } else if !parallel {
        names.layers("", "h.", n, &all([("ffn_norm", "post_attention_layernorm")]));
    }
    let mut model = r.decoder(sizes, stack, names);
    model.tied = true;
    model.found(r)
}
