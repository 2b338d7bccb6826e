//! A loaded model: its device, its plans, its tokenizer, and what the KV cache holds.

use std::collections::BTreeMap;

use super::{GenerateOptions, Generation};
use crate::{
    backend::{Backend, Counters, Kind, Prepared},
    error::{Error, Result},
    format::{Checkpoint, metadata::Metadata},
    model::{ALL_LOGITS, Config, IDS},
    plan::{Plan, Run, Sampling, Stage, Value},
    text::{ChatTemplate, Tokenizer},
};

/// What a page shows of a model.
#[derive(Debug, Clone)]
pub struct Facts {
    /// `general.name`, or the file's name.
    pub name: String,
    /// The blueprint.
    pub config: Config,
    /// Positions that the context holds.
    pub n_ctx: usize,
    /// Numbers in all weights.
    pub n_parameters: u64,
    /// Bytes of all weights in the file.
    pub weight_bytes: u64,
    /// Bytes of weights that decoding one token reads.
    pub bytes_per_token: u64,
    /// Kernel launches (on the CPU, steps) to decode one token.
    pub dispatches_per_token: usize,
    /// Tensors by type.
    pub types: BTreeMap<&'static str, usize>,
    /// CPU or GPU.
    pub backend: Kind,
    /// Why that.
    pub backend_reason: String,
    /// The device's name.
    pub device: String,
    /// Features of the device in use.
    pub features: Vec<String>,
    /// The file's metadata, long arrays left out: see [`Metadata::brief`].
    pub metadata: Metadata,
}

impl Facts {
    pub(super) fn new(
        checkpoint: &Checkpoint,
        config: &Config,
        n_ctx: usize,
        backend: &dyn Backend,
        backend_reason: String,
        decode: (&Plan, Prepared),
    ) -> Facts {
        let info = backend.info();
        let mut types = BTreeMap::new();
        for tensor in checkpoint.tensors.values() {
            *types.entry(tensor.dtype.info().name).or_default() += 1;
        }
        let metadata = checkpoint.metadata.brief();
        let name = match metadata.get("general.name") {
            Some(crate::format::metadata::Value::String(name)) if !name.trim().is_empty() => name.clone(),
            _ => metadata.file.clone(),
        };
        Facts {
            name,
            config: config.clone(),
            n_ctx,
            n_parameters: checkpoint
                .tensors
                .values()
                .map(|t| t.shape.iter().map(|n| *n as u64).product::<u64>())
                .sum(),
            weight_bytes: checkpoint.tensors.values().map(|t| t.n_bytes).sum(),
            bytes_per_token: decode.0.weight_bytes(1),
            dispatches_per_token: backend.dispatches(decode.1),
            types,
            backend: info.kind,
            backend_reason,
            device: info.device,
            features: info.features,
            metadata,
        }
    }
}

/// The plans of a model.
pub(super) struct Plans {
    /// One token.
    pub decode: Prepared,
    /// A chunk of the prompt, of up to so many tokens.
    pub prefill: Prepared,
    pub prefill_rows: usize,
    /// Logits of every row.
    pub score: Plan,
    /// The same, prepared when it is first asked for.
    pub scorer: Option<Scorer>,
}

/// The prepared plan that gives every row's logits.
#[derive(Clone, Copy)]
pub(super) struct Scorer {
    prepared: Prepared,
    output: Value,
    max_rows: usize,
}

/// A model that is ready to run.
pub struct Engine {
    pub(super) backend: Box<dyn Backend>,
    pub(super) plans: Plans,
    facts: Facts,
    tokenizer: Tokenizer,
    template: Option<ChatTemplate>,
    /// The tokens whose keys and values are in the cache, from position 0 on.
    pub(super) cached: Vec<u32>,
    /// Which generation may go on: the latest.
    pub(super) latest: u64,
    pub(super) unloaded: bool,
}

impl Engine {
    pub(super) fn new(
        backend: Box<dyn Backend>,
        facts: Facts,
        tokenizer: Tokenizer,
        template: Option<ChatTemplate>,
        plans: Plans,
    ) -> Engine {
        Engine { backend, plans, facts, tokenizer, template, cached: Vec::new(), latest: 0, unloaded: false }
    }

    /// What there is to know about the model.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Text to ids and back.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The file's chat template.
    ///
    /// # Errors
    /// [`Error::Template`] if it has none.
    pub fn template(&self) -> Result<&ChatTemplate> {
        let problem = "this model's file has none; use generate with a prompt in the model's own format";
        self.template.as_ref().ok_or_else(|| Error::Template { problem: problem.into() })
    }

    /// Memory held on the device.
    pub fn counters(&self) -> Counters {
        self.backend.counters()
    }

    /// Starts a generation after `prompt`. What the cache already holds of it is not computed again.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty prompt, an id outside the vocabulary or options out of range;
    /// [`Error::ContextFull`] for a prompt that is longer than the context.
    pub fn generate(&mut self, prompt: &[u32], options: GenerateOptions) -> Result<Generation> {
        options.check()?;
        self.check_ids(prompt)?;
        Generation::start(self, prompt, options)
    }

    /// Logits of every position: row-major `[ids.len(), n_vocab]`.
    ///
    /// # Errors
    /// As [`Engine::generate`]; [`Error::NotFinite`] if a logit is NaN or infinite.
    pub async fn logits(&mut self, ids: &[u32]) -> Result<Vec<f32>> {
        self.check_ids(ids)?;
        let Scorer { prepared, output, max_rows } = self.scorer().await?;
        self.latest += 1; // a generation that was running cannot go on: the cache is overwritten
        self.cached.clear();
        let n_vocab = self.facts.config.n_vocab;
        let mut logits = Vec::new();
        let n = ids.len() as u64 * n_vocab as u64;
        let room = usize::try_from(n).map(|n| logits.try_reserve_exact(n));
        if !matches!(room, Ok(Ok(()))) {
            return Err(Error::OutOfMemory { device: "host", what: "the logits".into(), bytes: 4 * n });
        }
        for (i, chunk) in ids.chunks(max_rows).enumerate() {
            self.backend.write_u32(IDS, 0, chunk)?;
            let pos = (i * max_rows) as u32;
            let run = Run { pos, n_rows: chunk.len() as u32, draw: 0, sampling: Sampling::GREEDY };
            self.backend.run(prepared, &run, Stage::Logits)?;
            logits.extend(self.backend.read_value(prepared, output, 0, chunk.len() * n_vocab).await?);
        }
        if logits.iter().any(|x| !x.is_finite()) {
            return Err(Error::NotFinite { place: "the logits".into() });
        }
        self.cached = ids.to_vec();
        Ok(logits)
    }

    /// Gives all memory of the device back. Later calls fail with [`Error::Unloaded`].
    pub fn unload(&mut self) {
        self.backend.destroy();
        self.cached.clear();
        self.unloaded = true;
    }

    async fn scorer(&mut self) -> Result<Scorer> {
        if let Some(scorer) = self.plans.scorer {
            return Ok(scorer);
        }
        let plan = &self.plans.score;
        let missing = || Error::input("plan", format!("it has no `{ALL_LOGITS}`"));
        let output = plan.find(ALL_LOGITS).ok_or_else(missing)?;
        let prepared = self.backend.prepare(plan).await?;
        Ok(*self.plans.scorer.insert(Scorer { prepared, output, max_rows: plan.max_rows }))
    }

    fn check_ids(&self, ids: &[u32]) -> Result<()> {
        if self.unloaded {
            return Err(Error::Unloaded);
        }
        let (n_vocab, n_ctx) = (self.facts.config.n_vocab, self.facts.n_ctx);
        if ids.is_empty() {
            return Err(Error::input("prompt", "it has no tokens; give at least one"));
        }
        if let Some(id) = ids.iter().find(|id| **id as usize >= n_vocab) {
            return Err(Error::input("ids", format!("{id} is not in the vocabulary of {n_vocab} tokens")));
        }
        if ids.len() > n_ctx {
            return Err(Error::ContextFull { n_prompt: ids.len(), n_ctx });
        }
        Ok(())
    }
}
