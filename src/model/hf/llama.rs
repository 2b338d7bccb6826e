//! Llama and the decoders that are named as it is.

use super::{
    Decoder, Found, Reading, Sizes,
    names::{Fused, all, halves, qkv, same},
    rope::{RopeDefaults, reach, rope},
    sizes::{rotate, set_windows, sliding, with_layer_norms},
};
use crate::{
    error::Result,
    format::Checkpoint,
    model::{Change, Head, NormConfig, Piece, QkNorm, Residual},
    plan::{Function, NormKind, RopeStyle},
};

const LLAMA: Sizes = Sizes {
    n_vocab: 32_000,
    n_ctx: 2048,
    n_embd: 4096,
    n_layers: 32,
    n_heads: 32,
    n_kv_heads: 0,
    head_dim: 0,
    n_ff: 11_008,
};
const MISTRAL: Sizes = Sizes { n_ctx: 131_072, n_kv_heads: 8, n_ff: 14_336, ..LLAMA };
const QWEN2: Sizes = Sizes { n_vocab: 151_936, n_ctx: 32_768, n_kv_heads: 32, n_ff: 22_016, ..LLAMA };
const QWEN3: Sizes = Sizes { head_dim: 128, ..QWEN2 };
const SMOLLM3: Sizes = Sizes {
    n_vocab: 128_256,
    n_ctx: 32_768,
    n_embd: 2048,
    n_layers: 36,
    n_heads: 16,
    n_kv_heads: 4,
    ..LLAMA
};
const PHI3: Sizes = Sizes { n_vocab: 32_064, n_ctx: 4096, n_embd: 3072, n_ff: 8192, ..LLAMA };
const STABLELM: Sizes =
    Sizes { n_vocab: 50_304, n_ctx: 4096, n_embd: 2560, n_kv_heads: 32, n_ff: 6912, ..LLAMA };
const STARCODER2: Sizes = Sizes {
    n_vocab: 49_152,
    n_ctx: 4096,
    n_embd: 3072,
    n_layers: 30,
    n_heads: 24,
    n_kv_heads: 2,
    head_dim: 0,
    n_ff: 12_288,
};
const COHERE: Sizes =
    Sizes { n_vocab: 256_000, n_ctx: 8192, n_embd: 8192, n_layers: 40, n_heads: 64, n_ff: 22_528, ..LLAMA };

const ERNIE: Sizes = Sizes {
    n_vocab: 103_424,
    n_ctx: 131_072,
    n_embd: 1024,
    n_layers: 18,
    n_heads: 16,
    n_kv_heads: 2,
    head_dim: 128,
    n_ff: 3072,
};
const HELIUM: Sizes = Sizes {
    n_vocab: 48_000,
    n_ctx: 4096,
    n_embd: 2560,
    n_layers: 24,
    n_heads: 20,
    n_kv_heads: 20,
    head_dim: 128,
    n_ff: 7040,
};
const ARCEE: Sizes = Sizes { n_ctx: 4096, n_embd: 2560, n_ff: 18_432, ..LLAMA };

/// Modules of a layer that nearly all have.
pub(super) const LAYER: [(&str, &str); 10] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// A decoder of Llama's kind: RMS norms by `rms_norm_eps`, a gated feed-forward, rotation in all layers. The norm before
/// the feed-forward is left to the family.
pub(super) fn decoder<'a>(
    r: &Reading<'a>,
    sizes: Sizes,
    eps: f32,
    defaults: RopeDefaults,
) -> Result<Decoder<'a>> {
    let mut sizes = r.sizes(sizes)?;
    let mut stack = sizes.stack(r.keys)?;
    stack.norm.eps = r.keys.number(&["rms_norm_eps"], eps)?;
    stack.feed_forward.activation = r.keys.activation(&["hidden_act"], Function::Silu)?;
    let rope = rope(r.keys, None, sizes.head_dim, sizes.n_ctx, defaults)?;
    sizes.n_ctx = reach(&rope, sizes.n_ctx);
    rotate(&mut stack, rope);
    let mut names = r.names(&["embed_tokens"]);
    names.base_rules(&all([("output_norm", "norm")]));
    names.layers("", "layers.", sizes.n_layers, &all(LAYER));
    Ok(r.decoder(sizes, stack, names))
}

/// The same with Llama's norm before the feed-forward.
pub(super) fn with_ffn_norm<'a>(
    r: &Reading<'a>,
    sizes: Sizes,
    eps: f32,
    defaults: RopeDefaults,
) -> Result<Decoder<'a>> {
    let mut model = decoder(r, sizes, eps, defaults)?;
    model.names.layers("", "layers.", model.sizes.n_layers, &all([("ffn_norm", "post_attention_layernorm")]));
    Ok(model)
}

pub fn llama<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    with_ffn_norm(r, LLAMA, 1e-6, RopeDefaults::USUAL)?.found(r)
}

/// Llama with a window in all layers.
pub fn mistral<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = with_ffn_norm(r, MISTRAL, 1e-6, RopeDefaults::USUAL)?;
    window_in_all(r, &mut model, Some(4096))?;
    model.found(r)
}

pub(super) fn window_in_all(r: &Reading, model: &mut Decoder, default: Option<usize>) -> Result<()> {
    let window = r.keys.nullable_size("sliding_window", default)?;
    model.stack.layers.iter_mut().for_each(|layer| layer.window = window);
    Ok(())
}

/// The upper layers may see a window alone.
fn window_above(r: &Reading, model: &mut Decoder) -> Result<()> {
    let window = match r.keys.flag("use_sliding_window", false)? {
        true => r.keys.nullable_size("sliding_window", Some(4096))?,
        false => None,
    };
    let first = r.keys.opt_count(&["max_window_layers"])?.unwrap_or(28);
    let sliding = sliding(r.keys, model.sizes.n_layers, |i| i >= first)?;
    set_windows(&mut model.stack, &sliding, window);
    Ok(())
}

/// Llama with biases on queries, keys and values.
pub fn qwen2<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = with_ffn_norm(r, QWEN2, 1e-6, RopeDefaults::USUAL)?;
    window_above(r, &mut model)?;
    model.found(r)
}

/// Llama with norms of queries and keys.
pub fn qwen3<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = with_ffn_norm(r, QWEN3, 1e-6, RopeDefaults::USUAL)?;
    model.stack.qk_norm = QkNorm::Head;
    window_above(r, &mut model)?;
    model.found(r)
}

/// Llama without rotation in every fourth layer.
pub fn smollm3<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = with_ffn_norm(r, SMOLLM3, 1e-6, RopeDefaults { theta: 2e6, ..RopeDefaults::USUAL })?;
    let n = model.sizes.n_layers;
    let interval = r.keys.size(&["no_rope_layer_interval"], 4)?;
    let rotates: Vec<bool> = match r.keys.opt_list("no_rope_layers")? {
        None => (0..n).map(|i| (i + 1) % interval != 0).collect(),
        Some(list) if list.len() == n => list.iter().map(|flag| flag.as_u64() != Some(0)).collect(),
        Some(list) => {
            return Err(r.keys.bad("no_rope_layers", format!("it has {} entries, not {n}", list.len())));
        }
    };
    for (layer, rotates) in model.stack.layers.iter_mut().zip(&rotates) {
        layer.rope = layer.rope.filter(|_| *rotates);
    }
    let window = match r.keys.flag("use_sliding_window", false)? {
        true => r.keys.nullable_size("sliding_window", None)?,
        false => None,
    };
    let sliding = sliding(r.keys, n, |i| !rotates[i])?;
    set_windows(&mut model.stack, &sliding, window);
    model.tied = true;
    model.found(r)
}

/// Llama with four multipliers.
pub fn granite<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = with_ffn_norm(r, LLAMA, 1e-6, RopeDefaults::USUAL)?;
    model.stack.embedding_scale = r.keys.positive(&["embedding_multiplier"], 1.0)?;
    model.stack.residual_scale = r.keys.positive(&["residual_multiplier"], 1.0)?;
    model.stack.attention.scale = r.keys.positive(&["attention_multiplier"], 1.0)?;
    model.head = Head { scale: 1.0 / r.keys.positive(&["logits_scaling"], 1.0)?, ..Head::LANGUAGE };
    model.found(r)
}

/// Phi-3, 3.5 and 4-mini: Llama with fused projections.
pub fn phi3<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = with_ffn_norm(r, PHI3, 1e-5, RopeDefaults::USUAL)?;
    window_in_all(r, &mut model, None)?;
    let (n, n_ff) = (model.sizes.n_layers, model.sizes.n_ff);
    let names = &mut model.names;
    names.layers("", "layers.", n, &qkv("self_attn.qkv_proj", &model.stack.attention, Fused::Stacked));
    names.layers("", "layers.", n, &halves(["ffn_gate", "ffn_up"], "mlp.gate_up_proj", n_ff));
    model.found(r)
}

/// Layer norms, rotation of a quarter of each head, feed-forward and attention one after the other or side by side.
pub fn stablelm<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = decoder(r, STABLELM, 0.0, RopeDefaults { part: 0.25, ..RopeDefaults::USUAL })?;
    let eps = r.keys.number(&["layer_norm_eps"], 1e-5)?;
    model.stack.norm = NormConfig { kind: NormKind::Layer, eps, weights: true };
    match r.keys.flag("use_parallel_residual", false)? {
        true => model.stack.residual = Residual::Parallel,
        false => {
            let norm = all([("ffn_norm", "post_attention_layernorm")]);
            model.names.layers("", "layers.", model.sizes.n_layers, &norm);
        }
    }
    if r.keys.flag("qk_layernorm", false)? {
        model.stack.qk_norm = QkNorm::OwnHead;
        own_head_norms(r.checkpoint, &mut model);
    }
    model.found(r)
}

/// StableLM 2 has a norm for each head, which is a piece of ours.
fn own_head_norms(checkpoint: &Checkpoint, model: &mut Decoder) {
    let heads = [("q", model.sizes.n_heads), ("k", model.sizes.n_kv_heads)];
    for i in 0..model.sizes.n_layers {
        for (what, n) in heads {
            let name =
                |h| format!("{}layers.{i}.self_attn.{what}_layernorm.norms.{h}.weight", model.names.base());
            // As many as there are tensors at the most: the first that is missing tells the rest.
            let there = (0..n).take_while(|h| *h == 0 || checkpoint.has(&name(h - 1)));
            let pieces = there.map(|h| Piece { tensor: name(h), rows: None }).collect();
            model.names.pieces(format!("blk.{i}.attn_{what}_norm.weight"), pieces, Change::None);
        }
    }
}

/// Layer norms, biases everywhere, and a feed-forward without a gate.
pub fn starcoder2<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = with_ffn_norm(r, STARCODER2, 0.0, RopeDefaults::USUAL)?;
    let activation = r.keys.activation(&["hidden_act"], Function::GeluTanh)?;
    with_layer_norms(&mut model.stack, r.keys.number(&["norm_epsilon"], 1e-5)?, activation);
    window_in_all(r, &mut model, None)?;
    let mlp = [same("ffn_up", "mlp.c_fc"), same("ffn_down", "mlp.c_proj")];
    model.names.layers("", "layers.", model.sizes.n_layers, &mlp);
    model.tied = true;
    model.found(r)
}

/// ERNIE 4.5: Llama rotated as the original paper does.
pub fn ernie4_5<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let defaults = RopeDefaults { theta: 500_000.0, part: 1.0, style: RopeStyle::Interleaved };
    let mut model = with_ffn_norm(r, ERNIE, 1e-5, defaults)?;
    model.tied = true;
    model.found(r)
}

/// Helium: the same with other defaults.
pub fn helium<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let defaults = RopeDefaults { theta: 100_000.0, part: 1.0, style: RopeStyle::Interleaved };
    with_ffn_norm(r, HELIUM, 1e-8, defaults)?.found(r)
}

/// Arcee's AFM: Llama whose feed-forward has no gate but squares.
pub fn arcee<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = with_ffn_norm(r, ARCEE, 1e-5, RopeDefaults::USUAL)?;
    model.stack.feed_forward.gated = false;
    model.stack.feed_forward.activation = r.keys.activation(&["hidden_act"], Function::ReluSquared)?;
    model.found(r)
}

/// Command R: layer norms without biases, attention and feed-forward side by side, neighbours rotated.
pub fn cohere<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = command_r(r, 500_000.0)?;
    if r.keys.flag("use_qk_norm", false)? {
        model.stack.qk_norm = QkNorm::OwnHead;
    }
    model.found(r)
}

/// Command R7B: three layers with a window and rotation to each with neither.
pub fn cohere2<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = command_r(r, 10_000.0)?;
    let window = r.keys.nullable_size("sliding_window", Some(4096))?;
    let pattern = r.keys.size(&["sliding_window_pattern"], 4)?;
    let sliding = sliding(r.keys, model.sizes.n_layers, |i| (i + 1) % pattern != 0)?;
    set_windows(&mut model.stack, &sliding, window);
    for layer in &mut model.stack.layers {
        layer.rope = layer.window.map(|_| 0);
    }
    model.found(r)
}

fn command_r<'a>(r: &Reading<'a>, theta: f32) -> Result<Decoder<'a>> {
    let defaults = RopeDefaults { theta, part: 1.0, style: RopeStyle::Interleaved };
    let mut model = decoder(r, COHERE, 0.0, defaults)?;
    let eps = r.keys.number(&["layer_norm_eps"], 1e-5)?;
    model.stack.norm = NormConfig { kind: NormKind::Layer, eps, weights: true };
    model.stack.residual = Residual::Parallel;
    model.head = Head { scale: r.keys.positive(&["logit_scale"], 0.0625)?, ..Head::LANGUAGE };
    model.tied = true;
    Ok(model)
}
