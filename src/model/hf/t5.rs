//! T5, Flan-T5, mT5 and UMT5: biases by distance, RMS norms, scores that are not scaled.

use serde_json::Value as Json;

use super::{
    Found, Reading, Sizes, Task,
    heads::pooling,
    names::{all, same},
    sizes::layers,
};
use crate::{
    error::{Error, Result},
    model::{Head, Layer, Pool, ScoreBias, Stack},
    plan::Function,
};

const T5: Sizes = Sizes {
    n_vocab: 32_128,
    n_ctx: 512,
    n_embd: 512,
    n_layers: 6,
    n_heads: 8,
    n_kv_heads: 0,
    head_dim: 64,
    n_ff: 2048,
};
const MT5: Sizes = Sizes { n_vocab: 250_112, n_layers: 8, n_heads: 6, n_ff: 1024, ..T5 };

/// Distances have no end, so texts may be longer than those of the training.
const LONGEST: usize = 16_384;

const ATTENTION: [(&str, &str); 5] = [
    ("attn_norm", "layer.0.layer_norm"),
    ("attn_q", "layer.0.SelfAttention.q"),
    ("attn_k", "layer.0.SelfAttention.k"),
    ("attn_v", "layer.0.SelfAttention.v"),
    ("attn_output", "layer.0.SelfAttention.o"),
];
const CROSS: [(&str, &str); 5] = [
    ("cross_attn_norm", "layer.1.layer_norm"),
    ("cross_attn_q", "layer.1.EncDecAttention.q"),
    ("cross_attn_k", "layer.1.EncDecAttention.k"),
    ("cross_attn_v", "layer.1.EncDecAttention.v"),
    ("cross_attn_output", "layer.1.EncDecAttention.o"),
];
const ENCODER_FF: [(&str, &str); 5] = [
    ("ffn_norm", "layer.1.layer_norm"),
    ("ffn_up", "layer.1.DenseReluDense.wi"),
    ("ffn_gate", "layer.1.DenseReluDense.wi_0"),
    ("ffn_up", "layer.1.DenseReluDense.wi_1"),
    ("ffn_down", "layer.1.DenseReluDense.wo"),
];
const DECODER_FF: [(&str, &str); 5] = [
    ("ffn_norm", "layer.2.layer_norm"),
    ("ffn_up", "layer.2.DenseReluDense.wi"),
    ("ffn_gate", "layer.2.DenseReluDense.wi_0"),
    ("ffn_up", "layer.2.DenseReluDense.wi_1"),
    ("ffn_down", "layer.2.DenseReluDense.wo"),
];

pub fn t5<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let sizes = r.sizes(if r.kind == "t5" { T5 } else { MT5 })?;
    let sizes = Sizes { n_ctx: sizes.n_ctx.max(LONGEST), ..sizes };
    let n_decoder = layers(r.keys, r.checkpoint, &["num_decoder_layers"], sizes.n_layers)?;
    let base = base_stack(r, &sizes)?;
    let each_layer = matches!(base.score_bias, Some(ScoreBias::Buckets { each_layer: true, .. }));
    let encoder = Stack { prefix: "enc.", causal: false, ..base.clone() };
    let decoder = Stack { prefix: "dec.", cross: true, layers: vec![Layer::default(); n_decoder], ..base };

    let mut names = r.names(&["shared", "encoder.embed_tokens", "decoder.embed_tokens"]);
    names.ignore(&["@shared.", "@encoder.embed_tokens.", "@decoder.embed_tokens."]);
    // What the first release saved and nobody uses.
    names.ignore(&["@decoder.block.0.layer.1.EncDecAttention.relative_attention_bias."]);
    for (stack, at, rest) in
        [(&encoder, "encoder.", &[ENCODER_FF][..]), (&decoder, "decoder.", &[CROSS, DECODER_FF][..])]
    {
        let (n, block) = (stack.layers.len(), format!("{at}block."));
        names.stack_rules(stack.prefix, at, &all([("output_norm", "final_layer_norm")]));
        names.layers(stack.prefix, &block, n, &all(ATTENTION));
        for table in rest {
            let is_gate = |theirs: &str| theirs.ends_with("wi_0") || theirs.ends_with("wi_1");
            let gated = stack.feed_forward.gated;
            let rules =
                table.iter().filter(|(_, theirs)| is_gate(theirs) == gated || !theirs.contains(".wi"));
            let rules: Vec<_> = rules.map(|(ours, theirs)| same(ours, theirs)).collect();
            names.layers(stack.prefix, &block, n, &rules);
        }
        let with_biases = if each_layer { n } else { 1 };
        let biases = all([("attn_rel_b", "layer.0.SelfAttention.relative_attention_bias")]);
        names.layers(stack.prefix, &block, with_biases, &biases);
    }

    let class = r.keys.opt_list("architectures")?.and_then(|list| list.first()).and_then(Json::as_str);
    let encoder_only =
        !r.folder.modules.is_null() || class.is_some_and(|class| class.ends_with("EncoderModel"));
    if encoder_only {
        names.ignore(&["@decoder.", "lm_head."]);
        let head = Head { pool: pooling(r.folder, Pool::Mean)?, ..Head::HIDDEN };
        return Ok(Found { config: r.config(&sizes, Some(encoder), None, head)?, names });
    }
    if !matches!(r.task(Task::Language)?, Task::Language | Task::Hidden) {
        let hint = "T5 is run for conditional generation, and its encoder for embeddings";
        return Err(Error::unsupported("architecture", class.unwrap_or_default(), hint));
    }
    // The class always ties: a head of its own counts where there is one.
    names.output(true, &["lm_head"]);
    let head = Head { scale: scale(r, &sizes)?, ..Head::LANGUAGE };
    Ok(Found { config: r.config(&sizes, Some(encoder), Some(decoder), head)?, names })
}

/// What both halves have.
fn base_stack(r: &Reading, sizes: &Sizes) -> Result<Stack> {
    let mut stack = sizes.stack(r.keys)?;
    stack.norm.eps = r.keys.number(&["layer_norm_epsilon"], 1e-6)?;
    stack.attention.scale = 1.0;
    stack.score_bias = Some(ScoreBias::Buckets {
        n: r.keys.size(&["relative_attention_num_buckets"], 32)?,
        max_distance: r.keys.size(&["relative_attention_max_distance"], 128)?,
        each_layer: r.kind == "umt5",
    });
    let usual = if r.kind == "t5" { "relu" } else { "gated-gelu" };
    let projection = r.keys.opt_text(&["feed_forward_proj"])?.unwrap_or(usual);
    let (gated, activation) = match projection.strip_prefix("gated-") {
        Some(activation) => (true, activation),
        None => (false, projection),
    };
    stack.feed_forward.gated = gated;
    stack.feed_forward.activation = match (gated, activation) {
        (true, "gelu") => Function::GeluTanh,
        (_, name) => Function::named(name).ok_or_else(|| {
            Error::unsupported(
                "activation",
                projection,
                "relu, gelu, silu and their gated forms are run in T5",
            )
        })?,
    };
    Ok(stack)
}

/// What scores are multiplied with: the first T5 scales what it compares with the token embeddings; later ones, which were saved
/// with `tie_word_embeddings` false, and mT5 do not.
fn scale(r: &Reading, sizes: &Sizes) -> Result<f32> {
    let scaled = match r.keys.opt_flag("scale_decoder_outputs")? {
        Some(scaled) => scaled,
        None => r.keys.flag("tie_word_embeddings", true)?,
    };
    Ok(if scaled && r.kind != "mt5" { (sizes.n_embd as f32).powf(-0.5) } else { 1.0 })
}
