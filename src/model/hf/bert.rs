//! BERT and the encoders of its shape: learned positions, norms after the sums.

use super::{Encoder, Found, Reading, Sizes, Task, heads::EncoderHeads, names::all, sizes::with_layer_norms};
use crate::{
    error::{Error, Result},
    model::{PositionTable, Residual, ScoreBias},
    plan::Function,
};

const BERT: Sizes = Sizes {
    n_vocab: 30_522,
    n_ctx: 512,
    n_embd: 768,
    n_layers: 12,
    n_heads: 12,
    n_kv_heads: 0,
    head_dim: 0,
    n_ff: 3072,
};
const DISTILBERT: Sizes = Sizes { n_layers: 6, ..BERT };
const ALBERT: Sizes = Sizes { n_vocab: 30_000, n_embd: 4096, n_heads: 64, n_ff: 16_384, ..BERT };
const ELECTRA: Sizes = Sizes { n_embd: 256, n_heads: 4, n_ff: 1024, ..BERT };

const EMBEDDINGS: [(&str, &str); 3] = [
    ("position_embd", "embeddings.position_embeddings"),
    ("token_types", "embeddings.token_type_embeddings"),
    ("token_embd_norm", "embeddings.LayerNorm"),
];

const LAYER: [(&str, &str); 8] = [
    ("attn_q", "attention.self.query"),
    ("attn_k", "attention.self.key"),
    ("attn_v", "attention.self.value"),
    ("attn_output", "attention.output.dense"),
    ("attn_output_norm", "attention.output.LayerNorm"),
    ("ffn_up", "intermediate.dense"),
    ("ffn_down", "output.dense"),
    ("layer_output_norm", "output.LayerNorm"),
];

const BERT_HEADS: EncoderHeads = EncoderHeads {
    masked: (["cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm"], Function::Gelu),
    vocabulary: &["cls.predictions.decoder"],
    vocabulary_bias: "cls.predictions.bias",
    sequence: ("@pooler.dense", Function::Tanh),
    classifier: "classifier",
    all: &["cls.", "@pooler.", "classifier.", "qa_outputs."],
};
const ROBERTA_HEADS: EncoderHeads = EncoderHeads {
    masked: (["lm_head.dense", "lm_head.layer_norm"], Function::Gelu),
    vocabulary: &["lm_head.decoder"],
    vocabulary_bias: "lm_head.bias",
    sequence: ("classifier.dense", Function::Tanh),
    classifier: "classifier.out_proj",
    all: &["lm_head.", "@pooler.", "classifier.", "qa_outputs."],
};
const DISTILBERT_HEADS: EncoderHeads = EncoderHeads {
    masked: (["vocab_transform", "vocab_layer_norm"], Function::Gelu),
    vocabulary: &["vocab_projector"],
    vocabulary_bias: "vocab_projector.bias",
    sequence: ("pre_classifier", Function::Relu),
    classifier: "classifier",
    all: &["vocab_", "pre_classifier.", "classifier.", "qa_outputs."],
};
const ALBERT_HEADS: EncoderHeads = EncoderHeads {
    masked: (["predictions.dense", "predictions.LayerNorm"], Function::GeluTanh),
    vocabulary: &["predictions.decoder"],
    vocabulary_bias: "predictions.bias",
    sequence: ("@pooler", Function::Tanh),
    classifier: "classifier",
    all: &["predictions.", "@pooler.", "sop_classifier.", "classifier.", "qa_outputs."],
};
const ELECTRA_HEADS: EncoderHeads = EncoderHeads {
    masked: (["generator_predictions.dense", "generator_predictions.LayerNorm"], Function::Gelu),
    vocabulary: &["generator_lm_head"],
    vocabulary_bias: "generator_lm_head.bias",
    sequence: ("classifier.dense", Function::Gelu),
    classifier: "classifier.out_proj",
    all: &["generator_", "discriminator_predictions.", "classifier.", "qa_outputs."],
};

/// What all have: BERT's order of norms, learned positions from row `offset` on, token types.
fn encoder<'a>(r: &Reading<'a>, sizes: Sizes, offset: usize) -> Result<Encoder<'a>> {
    r.keys.refuse("is_decoder", "BERT and its kin are run as encoders")?;
    r.keys.refuse("sinusoidal_pos_embds", "learned positions are run")?;
    if let Some(kind) = r.keys.opt_text(&["position_embedding_type"])?.filter(|kind| *kind != "absolute") {
        return Err(Error::unsupported(
            "position embedding",
            kind,
            "absolute positions are run in BERT and its kin",
        ));
    }
    let mut sizes = r.sizes(sizes)?;
    let mut stack = sizes.stack(r.keys)?;
    let activation = r.keys.activation(&["hidden_act", "activation"], Function::Gelu)?;
    with_layer_norms(&mut stack, r.keys.number(&["layer_norm_eps"], 1e-12)?, activation);
    stack.residual = Residual::Post;
    stack.causal = false;
    stack.final_norm = false;
    stack.embedding_norm = true;
    stack.positions = Some(PositionTable { n: sizes.n_ctx, offset, made: None });
    let too_few = || r.keys.bad("max_position_embeddings", format!("{} leaves no place for a token", offset));
    sizes.n_ctx = sizes.n_ctx.checked_sub(offset).filter(|n| *n > 0).ok_or_else(too_few)?;
    let mut names = r.names(&["embeddings.word_embeddings"]);
    names.base_rules(&all(EMBEDDINGS));
    let n_token_types = r.keys.opt_count(&["type_vocab_size"])?.unwrap_or(2);
    Ok(Encoder { sizes, stack, names, n_token_types, embedding_width: None })
}

/// RoBERTa's positions begin after the padding token's.
fn offset(r: &Reading) -> Result<usize> {
    Ok(r.keys.opt_count(&["pad_token_id"])?.unwrap_or(1) + 1)
}

pub fn bert<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = encoder(r, BERT, 0)?;
    model.names.layers("", "encoder.layer.", model.sizes.n_layers, &all(LAYER));
    let heads =
        EncoderHeads { masked: (BERT_HEADS.masked.0, model.stack.feed_forward.activation), ..BERT_HEADS };
    model.found(r, heads, |_, _, _| Ok(()))
}

/// RoBERTa, XLM-RoBERTa and CamemBERT.
pub fn roberta<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = encoder(r, BERT, offset(r)?)?;
    model.names.layers("", "encoder.layer.", model.sizes.n_layers, &all(LAYER));
    model.found(r, ROBERTA_HEADS, |_, _, _| Ok(()))
}

pub fn distilbert<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = encoder(r, DISTILBERT, 0)?;
    model.n_token_types = 0;
    model.stack.norm.eps = 1e-12;
    let layer = [
        ("attn_q", "attention.q_lin"),
        ("attn_k", "attention.k_lin"),
        ("attn_v", "attention.v_lin"),
        ("attn_output", "attention.out_lin"),
        ("attn_output_norm", "sa_layer_norm"),
        ("ffn_up", "ffn.lin1"),
        ("ffn_down", "ffn.lin2"),
        ("layer_output_norm", "output_layer_norm"),
    ];
    model.names.layers("", "transformer.layer.", model.sizes.n_layers, &all(layer));
    let masked = (DISTILBERT_HEADS.masked.0, model.stack.feed_forward.activation);
    model.found(r, EncoderHeads { masked, ..DISTILBERT_HEADS }, |_, _, _| Ok(()))
}

/// Groups of layers, as a rule one of all, share one set of weights; token embeddings are narrower.
pub fn albert<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let inner = r.keys.size(&["inner_group_num"], 1)?;
    if inner != 1 {
        let found = format!("inner_group_num {inner}");
        return Err(Error::unsupported("feature", found, "ALBERT is run with one layer in each group"));
    }
    let mut model = encoder(r, ALBERT, 0)?;
    let (n, groups) = (model.sizes.n_layers, r.keys.size(&["num_hidden_groups"], 1)?);
    if groups > n {
        return Err(r.keys.bad("num_hidden_groups", format!("{groups} groups of {n} layers")));
    }
    model.stack.layer_groups = Some(groups);
    model.embedding_width = Some(r.keys.size(&["embedding_size"], 128)?);
    model.names.base_rules(&all([("token_embd_proj", "encoder.embedding_hidden_mapping_in")]));
    let layer = [
        ("attn_q", "albert_layers.0.attention.query"),
        ("attn_k", "albert_layers.0.attention.key"),
        ("attn_v", "albert_layers.0.attention.value"),
        ("attn_output", "albert_layers.0.attention.dense"),
        ("attn_output_norm", "albert_layers.0.attention.LayerNorm"),
        ("ffn_up", "albert_layers.0.ffn"),
        ("ffn_down", "albert_layers.0.ffn_output"),
        ("layer_output_norm", "albert_layers.0.full_layer_layer_norm"),
    ];
    model.names.layers("", "encoder.albert_layer_groups.", groups, &all(layer));
    let activation = r.keys.activation(&["hidden_act"], Function::GeluTanh)?;
    model.stack.feed_forward.activation = activation;
    model.found(r, EncoderHeads { masked: (ALBERT_HEADS.masked.0, activation), ..ALBERT_HEADS }, |_, _, _| {
        Ok(())
    })
}

/// BERT with narrower token embeddings; its discriminator tells replaced tokens from original ones.
pub fn electra<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = encoder(r, ELECTRA, 0)?;
    model.names.layers("", "encoder.layer.", model.sizes.n_layers, &all(LAYER));
    model.names.base_rules(&all([("token_embd_proj", "embeddings_project")]));
    let width = r.keys.size(&["embedding_size"], 128)?;
    model.embedding_width = Some(width).filter(|width| *width != model.sizes.n_embd);
    let activation = model.stack.feed_forward.activation;
    model.found(r, ELECTRA_HEADS, |task, head, _| {
        if task == Task::Replaced {
            head.dense = Some(activation);
        }
        Ok(())
    })
}

/// BERT with RoBERTa's head and positions, and biases by distance that all layers share.
pub fn mpnet<'a>(r: &Reading<'a>) -> Result<Found<'a>> {
    let mut model = encoder(r, Sizes { n_vocab: 30_527, ..BERT }, offset(r)?)?;
    model.n_token_types = 0;
    let n = r.keys.size(&["relative_attention_num_buckets"], 32)?;
    model.stack.score_bias = Some(ScoreBias::Buckets { n, max_distance: 128, each_layer: false });
    model.names.base_rules(&all([("blk.0.attn_rel_b", "encoder.relative_attention_bias")]));
    let layer = [
        ("attn_q", "attention.attn.q"),
        ("attn_k", "attention.attn.k"),
        ("attn_v", "attention.attn.v"),
        ("attn_output", "attention.attn.o"),
        ("attn_output_norm", "attention.LayerNorm"),
        ("ffn_up", "intermediate.dense"),
        ("ffn_down", "output.dense"),
        ("layer_output_norm", "output.LayerNorm"),
    ];
    model.names.layers("", "encoder.layer.", model.sizes.n_layers, &all(layer));
    model.found(r, ROBERTA_HEADS, |_, _, _| Ok(()))
}
