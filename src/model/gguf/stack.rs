//! What families have in common: sizes, heads and positions, read once and then changed by each family.

use super::Keys;
use crate::{
    error::{Error, Result},
    format::{Checkpoint, Window},
    model::{
        Config, FeedForward, Head, Layer, NormConfig, Pool, PositionTable, Problem, QkNorm, Residual, Rope,
        Scaling, Stack, Weights,
    },
    plan::{AttentionShape, Function, NormKind, RopeStyle},
};

/// Positions that models with biases by distance may have at the least.
const BEYOND: usize = 2048;

/// A checkpoint's metadata with the sizes that all families have.
pub struct Base<'a> {
    pub keys: Keys<'a>,
    pub checkpoint: &'a Checkpoint,
    pub n_layers: usize,
    pub n_ctx_train: usize,
    pub n_vocab: usize,
    /// Rotation of the whole head, or of as much of it as the file says, with the file's scaling.
    pub rope: Rope,
    stack: Stack,
}

impl<'a> Base<'a> {
    /// Reads what is common. The stack is a decoder with RMS norms before its sublayers and a gated feed-forward.
    pub async fn read(checkpoint: &'a Checkpoint, keys: Keys<'a>) -> Result<Base<'a>> {
        let n_layers = keys.size("block_count")?;
        if n_layers > checkpoint.tensors.len() {
            return Err(keys
                .bad("block_count", format!("{n_layers} layers, but {} tensors", checkpoint.tensors.len())));
        }
        let n_embd = keys.size("embedding_length")?;
        let attention = attention(&keys, n_layers, n_embd)?;
        let table = checkpoint
            .tensors
            .get("token_embd.weight")
            .ok_or_else(|| Error::format(&keys.meta.file, "token_embd.weight", 0, "the tensor is missing"))?;
        let n_vocab = table.shape.first().copied().unwrap_or(0);
        let n_ctx_train = keys.size("context_length")?;
        let rope = rope(&keys, checkpoint, attention.head_dim, n_ctx_train).await?;
        let eps = keys.opt_number("attention.layer_norm_rms_epsilon")?;
        let n_ff = match keys.opt_even_size("feed_forward_length", n_layers)? {
            Some(n) => n,
            // Where all are experts.
            None if keys.opt_size("expert_count")?.is_some() => keys.size("expert_feed_forward_length")?,
            None => keys.size("feed_forward_length")?,
        };
        let stack = Stack {
            prefix: "",
            n_embd,
            embedding_scale: 1.0,
            positions: None,
            embedding_norm: false,
            layers: vec![Layer::default(); n_layers],
            layer_groups: None,
            attention,
            causal: true,
            cross: false,
            ropes: Vec::new(),
            score_bias: None,
            qk_norm: QkNorm::None,
            clip_qkv: None,
            sinks: false,
            norm: NormConfig { kind: NormKind::Rms, eps: eps.unwrap_or(1e-5), weights: true },
            residual: Residual::Pre,
            residual_scale: 1.0,
            feed_forward: FeedForward { n_ff, activation: Function::Silu, gated: true, experts: None },
            final_norm: true,
        };
        Ok(Base { keys, checkpoint, n_layers, n_ctx_train, n_vocab, rope, stack })
    }

    /// A decoder's stack: no positions yet.
    pub fn stack(&self) -> Stack {
        self.stack.clone()
    }

    /// The same with all layers rotating by the file's rope in `style`, and its window.
    pub fn rotated(&self, style: RopeStyle) -> Result<Stack> {
        let mut stack = self.stack();
        stack.ropes = vec![Rope { style, ..self.rope.clone() }];
        let window = self.keys.opt_count("attention.sliding_window")?;
        stack.layers.iter_mut().for_each(|layer| *layer = Layer { window, rope: Some(0), ..*layer });
        Ok(stack)
    }

    /// Layer norms instead of RMS norms, and a feed-forward without a gate.
    pub fn with_layer_norms(&self, mut stack: Stack, activation: Function) -> Result<Stack> {
        // Where the key for layer norms is missing, converters have used the other.
        let eps = self.keys.opt_number("attention.layer_norm_epsilon")?.unwrap_or(stack.norm.eps);
        stack.norm = NormConfig { kind: NormKind::Layer, eps, weights: true };
        stack.feed_forward.gated = false;
        stack.feed_forward.activation = activation;
        Ok(stack)
    }

    /// The feed-forward's real width, where converters write four times the embeddings' whatever it is.
    pub fn with_real_width(&self, mut stack: Stack) -> Stack {
        if let Some([n_ff, _]) =
            self.checkpoint.tensors.get("blk.0.ffn_up.weight").map(|info| &info.shape[..])
        {
            stack.feed_forward.n_ff = *n_ff;
        }
        stack
    }

    /// Lets all but each last of `every` layers be local: with the window, and a rotation of its own, unscaled.
    pub fn alternate(&self, stack: &mut Stack, every: usize) -> Result<()> {
        let local = self.keys.local_layers("attention.sliding_window_pattern", self.n_layers, every)?;
        let theta = self.keys.opt_number("rope.freq_base_swa")?;
        if let Some(theta) = theta {
            stack.ropes.push(Rope { theta, scaling: Scaling::None, ..stack.ropes[0].clone() });
        }
        for (layer, local) in stack.layers.iter_mut().zip(local) {
            match local {
                true => layer.rope = layer.rope.map(|_| usize::from(theta.is_some())),
                false => layer.window = None,
            }
        }
        Ok(())
    }

    /// Learned positions, as many as the file's table has.
    pub fn learned_positions(&self) -> Result<PositionTable> {
        let name = "position_embd.weight";
        let table = self.checkpoint.tensors.get(name);
        let table =
            table.ok_or_else(|| Error::format(&self.keys.meta.file, name, 0, "the tensor is missing"))?;
        Ok(PositionTable { n: table.shape.first().copied().unwrap_or(0), offset: 0, made: None })
    }

    /// A model of one decoder that writes text, or gives embeddings where the file names a pooling.
    pub fn decoder(&self, stack: Stack) -> Result<Config> {
        self.decoder_with(stack, Head::LANGUAGE)
    }

    /// The same with more in its head.
    pub fn decoder_with(&self, stack: Stack, head: Head) -> Result<Config> {
        let head = match self.pooling("pooling_type")? {
            Some(pool) if pool != Pool::Each => Head { pool, ..Head::HIDDEN },
            _ => head,
        };
        Ok(self.model(None, Some(stack), head))
    }

    /// A pooling, numbered as in llama.cpp.
    pub fn pooling(&self, name: &str) -> Result<Option<Pool>> {
        Ok(match self.keys.meta.opt_usize(&self.keys.key(name))? {
            None => None,
            Some(0) => Some(Pool::Each),
            Some(1) => Some(Pool::Mean),
            Some(2) => Some(Pool::First),
            Some(3) => Some(Pool::Last),
            Some(other) => {
                let hint = "none, mean, first and last are run";
                return Err(Error::unsupported("pooling type", other.to_string(), hint));
            }
        })
    }

    /// A model of these parts.
    pub fn model(&self, encoder: Option<Stack>, decoder: Option<Stack>, head: Head) -> Config {
        Config {
            architecture: self.keys.architecture.to_owned(),
            n_vocab: self.n_vocab,
            n_ctx_train: match encoder.as_ref().or(decoder.as_ref()) {
                // Biases by distance are made for longer texts than those of the training.
                Some(stack) if stack.score_bias.is_some() => self.n_ctx_train.max(BEYOND),
                _ => self.n_ctx_train,
            },
            encoder,
            decoder,
            head,
            n_token_types: 0,
            embedding_width: None,
            dense: Vec::new(),
            normalized_embeddings: false,
            labels: Vec::new(),
            problem: Problem::OneOf,
        }
    }

    /// Whether the file has a tensor.
    pub fn has(&self, name: &str) -> bool {
        self.checkpoint.tensors.contains_key(name)
    }
}

fn attention(keys: &Keys, n_layers: usize, n_embd: usize) -> Result<AttentionShape> {
    let n_heads = keys
        .opt_even_size("attention.head_count", n_layers)?
        .ok_or_else(|| keys.bad("attention.head_count", "the key is missing".into()))?;
    let n_kv_heads = keys.opt_even_size("attention.head_count_kv", n_layers)?.unwrap_or(n_heads);
    let head_dim = match keys.opt_size("attention.key_length")? {
        Some(n) => n,
        None if n_embd.is_multiple_of(n_heads) => n_embd / n_heads,
        None => return Err(keys.bad("attention.head_count", format!("{n_heads} does not divide {n_embd}"))),
    };
    if n_heads % n_kv_heads != 0 {
        let problem = format!("{n_kv_heads} key/value heads do not divide {n_heads} heads");
        return Err(keys.bad("attention.head_count_kv", problem));
    }
    if keys.opt_size("attention.value_length")?.is_some_and(|n| n != head_dim) {
        let found = "attention.value_length";
        return Err(Error::unsupported("feature", found, "keys and values must have the same length"));
    }
    super::super::check_head_dim(head_dim)?;
    let scale = 1.0 / (head_dim as f32).sqrt();
    Ok(AttentionShape { n_heads, n_kv_heads, head_dim, scale, window: None, softcap: None })
}

async fn rope(keys: &Keys<'_>, checkpoint: &Checkpoint, head_dim: usize, n_ctx_train: usize) -> Result<Rope> {
    let dims = keys.opt_size("rope.dimension_count")?.unwrap_or(head_dim);
    if dims > head_dim || dims % 2 != 0 {
        let problem = format!("{dims} must be even and at most the head size {head_dim}");
        return Err(keys.bad("rope.dimension_count", problem));
    }
    Ok(Rope {
        theta: keys.opt_number("rope.freq_base")?.unwrap_or(10_000.0),
        dims,
        style: RopeStyle::Halves,
        scaling: scaling(keys, checkpoint, dims, n_ctx_train).await?,
    })
}

/// Scaling of the rotation: divisors in tensors, else by the metadata. Older files name the linear factor alone.
async fn scaling(
    keys: &Keys<'_>,
    checkpoint: &Checkpoint,
    dims: usize,
    n_ctx_train: usize,
) -> Result<Scaling> {
    let original = keys.opt_size("rope.scaling.original_context_length")?.unwrap_or(n_ctx_train);
    let attention = keys.opt_number("rope.scaling.attn_factor")?.unwrap_or(1.0);
    if let Some(factors) = factors(checkpoint, "rope_freqs.weight", dims / 2).await? {
        return Ok(Scaling::Factors(factors));
    }
    let long = factors(checkpoint, "rope_factors_long.weight", dims / 2).await?;
    let short = factors(checkpoint, "rope_factors_short.weight", dims / 2).await?;
    if let (Some(short), Some(long)) = (short, long) {
        return Ok(Scaling::Long { short, long, original, magnitude: attention });
    }
    let factor = match keys.opt_number("rope.scaling.factor")? {
        Some(factor) => factor,
        None => keys.opt_number("rope.scale_linear")?.unwrap_or(1.0),
    };
    match keys.text("rope.scaling.type")? {
        Some("none") => Ok(Scaling::None),
        None | Some("linear") if factor == 1.0 => Ok(Scaling::None),
        None | Some("linear") => Ok(Scaling::Linear(factor)),
        Some("yarn") => {
            let number = |name: &str, usual: f32| Ok::<_, Error>(keys.opt_number(name)?.unwrap_or(usual));
            Ok(Scaling::Yarn {
                factor,
                beta_fast: number("rope.scaling.yarn_beta_fast", 32.0)?,
                beta_slow: number("rope.scaling.yarn_beta_slow", 1.0)?,
                original,
                magnitude: attention * crate::model::yarn_magnitude(factor, 1.0),
                truncate: keys.flag("rope.scaling.truncate")?.unwrap_or(true),
            })
        }
        Some(other) => {
            Err(Error::unsupported("rope scaling", other, "none, linear, yarn and longrope are run"))
        }
    }
}

/// What a file divides the frequencies of RoPE by: `[n]`.
async fn factors(checkpoint: &Checkpoint, name: &str, n: usize) -> Result<Option<Vec<f32>>> {
    if !checkpoint.tensors.contains_key(name) {
        return Ok(None);
    }
    let origins = [(name.to_owned(), crate::model::Origin::whole(name))].into();
    let weights = Weights::new(checkpoint, origins, None);
    let shape = weights.source(name)?.shape;
    if shape != (1, n) {
        let problem =
            format!("its shape is {:?}, the metadata call for [{n}]", checkpoint.tensors[name].shape);
        return Err(weights.bad(name, problem));
    }
    let factors = weights.numbers(name, &mut Window::default()).await?;
    match factors.iter().all(|f| f.is_finite() && *f > 0.0) {
        true => Ok(Some(factors)),
        false => Err(weights.bad(name, "a factor is not a positive number".into())),
    }
}
