//! A loaded model: its device, its plans, its tokenizer, and what the KV cache holds.

use std::collections::BTreeMap;

use super::{
    AdapterUse, Constraint, GenerateOptions, Generation,
    adapters::Adapters,
    batch::{Batch, Limit},
    dense::Dense,
    generation::Draft,
    languages::Languages,
    plans::Plans,
    sessions::Sessions,
};
use crate::{
    backend::{Backend, Counters, Kind, Precision},
    error::{Error, Result},
    format::{Checkpoint, metadata::Metadata},
    model::{Config, GenerationDefaults},
    plan::Run,
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
    /// Tells these weights, in the types that they have on the device, from others.
    pub fingerprint: u64,
    /// What the device chose by measuring, for [`crate::run::LoadOptions::tuning`] of later loads.
    pub tuning: Option<String>,
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
        plans: &Plans,
        fingerprint: u64,
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
            bytes_per_token: plans.main().map_or(0, |main| main.plan.weight_bytes(1)),
            dispatches_per_token: plans
                .main()
                .and_then(|main| main.ready().ok())
                .map_or(0, |prepared| backend.dispatches(prepared)),
            types,
            backend: info.kind,
            backend_reason,
            device: info.device,
            features: info.features,
            fingerprint,
            tuning: info.tuning,
            metadata,
        }
    }
}

/// What the states of a decoder hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Cached {
    /// The tokens whose keys and values are there, from position 0 on.
    pub tokens: Vec<u32>,
    /// What the encoder read, for a decoder that looks at it.
    pub source: Vec<u32>,
    /// Whether keys were rotated as in texts beyond the original context.
    pub beyond: bool,
    /// How exactly all of it was computed.
    pub precision: Precision,
    /// With which adapters, in order.
    pub adapters: Vec<AdapterUse>,
}

impl Cached {
    /// Forgets the decoder's tokens.
    pub fn clear(&mut self) {
        self.tokens.clear();
    }
}

/// What a model's files tell besides its weights.
pub(super) struct Files {
    pub tokenizer: Option<Tokenizer>,
    pub template: Option<ChatTemplate>,
    pub defaults: GenerationDefaults,
    /// What embeddings go through after the pooling.
    pub dense: Vec<Dense>,
    /// None yet, but where theirs would belong.
    pub adapters: Adapters,
}

/// A model that is ready to run.
pub struct Engine {
    pub(super) backend: Box<dyn Backend>,
    pub(super) plans: Plans,
    facts: Facts,
    tokenizer: Option<Tokenizer>,
    template: Option<ChatTemplate>,
    defaults: GenerationDefaults,
    /// What embeddings go through after the pooling.
    pub(super) dense: Vec<Dense>,
    /// What is in the cache.
    pub(super) cached: Cached,
    /// Whose it is, and what had to make room for it.
    pub(super) sessions: Sessions,
    /// The texts that are written together.
    pub(super) batch: Batch,
    /// Which generation may go on besides those: the latest.
    pub(super) latest: u64,
    /// How many devices it has lost.
    pub(super) n_losses: u64,
    /// Generations that could go on when it lost one, and have not yet.
    pub(super) survivors: Vec<u64>,
    pub(super) unloaded: bool,
    /// How exact everything but generation is.
    pub(super) precision: Precision,
    pub(super) adapters: Adapters,
    /// Of an encoder-decoder.
    pub(super) languages: Languages,
}

impl Engine {
    pub(super) fn new(
        backend: Box<dyn Backend>,
        facts: Facts,
        plans: Plans,
        files: Files,
        limit: Limit,
    ) -> Engine {
        let Files { tokenizer, template, defaults, dense, adapters } = files;
        let translates = facts.config.encoder.is_some() && facts.config.decoder.is_some();
        let languages = tokenizer.as_ref().filter(|_| translates).map(Languages::of).unwrap_or_default();
        Engine {
            backend,
            plans,
            batch: Batch::new(facts.n_ctx, limit),
            facts,
            tokenizer,
            template,
            defaults,
            dense,
            cached: Cached::default(),
            sessions: Sessions::default(),
            latest: 0,
            n_losses: 0,
            survivors: Vec::new(),
            unloaded: false,
            precision: Precision::Exact,
            adapters,
            languages,
        }
    }

    /// What there is to know about the model.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Text to ids and back.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the files have none.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        let problem = "this model's files have none (no tokenizer.json): give token ids instead of text";
        self.tokenizer.as_ref().ok_or_else(|| Error::Tokenizer { problem: problem.into() })
    }

    /// How the model's files want text to be generated.
    pub fn defaults(&self) -> &GenerationDefaults {
        &self.defaults
    }

    /// Every token that ends a text.
    pub(super) fn ends(&self) -> Vec<u32> {
        let named = self.tokenizer.as_ref().map(|tokenizer| tokenizer.ends()).unwrap_or_default();
        let mut ends = [&self.defaults.eos[..], named].concat();
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    /// Whether a token ends a text.
    pub(super) fn is_end(&self, id: u32) -> bool {
        self.defaults.eos.contains(&id)
            || self.tokenizer.as_ref().is_some_and(|tokenizer| tokenizer.is_end(id))
    }

    /// The file's chat template.
    ///
    /// # Errors
    /// [`Error::Template`] if it has none.
    pub fn template(&self) -> Result<&ChatTemplate> {
        let problem = "this model's file has none; use generate with a prompt in the model's own format";
        self.template.as_ref().ok_or_else(|| Error::Template { problem: problem.into() })
    }

    /// How exact what is read from now on is: logits, labels, embeddings. [`Precision::Exact`] until it is said; a generation's
    /// own is in its options.
    pub fn set_precision(&mut self, precision: Precision) {
        self.precision = precision;
    }

    /// What follows is computed as everything but generation is.
    pub(super) fn compute_as_chosen(&mut self) -> Result<()> {
        let chosen = self.adapters.chosen();
        self.compute_next(self.precision, &chosen)
    }

    /// What follows is computed so exactly and with these adapters, and nothing that was computed otherwise is used for it.
    pub(super) fn compute(&mut self, precision: Precision, adapters: &[AdapterUse]) -> Result<()> {
        self.adapt(adapters)?;
        self.backend.set_precision(precision);
        if self.cached.precision != precision && self.backend.is_faster_less_exact() {
            self.latest += 1; // a generation that was running cannot go on
            self.cached.clear();
            self.cached.source.clear();
        }
        self.cached.precision = precision;
        Ok(())
    }

    /// Memory held on the device.
    pub fn counters(&self) -> Counters {
        self.backend.counters()
    }

    /// Starts a generation after `prompt`; for an encoder-decoder, `prompt` is what the encoder reads. What the cache
    /// already holds of it is not computed again. Generations under way go on beside it where it [may join
    /// them](Engine::may_join); else none of them can.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty prompt, an id outside the vocabulary, options out of range or a model that writes no
    /// text; [`Error::ContextFull`] for a prompt that is longer than the context.
    pub fn generate(&mut self, prompt: &[u32], options: GenerateOptions) -> Result<Generation> {
        self.start(prompt, options, None, None)
    }

    /// The same with drafts of a smaller model, which is another than this: the text is the same, sooner there where the two
    /// mostly agree.
    ///
    /// # Errors
    /// As [`Engine::generate`]; [`Error::Input`] if the smaller model's vocabulary is another, if it is no decoder, or if not the
    /// device draws the tokens (beams, processors of the host).
    pub fn generate_with_draft(
        &mut self,
        prompt: &[u32],
        options: GenerateOptions,
        draft: Draft,
    ) -> Result<Generation> {
        self.start(prompt, options, Some(draft), None)
    }

    /// The same with a text that is held to a structure: it ends when that is whole, or is cut where the options say so.
    ///
    /// # Errors
    /// As [`Engine::generate`]; [`Error::Input`] for beams and for texts that go on after their end; [`Error::Unsupported`] where
    /// a text is not the bytes of its tokens one after another.
    pub fn generate_constrained(
        &mut self,
        prompt: &[u32],
        options: GenerateOptions,
        constraint: Box<dyn Constraint>,
    ) -> Result<Generation> {
        self.start(prompt, options, None, Some(constraint))
    }

    fn start(
        &mut self,
        prompt: &[u32],
        options: GenerateOptions,
        draft: Option<Draft>,
        constraint: Option<Box<dyn Constraint>>,
    ) -> Result<Generation> {
        options.check()?;
        self.check_ids(prompt)?;
        if !self.facts.config.generates() {
            let problem = format!("{} models write no text", self.facts.config.architecture);
            return Err(Error::input("model", problem));
        }
        Generation::start(self, prompt, options, draft, constraint)
    }

    /// A text with the tokens before it that stand for those of a soft prompt.
    ///
    /// # Errors
    /// [`Error::ContextFull`] where both together do not fit.
    pub(super) fn with_virtual(&self, ids: &[u32]) -> Result<Vec<u32>> {
        let all = [&vec![0; self.adapters.n_virtual()][..], ids].concat();
        match all.len() > self.facts.n_ctx {
            true => Err(Error::ContextFull { n_prompt: all.len(), n_ctx: self.facts.n_ctx }),
            false => Ok(all),
        }
    }

    /// The parameters of a run of rows that follow position `pos`.
    pub(super) fn run_at(&self, pos: usize, n_rows: usize) -> Run {
        let rope_start = if self.cached.beyond { self.facts.n_ctx } else { 0 };
        let n_keys = self.cached.source.len();
        Run { n_keys: n_keys as u32, rope_start: rope_start as u32, ..Run::new(pos, n_rows) }
    }

    /// Whether a text of `n` tokens is beyond the context that its rotation was first made for.
    pub(super) fn is_beyond(&self, n: usize) -> bool {
        let ropes = self.facts.config.decoder.iter().flat_map(|stack| &stack.ropes);
        // A table for the other kind is made only where the context has room for such texts.
        ropes.filter_map(|rope| rope.switches_at()).any(|at| at < self.facts.n_ctx && n > at)
    }

    /// Gives all memory of the device back. Later calls fail with [`Error::Unloaded`].
    pub fn unload(&mut self) {
        self.backend.destroy();
        self.sessions = Sessions::default();
        self.batch = Batch::new(self.facts.n_ctx, self.batch.limit);
        self.cached.clear();
        self.unloaded = true;
    }

    pub(super) fn check_ids(&self, ids: &[u32]) -> Result<()> {
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
