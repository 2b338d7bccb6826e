//! Encoder-only and encoder-decoder families.

use super::{Base, decoders::gemma3_stack};
use crate::{
    error::{Error, Result},
    model::{Config, Head, HeadOutput, Layer, Pool, Problem, Residual, Rope, Scaling, ScoreBias, Stack},
    plan::{Function, RopeStyle},
};

/// Layer norms after sums, no norm at the end, every token sees all others.
fn bert_stack(base: &Base, stack: Stack) -> Result<Stack> {
    let mut stack = base.with_layer_norms(stack, Function::Gelu)?;
    stack.residual = Residual::Post;
    stack.causal = false;
    stack.final_norm = false;
    stack.embedding_norm = true;
    Ok(stack)
}

/// The Config around an encoder: a classifier where the file has one, else embeddings by the pooling that it names.
fn encoder(base: &Base, stack: Stack) -> Result<Config> {
    let labels: Vec<String> = base
        .keys
        .meta
        .opt_strings(&base.keys.key("classifier.output_labels"))?
        .map(|labels| labels.iter().map(str::to_owned).collect())
        .unwrap_or_default();
    let outputs = base.checkpoint.tensors.get("cls.output.weight").map(|info| info.shape[0]);
    // A pooler, or a transform with a norm, where the converter kept it.
    let has_norm = base.has("cls.norm.weight");
    let dense = if has_norm { stack.feed_forward.activation } else { Function::Tanh };
    let head = match outputs {
        Some(n) => Head {
            pool: base.pooling("classifier.pooling_type")?.unwrap_or(Pool::First),
            dense: base.has("cls.weight").then_some(dense),
            norm: has_norm,
            output: HeadOutput::Labels(n),
            ..Head::LANGUAGE
        },
        None => Head { pool: base.pooling("pooling_type")?.unwrap_or(Pool::Each), ..Head::HIDDEN },
    };
    let n_token_types = match base.checkpoint.tensors.get("token_types.weight") {
        Some(info) if info.shape.len() == 2 => info.shape[0],
        Some(_) => 1,
        None => 0,
    };
    let problem = if outputs == Some(1) { Problem::Regression } else { Problem::OneOf };
    Ok(Config { n_token_types, labels, problem, ..base.model(Some(stack), None, head) })
}

/// BERT, RoBERTa, XLM-R, MiniLM, BGE, E5: the converter has dropped the unused rows of RoBERTa's position table.
pub fn bert(base: &Base) -> Result<Config> {
    if base.has("cls.output.weight") && !base.has("cls.weight") {
        let hint = "its file has not the pooler (cls.weight) that BERT's classifier reads, as the converter left it \
                    out: load the model's Hugging Face folder instead";
        return Err(Error::unsupported("tensor", "cls.output.weight", hint));
    }
    let mut stack = bert_stack(base, base.stack())?;
    stack.positions = Some(base.learned_positions()?);
    encoder(base, stack)
}

/// nomic-embed-text: BERT with rotation and a gated feed-forward.
pub fn nomic_bert(base: &Base) -> Result<Config> {
    let mut stack = bert_stack(base, base.rotated(RopeStyle::Halves)?)?;
    stack.feed_forward.gated = true;
    stack.feed_forward.activation = Function::Silu;
    encoder(base, stack)
}

/// ModernBERT: norms before sublayers, none before the first attention, two local layers to each global one.
pub fn modern_bert(base: &Base) -> Result<Config> {
    let mut stack = base.with_layer_norms(base.rotated(RopeStyle::Halves)?, Function::Gelu)?;
    stack.feed_forward.gated = true;
    stack.causal = false;
    stack.embedding_norm = true;
    let theta = base.keys.opt_number("rope.freq_base_swa")?.unwrap_or(10_000.0);
    stack.ropes.push(Rope { theta, scaling: Scaling::None, ..stack.ropes[0].clone() });
    // The file counts the whole window, of which half lies on each side.
    let window = base.keys.opt_size("attention.sliding_window")?.map(|n| n / 2 + 1);
    for (i, layer) in stack.layers.iter_mut().enumerate() {
        let local = i % 3 != 0;
        *layer = Layer {
            window: window.filter(|_| local),
            rope: Some(usize::from(local)),
            bare_attention: i == 0,
            experts: false,
        };
    }
    encoder(base, stack)
}

/// EmbeddingGemma: Gemma 3's layers, each token seeing both sides.
pub fn gemma_embedding(base: &Base) -> Result<Config> {
    let mut stack = gemma3_stack(base)?;
    stack.causal = false;
    // The file counts the whole window, of which half lies on each side.
    stack.layers.iter_mut().for_each(|layer| layer.window = layer.window.map(|n| n / 2 + 1));
    let pool = base.pooling("pooling_type")?.unwrap_or(Pool::Mean);
    Ok(base.model(Some(stack), None, Head { pool, ..Head::HIDDEN }))
}

/// T5's stack: RMS norms, no scale on scores, biases by distance.
fn t5_stack(base: &Base, prefix: &'static str, n_layers: usize, causal: bool) -> Result<Stack> {
    let mut stack = base.stack();
    stack.prefix = prefix;
    stack.norm.eps = base.keys.opt_number("attention.layer_norm_rms_epsilon")?.unwrap_or(1e-6);
    stack.attention.scale = 1.0;
    stack.causal = causal;
    stack.layers = vec![Layer::default(); n_layers];
    stack.feed_forward.gated = base.has(&format!("{prefix}blk.0.ffn_gate.weight"));
    stack.feed_forward.activation =
        if stack.feed_forward.gated { Function::GeluTanh } else { Function::Relu };
    stack.score_bias = Some(ScoreBias::Buckets {
        n: base.keys.size("attention.relative_buckets_count")?,
        max_distance: 128,
        each_layer: n_layers > 1 && base.has(&format!("{prefix}blk.1.attn_rel_b.weight")),
    });
    Ok(stack)
}

/// T5, Flan-T5, mT5, UMT5.
pub fn t5(base: &Base) -> Result<Config> {
    let encoder = t5_stack(base, "enc.", base.n_layers, false)?;
    let n_decoder = base.keys.opt_size("decoder_block_count")?.unwrap_or(base.n_layers);
    let mut decoder = t5_stack(base, "dec.", n_decoder, true)?;
    decoder.cross = true;
    // The first T5 scales what it compares with the embedding table; later ones, whose feed-forward is gated, do not.
    let scales = !base.has("output.weight") && !decoder.feed_forward.gated;
    let scale = if scales { (decoder.n_embd as f32).powf(-0.5) } else { 1.0 };
    Ok(base.model(Some(encoder), Some(decoder), Head { scale, ..Head::LANGUAGE }))
}

/// T5's encoder alone.
pub fn t5_encoder(base: &Base) -> Result<Config> {
    let stack = t5_stack(base, "enc.", base.n_layers, false)?;
    Ok(base.model(
        Some(stack),
        None,
        Head { pool: base.pooling("pooling_type")?.unwrap_or(Pool::Each), ..Head::HIDDEN },
    ))
}
