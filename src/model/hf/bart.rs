//! BART and the encoder-decoders of its shape, which differ in positions and in where their norms are.

use super::{
    Found, Names, Reading, Sizes, Task,
    heads::labels,
    names::all,
    sizes::{layers, with_layer_norms},
};
use crate::{
    error::{Error, Result},
    model::{Head, HeadOutput, Pool, PositionTable, Residual, Sinusoid, Stack},
    plan::Function,
};

/// What a family has of its own.
struct Kind {
    /// Norms before the sublayers, and one at the end; else after the sums.
    norms_before: bool,
    /// A norm of the embeddings.
    embedding_norm: bool,
    positions: Positions,
    /// Whether embeddings are scaled where the config does not say.
    scaled: bool,
    activation: Function,
    n_vocab: usize,
}

enum Positions {
    /// Learned, from this row on.
    Learned(usize),
    /// Made, from this row on, where the folder has none.
    Made(Sinusoid, usize),
}

pub fn bart<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    read(
        r,
        Kind {
            norms_before: false,
            embedding_norm: true,
            positions: Positions::Learned(2),
            scaled: false,
            activation: Function::Gelu,
            n_vocab: 50_265,
        },
    )
}

pub fn plbart<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    read(
        r,
        Kind {
            norms_before: false,
            embedding_norm: true,
            positions: Positions::Learned(2),
            scaled: true,
            activation: Function::Gelu,
            n_vocab: 50_005,
        },
    )
}

pub fn blenderbot<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    read(
        r,
        Kind {
            norms_before: true,
            embedding_norm: false,
            positions: Positions::Learned(0),
            scaled: false,
            activation: Function::Gelu,
            n_vocab: 8008,
        },
    )
}

pub fn mbart<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    read(
        r,
        Kind {
            norms_before: true,
            embedding_norm: true,
            positions: Positions::Learned(2),
            scaled: false,
            activation: Function::Gelu,
            n_vocab: 50_265,
        },
    )
}

pub fn marian<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    if !r.keys.flag("share_encoder_decoder_embeddings", true)? {
        let found = "share_encoder_decoder_embeddings false";
        return Err(Error::unsupported(
            "feature",
            found,
            "Marian models with one vocabulary for both languages are run",
        ));
    }
    read(
        r,
        Kind {
            norms_before: false,
            embedding_norm: false,
            positions: Positions::Made(Sinusoid::Marian, 0),
            scaled: false,
            activation: Function::Gelu,
            n_vocab: 58_101,
        },
    )
}

pub fn pegasus<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    read(
        r,
        Kind {
            norms_before: true,
            embedding_norm: false,
            positions: Positions::Made(Sinusoid::Marian, 0),
            scaled: false,
            activation: Function::Gelu,
            n_vocab: 50_265,
        },
    )
}

/// M2M100 and NLLB.
pub fn m2m_100<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let pad = r.keys.opt_count(&["pad_token_id"])?.unwrap_or(1);
    if pad != 1 {
        return Err(Error::unsupported(
            "feature",
            format!("pad_token_id {pad}"),
            "M2M100 is run with padding token 1",
        ));
    }
    read(
        r,
        Kind {
            norms_before: true,
            embedding_norm: false,
            positions: Positions::Made(Sinusoid::Fairseq, 2),
            scaled: true,
            activation: Function::Relu,
            n_vocab: 128_112,
        },
    )
}

const ATTENTION: [(&str, &str); 4] = [
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.out_proj"),
];
const CROSS: [(&str, &str); 4] = [
    ("cross_attn_q", "encoder_attn.q_proj"),
    ("cross_attn_k", "encoder_attn.k_proj"),
    ("cross_attn_v", "encoder_attn.v_proj"),
    ("cross_attn_output", "encoder_attn.out_proj"),
];
const FEED_FORWARD: [(&str, &str); 2] = [("ffn_up", "fc1"), ("ffn_down", "fc2")];
const AROUND: [(&str, &str); 3] = [
    ("position_embd", "embed_positions"),
    ("token_embd_norm", "layernorm_embedding"),
    ("output_norm", "layer_norm"),
];

fn read<'a>(r: &Reading<'a>, kind: Kind) -> Result<Found<'a>> {
    let mut names = r.names(&["shared", "encoder.embed_tokens", "decoder.embed_tokens"]);
    names.ignore(&["@shared.", "@encoder.embed_tokens.", "@decoder.embed_tokens."]);
    let (mut encoder, sizes) = half(r, &kind, "encoder", &mut names)?;
    encoder.prefix = "enc.";
    encoder.causal = false;
    let (mut decoder, _) = half(r, &kind, "decoder", &mut names)?;
    decoder.prefix = "dec.";
    decoder.cross = true;

    let head = match r.task(Task::Language)? {
        // The bare model is no use without the head that it is tied to.
        Task::Language | Task::Hidden => {
            names.output(r.keys.flag("tie_word_embeddings", true)?, &["lm_head"]);
            if names.has("final_logits_bias") {
                names.tensor("output.bias", "final_logits_bias");
            }
            Head::LANGUAGE
        }
        Task::Sequence => {
            names.head("cls", "classification_head.dense");
            names.head("cls.output", "classification_head.out_proj");
            names.ignore(&["lm_head.", "final_logits_bias"]);
            let output = HeadOutput::Labels(labels(r.keys)?.len());
            Head { pool: Pool::Last, dense: Some(Function::Tanh), output, ..Head::LANGUAGE }
        }
        other => {
            let hint = "BART and its kin are run for conditional generation and sequence classification";
            return Err(Error::unsupported("head", format!("{other:?}"), hint));
        }
    };
    Ok(Found { config: r.config(&sizes, Some(encoder), Some(decoder), head)?, names })
}

/// One half of the model, `encoder` or `decoder`, with its names.
fn half(r: &Reading, kind: &Kind, which: &str, names: &mut Names) -> Result<(Stack, Sizes)> {
    let key = |what: &str| format!("{which}_{what}");
    let n_embd = r.keys.size(&["d_model"], 1024)?;
    let n_heads = r.keys.size(&[&key("attention_heads")], 16)?;
    if n_embd % n_heads != 0 {
        return Err(r
            .keys
            .bad(&key("attention_heads"), format!("{n_heads} heads do not divide the width {n_embd}")));
    }
    let sizes = Sizes {
        n_vocab: r.keys.size(&["vocab_size"], kind.n_vocab)?,
        n_ctx: r.keys.size(&["max_position_embeddings"], 1024)?,
        n_embd,
        n_layers: layers(r.keys, r.checkpoint, &[&key("layers")], 12)?,
        n_heads,
        n_kv_heads: n_heads,
        head_dim: n_embd / n_heads,
        n_ff: r.keys.size(&[&key("ffn_dim")], 4096)?,
    };
    let mut stack = sizes.stack(r.keys)?;
    with_layer_norms(&mut stack, 1e-5, r.keys.activation(&["activation_function"], kind.activation)?);
    stack.embedding_norm = kind.embedding_norm;
    if r.keys.flag("scale_embedding", kind.scaled)? {
        stack.embedding_scale = (n_embd as f32).sqrt();
    }
    stack.residual = if kind.norms_before { Residual::Pre } else { Residual::Post };
    stack.final_norm = kind.norms_before;
    let saved = names.has(&format!("@{which}.embed_positions.weight"));
    stack.positions = Some(match kind.positions {
        Positions::Learned(offset) => PositionTable { n: sizes.n_ctx + offset, offset, made: None },
        Positions::Made(made, offset) => {
            PositionTable { n: sizes.n_ctx + offset, offset, made: Some(made).filter(|_| !saved) }
        }
    });

    let prefix = if which == "encoder" { "enc." } else { "dec." };
    let (at, n) = (format!("{which}.layers."), sizes.n_layers);
    names.stack_rules(prefix, &format!("{which}."), &all(AROUND));
    names.layers(prefix, &at, n, &all(ATTENTION));
    names.layers(prefix, &at, n, &all(FEED_FORWARD));
    let norms = match kind.norms_before {
        true => ["attn_norm", "cross_attn_norm", "ffn_norm"],
        false => ["attn_output_norm", "cross_attn_output_norm", "layer_output_norm"],
    };
    names.layers(prefix, &at, n, &all([(norms[0], "self_attn_layer_norm"), (norms[2], "final_layer_norm")]));
    if which == "decoder" {
        names.layers(prefix, &at, n, &all(CROSS));
        names.layers(prefix, &at, n, &all([(norms[1], "encoder_attn_layer_norm")]));
    }
    Ok((stack, sizes))
}
