//! OPT and XGLM: decoders as fairseq has them, with positions from row 2 on.

use super::{Found, Reading, Sizes, names::all, sizes::with_layer_norms};
use crate::{
    error::{Error, Result},
    model::{PositionTable, Residual, Sinusoid},
    plan::Function,
};

const OPT: Sizes = Sizes {
    n_vocab: 50_272,
    n_ctx: 2048,
    n_embd: 768,
    n_layers: 12,
    n_heads: 12,
    n_kv_heads: 0,
    head_dim: 0,
    n_ff: 3072,
};
const XGLM: Sizes = Sizes { n_vocab: 256_008, n_embd: 1024, n_layers: 24, n_heads: 16, n_ff: 4096, ..OPT };

const LAYER: [(&str, &str); 6] = [
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.out_proj"),
    ("ffn_up", "fc1"),
    ("ffn_down", "fc2"),
];

/// Learned positions from row 2 on; the 350M model has its norms after the sums and narrower token embeddings.
pub fn opt<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let sizes = r.sizes(OPT)?;
    let mut stack = sizes.stack(r.keys)?;
    with_layer_norms(&mut stack, 1e-5, r.keys.activation(&["activation_function"], Function::Relu)?);
    stack.norm.weights = r.keys.flag("layer_norm_elementwise_affine", true)?;
    stack.positions = Some(PositionTable { n: sizes.n_ctx + 2, offset: 2, made: None });
    let before = r.keys.flag("do_layer_norm_before", true)?;
    let norms = match before {
        true => ["attn_norm", "ffn_norm"],
        false => ["attn_output_norm", "layer_output_norm"],
    };
    stack.residual = if before { Residual::Pre } else { Residual::Post };
    stack.final_norm = before && !r.keys.flag("_remove_final_layer_norm", false)?;
    let width = r.keys.size(&["word_embed_proj_dim"], sizes.n_embd)?;

    let mut names = r.names(&["embed_tokens"]);
    names.base_rules(&all([
        ("position_embd", "embed_positions"),
        ("output_norm", "final_layer_norm"),
        ("token_embd_proj", "project_in"),
        ("output_proj", "project_out"),
    ]));
    names.layers("", "layers.", sizes.n_layers, &all(LAYER));
    names.layers(
        "",
        "layers.",
        sizes.n_layers,
        &all([(norms[0], "self_attn_layer_norm"), (norms[1], "final_layer_norm")]),
    );
    let mut model = r.decoder(sizes, stack, names);
    model.tied = true;
    model.embedding_width = Some(width).filter(|width| *width != sizes.n_embd);
    model.found(r)
}

/// Made positions, scaled embeddings.
pub fn xglm<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    r.keys.refuse("add_cross_attention", "XGLM is run without an encoder")?;
    let pad = r.keys.opt_count(&["pad_token_id"])?.unwrap_or(1);
    if pad != 1 {
        return Err(Error::unsupported(
            "feature",
            format!("pad_token_id {pad}"),
            "XGLM is run with padding token 1",
        ));
    }
    let sizes = r.sizes(XGLM)?;
    let mut stack = sizes.stack(r.keys)?;
    with_layer_norms(&mut stack, 1e-5, r.keys.activation(&["activation_function"], Function::Gelu)?);
    stack.positions = Some(PositionTable { n: sizes.n_ctx + 2, offset: 2, made: Some(Sinusoid::Fairseq) });
    if r.keys.flag("scale_embedding", true)? {
        stack.embedding_scale = (sizes.n_embd as f32).sqrt();
    }
    let mut names = r.names(&["embed_tokens"]);
    names.base_rules(&all([("output_norm", "layer_norm")]));
    names.layers("", "layers.", sizes.n_layers, &all(LAYER));
    let norms = [("attn_norm", "self_attn_layer_norm"), ("ffn_norm", "final_layer_norm")];
    names.layers("", "layers.", sizes.n_layers, &all(norms));
    let mut model = r.decoder(sizes, stack, names);
    model.tied = true;
    model.found(r)
}
