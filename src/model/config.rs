//! The blueprint: every feature of a model that its layers depend on.

use crate::{
    error::{Error, Result},
    format::{Checkpoint, metadata::Metadata},
    plan::{AttentionShape, RopeStyle},
};

/// Rotary position embedding (Su et al. 2021).
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// The base of the frequencies, `rope_theta`.
    pub theta: f32,
    /// How many numbers of each head are rotated.
    pub dims: usize,
    /// Which numbers form a pair.
    pub style: RopeStyle,
    /// Positions are divided by it (linear scaling, Chen et al. 2023); 1 is off.
    pub linear_factor: f32,
}

/// A decoder-only transformer with RMS norms, rotary positions and gated feed-forward: Llama and its kin.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `general.architecture`, e.g. `llama`.
    pub architecture: String,
    /// Transformer layers.
    pub n_layers: usize,
    /// Width of the residual stream (`hidden_size`).
    pub n_embd: usize,
    /// Width of the feed-forward (`intermediate_size`).
    pub n_ff: usize,
    /// Heads, their size, scale and window; the same in every layer.
    pub attention: AttentionShape,
    /// Tokens in the vocabulary.
    pub n_vocab: usize,
    /// Positions the model was trained for.
    pub n_ctx_train: usize,
    /// Keeps the norms' root from zero.
    pub norm_eps: f32,
    /// Positions.
    pub rope: Rope,
}

impl Config {
    /// Reads the features of a GGUF checkpoint.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for an architecture or feature that is not run, [`Error::Format`] for a key that is
    /// missing, has the wrong type or a value that cannot be.
    pub fn read(checkpoint: &Checkpoint) -> Result<Config> {
        let meta = &checkpoint.metadata;
        let architecture = meta.str("general.architecture")?;
        let style = match architecture {
            "llama" | "mistral" => RopeStyle::Interleaved,
            "qwen2" | "qwen3" => RopeStyle::Halves,
            other => {
                let hint = "llama, mistral, qwen2 and qwen3 are run";
                return Err(Error::unsupported("architecture", other, hint));
            }
        };
        let keys = Keys { meta, architecture };

        let n_embd = keys.size("embedding_length")?;
        let n_heads = keys.size("attention.head_count")?;
        let n_kv_heads = keys.opt_size("attention.head_count_kv")?.unwrap_or(n_heads);
        let head_dim = match keys.opt_size("attention.key_length")? {
            Some(n) => n,
            None if n_embd % n_heads == 0 => n_embd / n_heads,
            None => {
                return Err(keys.bad("attention.head_count", format!("{n_heads} does not divide {n_embd}")));
            }
        };
        if n_heads % n_kv_heads != 0 {
            let problem = format!("{n_kv_heads} key/value heads do not divide {n_heads} heads");
            return Err(keys.bad("attention.head_count_kv", problem));
        }
        if keys.opt_size("attention.value_length")?.is_some_and(|n| n != head_dim) {
            let found = "attention.value_length";
            return Err(Error::unsupported("feature", found, "keys and values must have the same length"));
        }
        if head_dim % 4 != 0 || head_dim > 256 {
            let hint = "a multiple of 4 up to 256 is run";
            return Err(Error::unsupported("head size", head_dim.to_string(), hint));
        }

        let dims = keys.opt_size("rope.dimension_count")?.unwrap_or(head_dim);
        if dims > head_dim || dims % 2 != 0 {
            let problem = format!("{dims} must be even and at most the head size {head_dim}");
            return Err(keys.bad("rope.dimension_count", problem));
        }
        let rope = Rope {
            theta: keys.opt_number("rope.freq_base")?.unwrap_or(10_000.0),
            dims,
            style,
            linear_factor: keys.linear_rope_factor()?,
        };

        let table = checkpoint
            .tensors
            .get("token_embd.weight")
            .ok_or_else(|| Error::format(&meta.file, "token_embd.weight", 0, "the tensor is missing"))?;
        let n_vocab = *table.shape.first().unwrap_or(&0);

        Ok(Config {
            n_layers: keys.size("block_count")?,
            n_embd,
            n_ff: keys.size("feed_forward_length")?,
            attention: AttentionShape {
                n_heads,
                n_kv_heads,
                head_dim,
                scale: 1.0 / (head_dim as f32).sqrt(),
                window: keys.opt_size("attention.sliding_window")?,
            },
            n_vocab,
            n_ctx_train: keys.size("context_length")?,
            norm_eps: keys.opt_number("attention.layer_norm_rms_epsilon")?.unwrap_or(1e-5),
            rope,
            architecture: architecture.to_owned(),
        })
    }
}

/// Metadata under the architecture's prefix. Sizes are positive and small enough to multiply without overflow.
struct Keys<'a> {
    meta: &'a Metadata,
    architecture: &'a str,
}

impl Keys<'_> {
    /// No model comes near; what is larger is a damaged file.
    const LARGEST: usize = 1 << 24;

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    fn bad(&self, name: &str, problem: String) -> Error {
        self.meta.error(&self.key(name), problem)
    }

    fn opt_size(&self, name: &str) -> Result<Option<usize>> {
        let size = self.meta.opt_usize(&self.key(name))?;
        if let Some(n) = size.filter(|n| !(1..=Self::LARGEST).contains(n)) {
            return Err(self.bad(name, format!("{n} is not between 1 and {}", Self::LARGEST)));
        }
        Ok(size)
    }

    fn size(&self, name: &str) -> Result<usize> {
        self.opt_size(name)?.ok_or_else(|| self.bad(name, "the key is missing".into()))
    }

    fn opt_number(&self, name: &str) -> Result<Option<f32>> {
        let number = self.meta.opt_f32(&self.key(name))?;
        if let Some(x) = number.filter(|x| !x.is_finite() || *x <= 0.0) {
            return Err(self.bad(name, format!("{x} is not a positive number")));
        }
        Ok(number)
    }

    /// What linear scaling divides positions by. Older files name the factor alone; 0 says none.
    fn linear_rope_factor(&self) -> Result<f32> {
        let kind = self.meta.opt_str(&self.key("rope.scaling.type"))?;
        match kind {
            Some("none") => return Ok(1.0),
            None | Some("linear") => {}
            Some(other) => return Err(Error::unsupported("rope scaling", other, "none and linear are run")),
        }
        for name in ["rope.scaling.factor", "rope.scale_linear"] {
            let factor = self.meta.opt_f32(&self.key(name))?;
            match factor.filter(|factor| *factor != 0.0) {
                Some(factor) if factor.is_finite() && factor > 0.0 => return Ok(factor),
                Some(factor) => return Err(self.bad(name, format!("{factor} is not a positive number"))),
                None => {}
            }
        }
        Ok(1.0)
    }
}
