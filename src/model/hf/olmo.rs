//! OLMo: norms without weights in the first, norms after the sublayers in the later ones, which EXAONE 4 has too.

use super::{
    Decoder, Found, Reading, Sizes, llama,
    names::all,
    rope::{RopeDefaults, local_rope, rope},
    sizes::{set_windows, sliding},
};
use crate::{
    error::Result,
    model::{NormConfig, QkNorm, Residual},
    plan::NormKind,
};

pub(super) const OLMO: Sizes = Sizes {
    n_vocab: 50_304,
    n_ctx: 2048,
    n_embd: 4096,
    n_layers: 32,
    n_heads: 32,
    n_kv_heads: 0,
    head_dim: 0,
    n_ff: 11_008,
};

pub fn olmo<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = llama::decoder(r, OLMO, 0.0, RopeDefaults::USUAL)?;
    model.stack.norm = NormConfig { kind: NormKind::Layer, eps: 1e-5, weights: false };
    model.stack.clip_qkv = r.keys.opt_positive(&["clip_qkv"])?;
    model.found(r)
}

/// Norms after the sublayers, and of queries and keys.
fn norms_after<'a>(
    r: &Reading<'a>,
    sizes: Sizes,
    defaults: RopeDefaults,
    qk_norm: QkNorm,
) -> Result<Decoder<'a>> {
    let mut model = llama::decoder(r, sizes, 1e-5, defaults)?;
    model.stack.residual = Residual::Branch;
    model.stack.qk_norm = qk_norm;
    let norms = [
        ("post_attention_norm", "post_attention_layernorm"),
        ("post_ffw_norm", "post_feedforward_layernorm"),
    ];
    model.names.layers("", "layers.", model.sizes.n_layers, &all(norms));
    Ok(model)
}

pub fn olmo2<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    norms_after(r, OLMO, RopeDefaults::USUAL, QkNorm::Row)?.found(r)
}

/// Three layers with a window to each without; those without alone have the config's scaling of the rotation.
pub fn olmo3<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let defaults = RopeDefaults { theta: 500_000.0, ..RopeDefaults::USUAL };
    let mut model = norms_after(r, OLMO, defaults, QkNorm::Row)?;
    let (n, head_dim, n_ctx) = (model.sizes.n_layers, model.sizes.head_dim, model.sizes.n_ctx);
    model.stack.ropes = vec![
        rope(r.keys, Some("full_attention"), head_dim, n_ctx, defaults)?,
        local_rope(r.keys, "rope_theta", head_dim, n_ctx, defaults)?,
    ];
    let window = r.keys.nullable_size("sliding_window", Some(4096))?;
    let sliding = sliding(r.keys, n, |i| (i + 1) % 4 != 0)?;
    set_windows(&mut model.stack, &sliding, window);
    for (layer, sliding) in model.stack.layers.iter_mut().zip(&sliding) {
        layer.rope = Some(usize::from(*sliding));
    }
    model.found(r)
}

/// EXAONE 4: a window and rotation in three of four layers, neither in the fourth; the small model rotates in all.
pub fn exaone4<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let sizes = Sizes { n_vocab: 102_400, n_ff: 16_384, ..OLMO };
    let mut model = norms_after(r, sizes, RopeDefaults::USUAL, QkNorm::Head)?;
    let Some(window) = r.keys.nullable_size("sliding_window", Some(4096))? else { return model.found(r) };
    // Some folders have a text there, `LLLG`, and the types of layers beside it.
    let pattern =
        r.keys.get("sliding_window_pattern").and_then(|pattern| pattern.as_u64()).unwrap_or(4).max(1);
    let sliding = sliding(r.keys, model.sizes.n_layers, |i| !(i as u64 + 1).is_multiple_of(pattern))?;
    set_windows(&mut model.stack, &sliding, Some(window));
    for layer in &mut model.stack.layers {
        layer.rope = layer.window.map(|_| 0);
    }
    model.found(r)
}
