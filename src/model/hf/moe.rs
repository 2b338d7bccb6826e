//! Decoders whose feed-forwards are experts.

use super::{
    Decoder, Found, Reading, Sizes, llama,
    names::{all, same},
    olmo::OLMO,
    rope::RopeDefaults,
    sizes::{set_windows, sliding},
};
use crate::{
    error::{Error, Result},
    model::{Change, Experts, Piece, QkNorm, Rows},
    plan::Routing,
};

const MIXTRAL: Sizes = Sizes {
    n_vocab: 32_000,
    n_ctx: 131_072,
    n_embd: 4096,
    n_layers: 32,
    n_heads: 32,
    n_kv_heads: 8,
    head_dim: 0,
    n_ff: 14_336,
};
const QWEN2_MOE: Sizes = Sizes {
    n_vocab: 151_936,
    n_ctx: 32_768,
    n_embd: 2048,
    n_layers: 24,
    n_heads: 16,
    n_kv_heads: 16,
    head_dim: 0,
    n_ff: 5632,
};
const QWEN3_MOE: Sizes = Sizes { n_heads: 32, n_kv_heads: 4, n_ff: 6144, ..QWEN2_MOE };
const OLMOE: Sizes = Sizes { n_ctx: 4096, n_embd: 2048, n_layers: 16, n_heads: 16, n_ff: 2048, ..OLMO };
const GPT_OSS: Sizes = Sizes {
    n_vocab: 201_088,
    n_ctx: 131_072,
    n_embd: 2880,
    n_layers: 36,
    n_heads: 64,
    n_kv_heads: 8,
    head_dim: 64,
    n_ff: 2880,
};

const N_EXPERTS: &[&str] = &["num_local_experts", "num_experts"];

/// How many experts a family's class has where the config does not say, and how many a token takes.
struct Counts {
    n: usize,
    n_used: usize,
}

/// Gives all layers experts of width `n_ff`.
fn add_experts(
    r: &Reading,
    model: &mut Decoder,
    counts: Counts,
    n_ff: usize,
    routing: Routing,
) -> Result<()> {
    let n = r.keys.size(N_EXPERTS, counts.n)?;
    let n_used = r.keys.size(&["num_experts_per_tok"], counts.n_used)?;
    if n_used > n {
        return Err(r.keys.bad("num_experts_per_tok", format!("{n_used} of {n} experts")));
    }
    r.keys.product(r.keys.name_of(N_EXPERTS), n, 2 * n_ff)?;
    r.keys.product(r.keys.name_of(N_EXPERTS), n, model.sizes.n_embd)?;
    let experts = Experts { n, n_used, n_ff, routing, n_ff_shared: 0, clamped: false };
    model.stack.feed_forward.experts = Some(experts);
    model.stack.layers.iter_mut().for_each(|layer| layer.experts = true);
    Ok(())
}

/// Weights that sum to one where the config says so.
fn routing(r: &Reading) -> Result<Routing> {
    Ok(if r.keys.flag("norm_topk_prob", false)? { Routing::Normalized } else { Routing::Softmax })
}

/// The experts' matrices: `parts` of gate, up and down in the modules `{at}{expert}`, or packed into two tensors as transformers 5
/// has them in memory, `[n, 2 n_ff, n_embd]` and `[n, n_embd, n_ff]`.
fn expert_names(r: &Reading, model: &mut Decoder, at: &str, parts: [&str; 3]) {
    let Some(Experts { n, n_ff, .. }) = model.stack.feed_forward.experts else { return };
    let ours = ["ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"];
    for i in (0..model.sizes.n_layers).filter(|i| model.stack.layers[*i].experts) {
        let layer = format!("{}layers.{i}.", model.names.base());
        let packed =
            ["gate_up_proj", "gate_up_proj", "down_proj"].map(|part| format!("{layer}mlp.experts.{part}"));
        let is_packed = r.checkpoint.has(&packed[0]);
        let half = |first| Some(Rows { first, len: n_ff, step: 2 * n_ff, groups: n });
        let rows = [half(0), half(n_ff), None];
        for (k, tensor) in packed.into_iter().enumerate() {
            let pieces = if is_packed {
                vec![Piece { tensor, rows: rows[k] }]
            } else {
                let name = |e| format!("{layer}{at}{e}.{}.weight", parts[k]);
                // As many as there are tensors at the most: the first that is missing tells the rest.
                let there = (0..n).take_while(|e| *e == 0 || r.checkpoint.has(&name(e - 1)));
                there.map(|e| Piece { tensor: name(e), rows: None }).collect()
            };
            model.names.pieces(format!("blk.{i}.{}.weight", ours[k]), pieces, Change::None);
        }
    }
}

const PROJECTIONS: [&str; 3] = ["gate_proj", "up_proj", "down_proj"];

pub fn mixtral<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model =
        llama::with_ffn_norm(r, MIXTRAL, 1e-5, RopeDefaults { theta: 1e6, ..RopeDefaults::USUAL })?;
    llama::window_in_all(r, &mut model, None)?;
    let n_ff = model.sizes.n_ff;
    add_experts(r, &mut model, Counts { n: 8, n_used: 2 }, n_ff, Routing::Normalized)?;
    expert_names(r, &mut model, "block_sparse_moe.experts.", ["w1", "w3", "w2"]);
    let n = model.sizes.n_layers;
    let packed = model.names.has("@layers.0.mlp.gate.weight");
    let router = if packed { "mlp.gate" } else { "block_sparse_moe.gate" };
    model.names.layers("", "layers.", n, &[same("ffn_gate_inp", router)]);
    model.found(r)
}

/// Some layers of Qwen's models have no experts.
fn leave_dense_layers(r: &Reading, model: &mut Decoder) -> Result<()> {
    let step = r.keys.size(&["decoder_sparse_step"], 1)?;
    let dense: Vec<usize> = match r.keys.opt_list("mlp_only_layers")? {
        None => Vec::new(),
        Some(list) => list.iter().filter_map(|i| i.as_u64()).map(|i| i as usize).collect(),
    };
    for (i, layer) in model.stack.layers.iter_mut().enumerate() {
        layer.experts = (i + 1) % step == 0 && !dense.contains(&i);
    }
    Ok(())
}

pub fn qwen2_moe<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = llama::with_ffn_norm(r, QWEN2_MOE, 1e-6, RopeDefaults::USUAL)?;
    let n_ff = r.keys.size(&["moe_intermediate_size"], 1408)?;
    add_experts(r, &mut model, Counts { n: 60, n_used: 4 }, n_ff, routing(r)?)?;
    leave_dense_layers(r, &mut model)?;
    let n_ff_shared = r.keys.size(&["shared_expert_intermediate_size"], 5632)?;
    if let Some(experts) = &mut model.stack.feed_forward.experts {
        experts.n_ff_shared = n_ff_shared;
    }
    if r.keys.flag("use_sliding_window", false)? {
        let window = r.keys.nullable_size("sliding_window", Some(4096))?;
        let last = r.keys.opt_count(&["max_window_layers"])?.unwrap_or(28);
        let sliding = sliding(r.keys, model.sizes.n_layers, |i| i % 2 == 0 && i < last)?;
        set_windows(&mut model.stack, &sliding, window);
    }
    expert_names(r, &mut model, "mlp.experts.", PROJECTIONS);
    let shared = [
        ("ffn_gate_inp", "mlp.gate"),
        ("ffn_gate_inp_shexp", "mlp.shared_expert_gate"),
        ("ffn_gate_shexp", "mlp.shared_expert.gate_proj"),
        ("ffn_up_shexp", "mlp.shared_expert.up_proj"),
        ("ffn_down_shexp", "mlp.shared_expert.down_proj"),
    ];
    model.names.layers("", "layers.", model.sizes.n_layers, &all(shared));
    model.found(r)
}

pub fn qwen3_moe<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = llama::with_ffn_norm(r, QWEN3_MOE, 1e-6, RopeDefaults::USUAL)?;
    model.stack.qk_norm = QkNorm::Head;
    let n_ff = r.keys.size(&["moe_intermediate_size"], 768)?;
    add_experts(r, &mut model, Counts { n: 128, n_used: 8 }, n_ff, routing(r)?)?;
    leave_dense_layers(r, &mut model)?;
    if r.keys.flag("use_sliding_window", false)? {
        llama::window_in_all(r, &mut model, Some(4096))?;
    }
    expert_names(r, &mut model, "mlp.experts.", PROJECTIONS);
    model.names.layers("", "layers.", model.sizes.n_layers, &[same("ffn_gate_inp", "mlp.gate")]);
    model.found(r)
}

pub fn olmoe<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = llama::with_ffn_norm(r, OLMOE, 1e-5, RopeDefaults::USUAL)?;
    model.stack.qk_norm = QkNorm::Row;
    model.stack.clip_qkv = r.keys.opt_positive(&["clip_qkv"])?;
    let n_ff = model.sizes.n_ff;
    add_experts(r, &mut model, Counts { n: 64, n_used: 8 }, n_ff, routing(r)?)?;
    expert_names(r, &mut model, "mlp.experts.", PROJECTIONS);
    model.names.layers("", "layers.", model.sizes.n_layers, &[same("ffn_gate_inp", "mlp.gate")]);
    model.found(r)
}

/// Sinks, a window in every other layer, biases everywhere, and experts whose matrices map rows instead of columns, gate
/// and up by turns.
pub fn gpt_oss<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model =
        llama::with_ffn_norm(r, GPT_OSS, 1e-5, RopeDefaults { theta: 150_000.0, ..RopeDefaults::USUAL })?;
    model.stack.sinks = true;
    let (n, n_ff) = (model.sizes.n_layers, model.sizes.n_ff);
    add_experts(r, &mut model, Counts { n: 128, n_used: 4 }, n_ff, Routing::Normalized)?;
    for (key, run) in [("swiglu_alpha", 1.702), ("swiglu_limit", 7.0)] {
        let found = r.keys.number(&[key], run)?;
        if found != run {
            return Err(Error::unsupported("feature", format!("{key} {found}"), format!("{run} is run")));
        }
    }
    let Some(experts) = &mut model.stack.feed_forward.experts else { return model.found(r) };
    experts.clamped = true;
    let n_experts = experts.n;
    let window = r.keys.nullable_size("sliding_window", Some(128))?;
    let sliding = sliding(r.keys, n, |i| i % 2 == 0)?;
    set_windows(&mut model.stack, &sliding, window);

    let names = [("attn_sinks", "self_attn.sinks"), ("ffn_gate_inp", "mlp.router")];
    model.names.layers("", "layers.", n, &all(names));
    let every_other = |first| Some(Rows { first, len: 1, step: 2, groups: n_experts * n_ff });
    let parts = [
        ("gate", "gate_up_proj", every_other(0)),
        ("up", "gate_up_proj", every_other(1)),
        ("down", "down_proj", None),
    ];
    for i in 0..n {
        for (ours, theirs, rows) in parts {
            let tensor = format!("{}layers.{i}.mlp.experts.{theirs}", model.names.base());
            let bias = Piece { tensor: format!("{tensor}_bias"), rows };
            let ours = format!("blk.{i}.ffn_{ours}_exps");
            model.names.pieces(
                format!("{ours}.weight"),
                vec![Piece { tensor, rows }],
                Change::TransposedEach,
            );
            model.names.pieces(format!("{ours}.bias"), vec![bias], Change::None);
        }
    }
    model.found(r)
}
