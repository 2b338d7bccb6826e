//! GPT-2 and the decoders of its time: layer norms, feed-forwards without a gate.

use super::{
    Found, Reading, Sizes,
    names::{Fused, all, qkv, same},
    rope::{RopeDefaults, rope},
    sizes::{rotate, with_layer_norms},
};
use crate::{
    error::{Error, Result},
    model::{Change, PositionTable, QkNorm, Residual, ScoreBias, alibi_slopes, mpt_slopes},
    plan::Function,
};

const GPT2: Sizes = Sizes {
    n_vocab: 50_257,
    n_ctx: 1024,
    n_embd: 768,
    n_layers: 12,
    n_heads: 12,
    n_kv_heads: 0,
    head_dim: 0,
    n_ff: 0,
};
const BLOOM: Sizes = Sizes { n_vocab: 250_880, n_ctx: 2048, n_embd: 64, n_layers: 2, n_heads: 8, ..GPT2 };
const GPT_NEOX: Sizes =
    Sizes { n_vocab: 50_432, n_ctx: 2048, n_embd: 6144, n_layers: 44, n_heads: 64, n_ff: 24_576, ..GPT2 };
const MPT: Sizes = Sizes { n_vocab: 50_368, n_ctx: 2048, n_embd: 2048, n_layers: 24, n_heads: 16, ..GPT2 };
const PHI: Sizes =
    Sizes { n_vocab: 51_200, n_ctx: 2048, n_embd: 2048, n_layers: 24, n_heads: 32, n_ff: 8192, ..GPT2 };

const AROUND: [(&str, &str); 2] = [("position_embd", "wpe"), ("output_norm", "ln_f")];
const NORMS: [(&str, &str); 2] = [("attn_norm", "ln_1"), ("ffn_norm", "ln_2")];
const LINEAR: [(&str, &str); 3] =
    [("attn_output", "attn.c_proj"), ("ffn_up", "mlp.c_fc"), ("ffn_down", "mlp.c_proj")];

/// The scale of the attention's scores where `scale_attn_weights` turns it off.
fn scale_unless_off(r: &Reading, scale: f32) -> Result<f32> {
    Ok(if r.keys.flag("scale_attn_weights", true)? { scale } else { 1.0 })
}

pub fn gpt2<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    r.keys.refuse("scale_attn_by_inverse_layer_idx", "all layers have one scale")?;
    r.keys.refuse("add_cross_attention", "GPT-2 is run without an encoder")?;
    let sizes = r.sizes(GPT2)?;
    let mut stack = sizes.stack(r.keys)?;
    let activation = r.keys.activation(&["activation_function"], Function::GeluTanh)?;
    with_layer_norms(&mut stack, r.keys.number(&["layer_norm_epsilon"], 1e-5)?, activation);
    stack.attention.scale = scale_unless_off(r, stack.attention.scale)?;
    stack.positions = Some(PositionTable { n: sizes.n_ctx, offset: 0, made: None });
    let mut names = r.names(&["wte"]);
    names.base_rules(&all(AROUND));
    let n = sizes.n_layers;
    names.layers("", "h.", n, &all(NORMS));
    let fused = qkv("attn.c_attn", &stack.attention, Fused::Stacked);
    names.layers("", "h.", n, &fused.map(|rule| rule.change(Change::Transposed)));
    names.layers("", "h.", n, &LINEAR.map(|(ours, theirs)| same(ours, theirs).change(Change::Transposed)));
    let mut model = r.decoder(sizes, stack, names);
    model.tied = true;
    model.found(r)
}

/// StarCoder 1: GPT-2 with one key/value head for all.
pub fn gpt_bigcode<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    r.keys.refuse("add_cross_attention", "StarCoder is run without an encoder")?;
    let sizes = r.sizes(GPT2)?;
    let multi_query = r.keys.flag("multi_query", true)?;
    let sizes = Sizes { n_kv_heads: if multi_query { 1 } else { sizes.n_heads }, ..sizes };
    let mut stack = sizes.stack(r.keys)?;
    let activation = r.keys.activation(&["activation_function"], Function::GeluTanh)?;
    with_layer_norms(&mut stack, r.keys.number(&["layer_norm_epsilon"], 1e-5)?, activation);
    stack.attention.scale = scale_unless_off(r, stack.attention.scale)?;
    stack.positions = Some(PositionTable { n: sizes.n_ctx, offset: 0, made: None });
    let mut names = r.names(&["wte"]);
    names.base_rules(&all(AROUND));
    names.layers("", "h.", sizes.n_layers, &qkv("attn.c_attn", &stack.attention, Fused::ByHead));
    names.layers("", "h.", sizes.n_layers, &all(NORMS));
    names.layers("", "h.", sizes.n_layers, &all(LINEAR));
    let mut model = r.decoder(sizes, stack, names);
    model.tied = true;
    model.found(r)
}

/// GPT-2 whose scores are not scaled, with a window in every other layer.
pub fn gpt_neo<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let sizes = r.sizes(Sizes { n_ctx: 2048, n_embd: 2048, n_layers: 24, n_heads: 16, ..GPT2 })?;
    let mut stack = sizes.stack(r.keys)?;
    let activation = r.keys.activation(&["activation_function"], Function::GeluTanh)?;
    with_layer_norms(&mut stack, r.keys.number(&["layer_norm_epsilon"], 1e-5)?, activation);
    stack.attention.scale = 1.0;
    stack.positions = Some(PositionTable { n: sizes.n_ctx, offset: 0, made: None });
    let window = r.keys.size(&["window_size"], 256)?;
    for (layer, local) in stack.layers.iter_mut().zip(local_layers(r, sizes.n_layers)?) {
        layer.window = local.then_some(window);
    }
    let mut names = r.names(&["wte"]);
    names.base_rules(&all(AROUND));
    names.layers("", "h.", sizes.n_layers, &all(NORMS));
    let layer = [
        ("attn_q", "attn.attention.q_proj"),
        ("attn_k", "attn.attention.k_proj"),
        ("attn_v", "attn.attention.v_proj"),
        ("attn_output", "attn.attention.out_proj"),
        ("ffn_up", "mlp.c_fc"),
        ("ffn_down", "mlp.c_proj"),
    ];
    names.layers("", "h.", sizes.n_layers, &all(layer));
    let mut model = r.decoder(sizes, stack, names);
    model.tied = true;
    model.found(r)
}

/// Which layers of GPT-Neo are local: `attention_types` says `[[["global", "local"], 12]]`, how often each pattern comes.
fn local_layers(r: &Reading, n_layers: usize) -> Result<Vec<bool>> {
    let bad =
        || r.keys.bad("attention_types", format!("it does not tell global from local in {n_layers} layers"));
    let Some(types) = r.keys.opt_list("attention_types")? else {
        return Ok((0..n_layers).map(|i| i % 2 == 1).collect());
    };
    let mut local = Vec::new();
    for item in types {
        let (kinds, times) = (item[0].as_array().ok_or_else(bad)?, item[1].as_u64().ok_or_else(bad)?);
        for _ in 0..times.min(n_layers as u64) {
            for kind in kinds {
                local.push(match kind.as_str() {
                    Some("local") => true,
                    Some("global") => false,
                    _ => return Err(bad()),
                });
            }
        }
    }
    if local.len() == n_layers { Ok(local) } else { Err(bad()) }
}

/// Modules of a layer that BLOOM, GPT-NeoX and Falcon call alike, but for the norms.
pub(super) const MEGATRON_MLP: [(&str, &str); 2] =
    [("ffn_up", "mlp.dense_h_to_4h"), ("ffn_down", "mlp.dense_4h_to_h")];

/// Biases by distance, a norm after the embeddings.
pub fn bloom<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let sizes = r.sizes(BLOOM)?;
    let mut stack = sizes.stack(r.keys)?;
    with_layer_norms(&mut stack, r.keys.number(&["layer_norm_epsilon"], 1e-5)?, Function::GeluTanh);
    stack.embedding_norm = true;
    stack.score_bias = Some(ScoreBias::Alibi { slopes: alibi_slopes(sizes.n_heads) });
    if r.keys.flag("apply_residual_connection_post_layernorm", false)? {
        stack.residual = Residual::Normed;
    }
    let n = sizes.n_layers;
    let mut names = r.names(&["word_embeddings"]);
    names.base_rules(&all([("token_embd_norm", "word_embeddings_layernorm"), ("output_norm", "ln_f")]));
    names.layers("", "h.", n, &qkv("self_attention.query_key_value", &stack.attention, Fused::ByHead));
    names.layers("", "h.", n, &all(MEGATRON_MLP));
    let others = [
        ("attn_norm", "input_layernorm"),
        ("attn_output", "self_attention.dense"),
        ("ffn_norm", "post_attention_layernorm"),
    ];
    names.layers("", "h.", n, &all(others));
    let mut model = r.decoder(sizes, stack, names);
    model.tied = true;
    model.found(r)
}

/// Rotation of a quarter of each head, attention and feed-forward side by side: GPT-NeoX and Pythia.
pub fn gpt_neox<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let sizes = r.sizes(GPT_NEOX)?;
    let mut stack = sizes.stack(r.keys)?;
    let activation = r.keys.activation(&["hidden_act"], Function::Gelu)?;
    with_layer_norms(&mut stack, r.keys.number(&["layer_norm_eps"], 1e-5)?, activation);
    let defaults = RopeDefaults { part: 0.25, ..RopeDefaults::USUAL };
    rotate(&mut stack, rope(r.keys, None, sizes.head_dim, sizes.n_ctx, defaults)?);
    if r.keys.flag("use_parallel_residual", true)? {
        stack.residual = Residual::Parallel;
    }
    let n = sizes.n_layers;
    let mut names = r.names(&["embed_in"]);
    names.base_rules(&all([("output_norm", "final_layer_norm")]));
    names.layers("", "layers.", n, &qkv("attention.query_key_value", &stack.attention, Fused::ByHead));
    names.layers("", "layers.", n, &all(MEGATRON_MLP));
    let others = [
        ("attn_norm", "input_layernorm"),
        ("attn_output", "attention.dense"),
        ("ffn_norm", "post_attention_layernorm"),
    ];
    names.layers("", "layers.", n, &all(others));
    let mut model = r.decoder(sizes, stack, names);
    model.output = &["embed_out", "lm_head"];
    model.found(r)
}

/// Biases by distance, no other biases at all.
pub fn mpt<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let sizes = r.sizes(MPT)?;
    // The class computes with this width, whatever `expansion_ratio` says.
    let sizes = Sizes { n_ff: 4 * sizes.n_embd, ..sizes };
    let mut stack = sizes.stack(r.keys)?;
    with_layer_norms(&mut stack, r.keys.number(&["layer_norm_epsilon"], 1e-5)?, Function::Gelu);
    let mut bias_max = 8.0;
    if let Some(attention) = r.keys.opt_object("attn_config")? {
        attention.refuse("qk_ln", "MPT is run without norms of queries and keys")?;
        attention.refuse("prefix_lm", "MPT is run with causal attention")?;
        if !attention.flag("alibi", true)? {
            return Err(Error::unsupported("feature", "attn_config.alibi false", "MPT is run with ALiBi"));
        }
        match attention.opt_text(&["attn_type"])? {
            None | Some("multihead_attention") => {}
            Some(other) => {
                return Err(Error::unsupported("attention", other, "multihead_attention is run in MPT"));
            }
        }
        bias_max = attention.positive(&["alibi_bias_max"], bias_max)?;
        stack.clip_qkv = attention.opt_number(&["clip_qkv"])?.filter(|limit| *limit > 0.0);
        stack.attention.scale = attention.positive(&["softmax_scale"], stack.attention.scale)?;
    }
    stack.score_bias = Some(ScoreBias::Alibi { slopes: mpt_slopes(sizes.n_heads, bias_max) });
    let n = sizes.n_layers;
    let mut names = r.names(&["wte"]);
    names.base_rules(&all([("output_norm", "norm_f")]));
    names.layers("", "blocks.", n, &qkv("attn.Wqkv", &stack.attention, Fused::Stacked));
    let others = [
        ("attn_norm", "norm_1"),
        ("attn_output", "attn.out_proj"),
        ("ffn_norm", "norm_2"),
        ("ffn_up", "ffn.up_proj"),
        ("ffn_down", "ffn.down_proj"),
    ];
    names.layers("", "blocks.", n, &all(others));
    let mut model = r.decoder(sizes, stack, names);
    model.tied = true;
    model.found(r)
}

/// Phi-1, 1.5 and 2: rotation of half of each head, attention and feed-forward side by side after one norm.
pub fn phi<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let sizes = r.sizes(PHI)?;
    let mut stack = sizes.stack(r.keys)?;
    let activation = r.keys.activation(&["hidden_act"], Function::GeluTanh)?;
    with_layer_norms(&mut stack, r.keys.number(&["layer_norm_eps"], 1e-5)?, activation);
    let defaults = RopeDefaults { part: 0.5, ..RopeDefaults::USUAL };
    rotate(&mut stack, rope(r.keys, None, sizes.head_dim, sizes.n_ctx, defaults)?);
    stack.residual = Residual::Parallel;
    if r.keys.flag("qk_layernorm", false)? {
        stack.qk_norm = QkNorm::Head;
    }
    let mut names = r.names(&["embed_tokens"]);
    names.base_rules(&all([("output_norm", "final_layernorm")]));
    let layer = [
        ("attn_norm", "input_layernorm"),
        ("attn_q", "self_attn.q_proj"),
        ("attn_k", "self_attn.k_proj"),
        ("attn_v", "self_attn.v_proj"),
        ("attn_output", "self_attn.dense"),
        ("attn_q_norm", "self_attn.q_layernorm"),
        ("attn_k_norm", "self_attn.k_layernorm"),
        ("ffn_up", "mlp.fc1"),
        ("ffn_down", "mlp.fc2"),
    ];
    names.layers("", "layers.", sizes.n_layers, &all(layer));
    r.decoder(sizes, stack, names).found(r)
}
