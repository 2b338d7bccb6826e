//! Gemma: norms that add one to their weights, embeddings times the root of their width, a feed-forward gated by GELU.

use super::{
    Decoder, Found, Reading, Sizes, Task,
    heads::pooling,
    names::{all, same},
    rope::{RopeDefaults, local_rope, rope},
    sizes::{rotate, set_windows, sliding},
};
use crate::{
    error::{Error, Result},
    model::{Change, Head, Pool, QkNorm, Residual, Stack},
    plan::Function,
};

const GEMMA: Sizes = Sizes {
    n_vocab: 256_000,
    n_ctx: 8192,
    n_embd: 3072,
    n_layers: 28,
    n_heads: 16,
    n_kv_heads: 16,
    head_dim: 256,
    n_ff: 24_576,
};
const GEMMA2: Sizes = Sizes { n_embd: 2304, n_layers: 26, n_heads: 8, n_kv_heads: 4, n_ff: 9216, ..GEMMA };
const GEMMA3: Sizes = Sizes { n_vocab: 262_208, n_ctx: 131_072, ..GEMMA2 };

const LAYER: [(&str, &str); 7] = [
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// What all have, with the norms of a layer by their names.
fn decoder<'a>(r: &Reading<'a>, sizes: Sizes, norms: &[(&'static str, &'static str)]) -> Result<Decoder<'a>> {
    let sizes = r.sizes(sizes)?;
    let mut stack = sizes.stack(r.keys)?;
    stack.norm.eps = r.keys.number(&["rms_norm_eps"], 1e-6)?;
    stack.embedding_scale = (sizes.n_embd as f32).sqrt();
    let names = ["hidden_activation", "hidden_act"];
    stack.feed_forward.activation = match r.keys.activation(&names, Function::GeluTanh)? {
        // The first folders said so, and meant the other.
        Function::Gelu => Function::GeluTanh,
        activation => activation,
    };
    let mut names = r.names(&["embed_tokens"]);
    names.base_rules(&[same("output_norm", "norm").change(Change::PlusOne)]);
    names.layers("", "layers.", sizes.n_layers, &all(LAYER));
    for (ours, theirs) in norms {
        names.layers("", "layers.", sizes.n_layers, &[same(ours, theirs).change(Change::PlusOne)]);
    }
    let mut model = r.decoder(sizes, stack, names);
    model.tied = true;
    Ok(model)
}

const SANDWICH: [(&str, &str); 4] = [
    ("attn_norm", "input_layernorm"),
    ("post_attention_norm", "post_attention_layernorm"),
    ("ffn_norm", "pre_feedforward_layernorm"),
    ("post_ffw_norm", "post_feedforward_layernorm"),
];

/// Only Gemma 3 is known to be an encoder too.
fn refuse_encoder(r: &Reading) -> Result<()> {
    r.keys.refuse("use_bidirectional_attention", "of Gemma, EmbeddingGemma alone is run so")
}

pub fn gemma<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    refuse_encoder(r)?;
    let norms = [("attn_norm", "input_layernorm"), ("ffn_norm", "post_attention_layernorm")];
    let mut model = decoder(r, GEMMA, &norms)?;
    let rope = rope(r.keys, None, model.sizes.head_dim, model.sizes.n_ctx, RopeDefaults::USUAL)?;
    rotate(&mut model.stack, rope);
    model.found(r)
}

/// Norms on both sides of the sublayers, caps on scores, a scale of its own for the attention.
fn sandwich(r: &Reading, model: &mut Decoder, caps: [Option<f32>; 2]) -> Result<()> {
    model.stack.residual = Residual::Sandwich;
    model.stack.attention.scale = r.keys.positive(&["query_pre_attn_scalar"], 256.0)?.powf(-0.5);
    let cap = |name: &str, default: Option<f32>| match r.keys.is_null(name) {
        true => Ok(None),
        false => Ok(r.keys.opt_positive(&[name])?.or(default)),
    };
    model.stack.attention.softcap = cap("attn_logit_softcapping", caps[0])?;
    model.head = Head { softcap: cap("final_logit_softcapping", caps[1])?, ..Head::LANGUAGE };
    Ok(())
}

/// A window in every other layer.
pub fn gemma2<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    refuse_encoder(r)?;
    let mut model = decoder(r, GEMMA2, &SANDWICH)?;
    sandwich(r, &mut model, [Some(50.0), Some(30.0)])?;
    let rope = rope(r.keys, None, model.sizes.head_dim, model.sizes.n_ctx, RopeDefaults::USUAL)?;
    rotate(&mut model.stack, rope);
    let window = r.keys.nullable_size("sliding_window", Some(4096))?;
    let sliding = sliding(r.keys, model.sizes.n_layers, |i| i % 2 == 0)?;
    set_windows(&mut model.stack, &sliding, window);
    model.found(r)
}

/// The text layers of Gemma 3: a window in five of six layers, which rotate by another base; norms of queries and keys.
/// EmbeddingGemma is the same with every token seeing all others.
pub fn gemma3<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = decoder(r, GEMMA3, &SANDWICH)?;
    sandwich(r, &mut model, [None, None])?;
    let n = model.sizes.n_layers;
    model.stack.qk_norm = QkNorm::Head;
    let norms = [("attn_q_norm", "self_attn.q_norm"), ("attn_k_norm", "self_attn.k_norm")];
    model.names.layers(
        "",
        "layers.",
        n,
        &norms.map(|(ours, theirs)| same(ours, theirs).change(Change::PlusOne)),
    );
    let (head_dim, n_ctx) = (model.sizes.head_dim, model.sizes.n_ctx);
    let global = RopeDefaults { theta: 1e6, ..RopeDefaults::USUAL };
    model.stack.ropes = vec![
        rope(r.keys, Some("full_attention"), head_dim, n_ctx, global)?,
        local_rope(r.keys, "rope_local_base_freq", head_dim, n_ctx, RopeDefaults::USUAL)?,
    ];
    let mut window = r.keys.nullable_size("sliding_window", Some(4096))?;
    let is_encoder = r.keys.flag("use_bidirectional_attention", false)?;
    if is_encoder {
        // Half of it lies on each side.
        window = window.map(|n| n / 2 + 1);
    }
    let pattern = r.keys.size(&["sliding_window_pattern", "_sliding_window_pattern"], 6)?;
    let sliding = sliding(r.keys, n, |i| (i + 1) % pattern != 0)?;
    set_windows(&mut model.stack, &sliding, window);
    for (layer, sliding) in model.stack.layers.iter_mut().zip(&sliding) {
        layer.rope = Some(usize::from(*sliding));
    }
    // What models that see images have besides.
    let images =
        ["vision_tower.", "multi_modal_projector.", "model.vision_tower.", "model.multi_modal_projector."];
    model.names.ignore(&images);
    if !is_encoder {
        return model.found(r);
    }
    if r.task(Task::Hidden)? != Task::Hidden {
        return Err(Error::unsupported(
            "feature",
            "use_bidirectional_attention",
            "EmbeddingGemma makes embeddings",
        ));
    }
    let stack = Stack { causal: false, ..model.stack };
    let head = Head { pool: pooling(r.folder, Pool::Mean)?, ..Head::HIDDEN };
    Ok(Found { config: r.config(&model.sizes, Some(stack), None, head)?, names: model.names })
}
