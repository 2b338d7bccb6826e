//! Encoders with rotary positions and gated feed-forwards.

use super::{
    Encoder, Found, Reading, Sizes, Task,
    heads::EncoderHeads,
    names::{Fused, all, halves, qkv},
    rope::{RopeDefaults, local_rope, rope},
    sizes::{rotate, set_windows, sliding, with_layer_norms},
};
use crate::{
    error::{Error, Result},
    model::{Pool, Residual},
    plan::Function,
};

const BERT: Sizes = Sizes {
    n_vocab: 30_528,
    n_ctx: 2048,
    n_embd: 768,
    n_layers: 12,
    n_heads: 12,
    n_kv_heads: 0,
    head_dim: 0,
    n_ff: 3072,
};
const MODERNBERT: Sizes = Sizes { n_vocab: 50_368, n_ctx: 8192, n_layers: 22, n_ff: 1152, ..BERT };
const GTE: Sizes = Sizes { n_vocab: 250_048, n_ctx: 8192, ..BERT };

const MODERNBERT_HEADS: EncoderHeads = EncoderHeads {
    masked: (["head.dense", "head.norm"], Function::Gelu),
    vocabulary: &["decoder"],
    vocabulary_bias: "decoder.bias",
    sequence: ("head.dense", Function::Gelu),
    classifier: "classifier",
    all: &["head.", "decoder.", "classifier."],
};
const NOMIC_HEADS: EncoderHeads = EncoderHeads {
    masked: (["cls.predictions.transform.dense", "cls.predictions.transform.layer_norm"], Function::Silu),
    vocabulary: &["cls.predictions.decoder"],
    vocabulary_bias: "cls.predictions.bias",
    sequence: ("@pooler.dense", Function::Tanh),
    classifier: "classifier",
    all: &["cls.", "@pooler.", "classifier."],
};
const GTE_HEADS: EncoderHeads = EncoderHeads {
    masked: (["lm_head.dense", "lm_head.norm"], Function::Gelu),
    vocabulary: &["lm_head.decoder"],
    vocabulary_bias: "lm_head.bias",
    sequence: ("@pooler.dense", Function::Tanh),
    classifier: "classifier",
    all: &["lm_head.", "@pooler.", "classifier."],
};

/// Norms before the sublayers but none before the first attention; a window in two of three layers, which rotate by
/// another base.
pub fn modernbert<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let sizes = r.sizes(MODERNBERT)?;
    let mut stack = sizes.stack(r.keys)?;
    let activation = r.keys.activation(&["hidden_activation"], Function::Gelu)?;
    with_layer_norms(&mut stack, r.keys.number(&["norm_eps"], 1e-5)?, activation);
    stack.feed_forward.gated = true;
    stack.causal = false;
    stack.embedding_norm = true;
    let global =
        RopeDefaults { theta: r.keys.positive(&["global_rope_theta"], 160_000.0)?, ..RopeDefaults::USUAL };
    let (head_dim, n_ctx, n) = (sizes.head_dim, sizes.n_ctx, sizes.n_layers);
    stack.ropes = vec![
        rope(r.keys, Some("full_attention"), head_dim, n_ctx, global)?,
        local_rope(r.keys, "local_rope_theta", head_dim, n_ctx, RopeDefaults::USUAL)?,
    ];
    let every = r.keys.size(&["global_attn_every_n_layers"], 3)?;
    let sliding = sliding(r.keys, n, |i| i % every != 0)?;
    // The config counts the whole window, of which half lies on each side.
    let window = r.keys.size(&["local_attention"], 128)? / 2 + 1;
    set_windows(&mut stack, &sliding, Some(window));
    for (i, (layer, sliding)) in stack.layers.iter_mut().zip(&sliding).enumerate() {
        layer.rope = Some(usize::from(*sliding));
        layer.bare_attention = i == 0;
    }

    let mut names = r.names(&["embeddings.tok_embeddings"]);
    names.base_rules(&all([("token_embd_norm", "embeddings.norm"), ("output_norm", "final_norm")]));
    names.layers("", "layers.", n, &qkv("attn.Wqkv", &stack.attention, Fused::Stacked));
    names.layers("", "layers.", n, &halves(["ffn_gate", "ffn_up"], "mlp.Wi", sizes.n_ff));
    let others = [
        ("attn_norm", "attn_norm"),
        ("attn_output", "attn.Wo"),
        ("ffn_norm", "mlp_norm"),
        ("ffn_down", "mlp.Wo"),
    ];
    names.layers("", "layers.", n, &all(others));
    let f = r.keys.activation(&["classifier_activation"], Function::Gelu)?;
    let heads = EncoderHeads {
        masked: (MODERNBERT_HEADS.masked.0, f),
        sequence: ("head.dense", f),
        ..MODERNBERT_HEADS
    };
    let model = Encoder { sizes, stack, names, n_token_types: 0, embedding_width: None };
    model.found(r, heads, |task, head, names| {
        if task == Task::Hidden {
            return Ok(());
        }
        // The same layer and norm stand before the last layer of all heads.
        head.dense = Some(f);
        head.norm = true;
        names.head("cls", "head.dense");
        names.head("cls.norm", "head.norm");
        if task == Task::Span {
            names.head("cls.output", "classifier");
        }
        if task == Task::Sequence {
            head.pool = match r.keys.opt_text(&["classifier_pooling"])? {
                None | Some("cls") => Pool::First,
                Some("mean") => Pool::Mean,
                Some(other) => {
                    return Err(Error::unsupported("pooling", other, "cls and mean are run in ModernBERT"));
                }
            };
        }
        Ok(())
    })
}

/// BERT's order of norms, rotation in all layers, a gated feed-forward.
fn rotated<'a>(r: &Reading<'a>, sizes: Sizes, activation: Function, theta: f32) -> Result<Encoder<'a>> {
    let sizes = r.sizes(sizes)?;
    let mut stack = sizes.stack(r.keys)?;
    let eps = r.keys.number(&["layer_norm_eps", "layer_norm_epsilon"], 1e-12)?;
    with_layer_norms(&mut stack, eps, activation);
    stack.feed_forward.gated = true;
    stack.residual = Residual::Post;
    stack.causal = false;
    stack.final_norm = false;
    stack.embedding_norm = true;
    let defaults = RopeDefaults { theta, ..RopeDefaults::USUAL };
    rotate(&mut stack, rope(r.keys, None, sizes.head_dim, sizes.n_ctx, defaults)?);
    let mut names = r.names(&["embeddings.word_embeddings"]);
    names.base_rules(&all([("token_types", "embeddings.token_type_embeddings")]));
    Ok(Encoder { sizes, stack, names, n_token_types: 0, embedding_width: None })
}

/// nomic-embed-text 1 and 1.5, whose own configs are of GPT-2's kind.
pub fn nomic_bert<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    for key in ["prenorm", "use_rms_norm", "rotary_emb_interleaved", "parallel_block"] {
        r.keys.refuse(key, "nomic-embed-text 1 and 1.5 are run")?;
    }
    if r.keys.opt_count(&["num_experts"])?.unwrap_or(0) > 0 {
        return Err(Error::unsupported("feature", "num_experts", "nomic-embed-text 1 and 1.5 are run"));
    }
    let activation = match r.keys.opt_text(&["activation_function"])? {
        Some("swiglu") => Function::Silu,
        Some("geglu") => Function::Gelu,
        _ => r.keys.activation(&["hidden_act", "activation_function"], Function::Silu)?,
    };
    let mut model = rotated(r, BERT, activation, 1000.0)?;
    model.n_token_types = r.keys.opt_count(&["type_vocab_size"])?.unwrap_or(2);
    // Beyond the trained length its own code would rotate otherwise.
    if r.keys.opt_number(&["rotary_scaling_factor"])?.is_some() {
        model.sizes.n_ctx = model.sizes.n_ctx.min(r.keys.size(&["max_trained_positions"], 2048)?);
    }
    let n = model.sizes.n_layers;
    let names = &mut model.names;
    names.base_rules(&all([("token_embd_norm", "emb_ln")]));
    names.layers("", "encoder.layers.", n, &qkv("attn.Wqkv", &model.stack.attention, Fused::Stacked));
    let others = [
        ("attn_output", "attn.out_proj"),
        ("attn_output_norm", "norm1"),
        ("ffn_up", "mlp.fc11"),
        ("ffn_gate", "mlp.fc12"),
        ("ffn_down", "mlp.fc2"),
        ("layer_output_norm", "norm2"),
    ];
    names.layers("", "encoder.layers.", n, &all(others));
    model.found(r, EncoderHeads { masked: (NOMIC_HEADS.masked.0, activation), ..NOMIC_HEADS }, |_, _, _| {
        Ok(())
    })
}

/// GTE 1.5 and multilingual: model types `new` and `gte`.
pub fn gte<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    for key in ["logn_attention_scale", "logn_attention_clip1"] {
        r.keys.refuse(key, "GTE is run with plain attention")?;
    }
    for (key, run) in [("layer_norm_type", "layer_norm"), ("position_embedding_type", "rope")] {
        if let Some(other) = r.keys.opt_text(&[key])?.filter(|kind| *kind != run) {
            return Err(Error::unsupported(
                "feature",
                format!("{key} {other}"),
                format!("GTE is run with {run}"),
            ));
        }
    }
    let activation = r.keys.activation(&["hidden_act"], Function::Gelu)?;
    let mut model = rotated(r, GTE, activation, 160_000.0)?;
    model.n_token_types = r.keys.opt_count(&["type_vocab_size"])?.unwrap_or(1);
    let n = model.sizes.n_layers;
    let names = &mut model.names;
    names.base_rules(&all([("token_embd_norm", "embeddings.LayerNorm")]));
    names.layers("", "encoder.layer.", n, &qkv("attention.qkv_proj", &model.stack.attention, Fused::Stacked));
    names.layers(
        "",
        "encoder.layer.",
        n,
        &halves(["ffn_up", "ffn_gate"], "mlp.up_gate_proj", model.sizes.n_ff),
    );
    let others = [
        ("attn_output", "attention.o_proj"),
        ("attn_output_norm", "attn_ln"),
        ("ffn_down", "mlp.down_proj"),
        ("layer_output_norm", "mlp_ln"),
    ];
    names.layers("", "encoder.layer.", n, &all(others));
    model.found(r, GTE_HEADS, |_, _, _| Ok(()))
}
