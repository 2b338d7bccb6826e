//! OLMo: norms without weights in the first, norms after the sublayers in the later ones.

use super::{
    Found, Reading, Sizes, llama,
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

/// OLMo 2 before its windows.
fn second<'a>(r: &Reading<'a>, defaults: RopeDefaults) -> Result<super::Decoder<'a>> {
    let mut model = llama::decoder(r, OLMO, 1e-5, defaults)?;
    model.stack.residual = Residual::Branch;
    model.stack.qk_norm = QkNorm::Row;
    let norms = [
        ("post_attention_norm", "post_attention_layernorm"),
        ("post_ffw_norm", "post_feedforward_layernorm"),
    ];
    model.names.layers("", "layers.", model.sizes.n_layers, &all(norms));
    Ok(model)
}

pub fn olmo2<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    second(r, RopeDefaults::USUAL)?.found(r)
}

/// Three layers with a window to each without; those without alone have the config's scaling of the rotation.
pub fn olmo3<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let defaults = RopeDefaults { theta: 500_000.0, ..RopeDefaults::USUAL };
    let mut model = second(r, defaults)?;
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
