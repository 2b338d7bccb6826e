//! GPT-J and CodeGen: rotation of the first numbers of each head, attention and feed-forward side by side after one norm.

use super::{
    Found, Reading, Sizes,
    names::{Rule, all, same},
    sizes::{rotate, with_layer_norms},
};
use crate::{
    error::{Error, Result},
    model::{Residual, Rope, Rows, Scaling},
    plan::{Function, RopeStyle},
};

const GPTJ: Sizes = Sizes {
    n_vocab: 50_400,
    n_ctx: 2048,
    n_embd: 4096,
    n_layers: 28,
    n_heads: 16,
    n_kv_heads: 0,
    head_dim: 0,
    n_ff: 0,
};

pub fn gptj<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let projections = |_: &Sizes| {
        Ok(all([("attn_q", "attn.q_proj"), ("attn_k", "attn.k_proj"), ("attn_v", "attn.v_proj")]))
    };
    read(r, projections)
}

/// CodeGen was trained on four devices, whose parts of queries, values and keys lie one after the other.
pub fn codegen<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    const DEVICES: usize = 4;
    read(r, |sizes| {
        if sizes.n_embd % DEVICES != 0 || sizes.n_heads % DEVICES != 0 {
            let found = format!("{} heads", sizes.n_heads);
            return Err(Error::unsupported("CodeGen model", found, "a multiple of 4 heads is run"));
        }
        let len = sizes.n_embd / DEVICES;
        let part = |ours, at| {
            same(ours, "attn.qkv_proj").rows(Rows { first: at * len, len, step: 3 * len, groups: DEVICES })
        };
        Ok(vec![part("attn_q", 0), part("attn_v", 1), part("attn_k", 2)])
    })
}

fn read<'a>(r: &Reading<'a>, projections: impl Fn(&Sizes) -> Result<Vec<Rule>>) -> Result<Found<'a>> {
    let sizes = r.sizes(GPTJ)?;
    let mut stack = sizes.stack(r.keys)?;
    let activation = r.keys.activation(&["activation_function"], Function::GeluTanh)?;
    with_layer_norms(&mut stack, r.keys.number(&["layer_norm_epsilon"], 1e-5)?, activation);
    stack.residual = Residual::Parallel;
    let dims = r.keys.nullable_size("rotary_dim", Some(64))?.unwrap_or(sizes.head_dim);
    if dims > sizes.head_dim || dims % 2 != 0 {
        let problem = format!("{dims} must be even and at most the head size {}", sizes.head_dim);
        return Err(r.keys.bad("rotary_dim", problem));
    }
    rotate(&mut stack, Rope { theta: 10_000.0, dims, style: RopeStyle::Interleaved, scaling: Scaling::None });
    let mut names = r.names(&["wte"]);
    names.base_rules(&all([("output_norm", "ln_f")]));
    names.layers("", "h.", sizes.n_layers, &projections(&sizes)?);
    let others = [
        ("attn_norm", "ln_1"),
        ("attn_output", "attn.out_proj"),
        ("ffn_up", "mlp.fc_in"),
        ("ffn_down", "mlp.fc_out"),
    ];
    names.layers("", "h.", sizes.n_layers, &all(others));
    r.decoder(sizes, stack, names).found(r)
}
