//! From a checkpoint to a model that is ready to run: the device is chosen, weights stream to it in chunks.

use std::{collections::HashSet, rc::Rc};

use super::{
    MAX_BEAMS,
    adapters::Adapters,
    batch::Limit,
    dense::Dense,
    engine::{Engine, Facts, Files},
    plans::Plans,
    stream::stream_weights,
};
use crate::{
    backend::{
        Backend, Kind,
        cpu::{Cpu, team::Hire},
        gpu,
        gpu::Gpu,
    },
    error::{Error, Result},
    format::Checkpoint,
    model::{self, Blueprint, Config, Description, Modules, Tables, Weights},
    plan::{KvCache, Plan},
    quant::DType,
    text::{ChatTemplate, Tokenizer, TokenizerFiles},
};

/// Which device the caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prefer {
    /// A real GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU, even one emulated in software; an error where there is none.
    Gpu,
}

/// How a model is loaded.
#[derive(Default)]
pub struct LoadOptions {
    /// The device.
    pub prefer: Prefer,
    /// Positions that the session's context holds; `None` takes what the model was trained for, at most [`MAX_DEFAULT_CONTEXT`].
    pub context_length: Option<usize>,
    /// The type that matrices of unquantized numbers get while they are loaded, where their rows allow it.
    pub quantize: Option<DType>,
    /// Ask a GPU for no more than what WebGPU promises everywhere.
    pub default_limits: bool,
    /// How keys and values are kept.
    pub kv_cache: KvCache,
    /// Whether steps of a plan are fused.
    pub fusion: Fusion,
    /// Threads that compute, should it be the CPU that runs the model; `None` takes as many as pay.
    pub threads: Option<usize>,
    /// Where they come from; without it there is one.
    pub hire: Option<Hire>,
    /// Whether a GPU measures how it lays out its work best.
    pub autotune: Autotune,
    /// [`Facts::tuning`] of an earlier load: on the same device nothing is measured again.
    pub tuning: Option<String>,
    /// How many generations are written together at most, from 1, which turns that off, to [`MAX_BEAMS`]. `None` takes 8 where
    /// that pays and changes no bit of a text: on the CPU, in the fast precision, if all matrices are of small integers; else 1.
    /// Where a number is given, rounding may elsewhere decide between two tokens that are as likely. Models with an encoder write
    /// one by one. See [`Engine::may_join`].
    pub max_batch: Option<usize>,
    /// Told about bytes done and the whole, by stage.
    pub progress: Option<Rc<dyn Fn(Progress)>>,
    /// Asked between chunks: `true` ends the load with [`Error::Aborted`].
    pub aborted: Option<Rc<dyn Fn() -> bool>>,
}

/// Whether steps of a plan are fused: see [`crate::plan::fuse`]. To compare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fusion {
    /// On a GPU, where each step costs a launch.
    #[default]
    WhereItPays,
    /// Nowhere.
    Never,
    /// Everywhere.
    Always,
}

/// Whether a GPU measures, in a second or less, how it lays out its work best.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Autotune {
    /// Where it is no software.
    #[default]
    WhereItPays,
    /// Nowhere.
    Never,
    /// Everywhere.
    Always,
}

/// The type to quantize to by the name that options have for it: `q8_0`, `q4_0` or `q4_k`.
///
/// # Errors
/// [`Error::Input`] for any other name.
pub fn quantize_to(name: &str) -> Result<DType> {
    match name {
        "q8_0" => Ok(DType::Q8_0),
        "q4_0" => Ok(DType::Q4_0),
        "q4_k" => Ok(DType::Q4_K),
        other => Err(Error::input("quantize", format!("`{other}` is not q8_0, q4_0 or q4_k"))),
    }
}

/// Where a load stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// `weights`, `prepare`.
    pub stage: &'static str,
    /// Bytes (or steps) done.
    pub loaded: u64,
    /// Of so many.
    pub total: u64,
}

/// The context that a load takes without being asked for one: enough for chat, little enough for any device.
pub const MAX_DEFAULT_CONTEXT: usize = 4096;
/// The same for models that read a text whole, and so need memory for all of its rows at once.
pub const MAX_DEFAULT_TEXT: usize = 1024;

/// The context for which a GPU is tried again that cannot hold the usual one.
const SMALL_CONTEXT: usize = 1024;

/// Loads a checkpoint. Where a GPU cannot hold the model with the context that a load takes unasked, it is tried with a smaller
/// one; where it cannot do that either and the caller leaves the device open, the CPU runs the model.
///
/// # Errors
/// Whatever the file, the sources or the device have to say; nothing stays allocated then.
pub async fn load(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Engine> {
    check_aborted(options)?;
    let description = model::read(checkpoint).await?;
    if let Some(n) = options.max_batch.filter(|n| !(1..=MAX_BEAMS).contains(n)) {
        return Err(Error::input("max_batch", format!("{n} is not between 1 and {MAX_BEAMS}")));
    }
    let usual = context_length(&description.config, options)?;
    let model = Model::read(checkpoint, description, options, usual).await?;

    let bytes = checkpoint.tensors.values().map(|tensor| tensor.n_bytes).sum();
    let (backend, reason) = open_backend(options, bytes).await?;
    let on_gpu = backend.info().kind == Kind::Gpu;
    let full = match model.load_on(backend, reason).await {
        Err(error @ Error::OutOfMemory { .. }) if on_gpu => error,
        result => return result.map(|loaded| model.engine(loaded)),
    };
    if options.context_length.is_none() && usual > SMALL_CONTEXT {
        let smaller = Model::read(checkpoint, model::read(checkpoint).await?, options, SMALL_CONTEXT).await?;
        let reason = format!("the GPU has no room for a context of {usual} tokens, so it is {SMALL_CONTEXT}");
        let loaded = match open_gpu(options).await {
            Ok(gpu) => smaller.load_on(Box::new(gpu), reason).await,
            Err(error) => Err(error),
        };
        match loaded {
            // A device that has just run out of memory may not come back.
            Err(
                Error::OutOfMemory { .. }
                | Error::NoDevice { .. }
                | Error::DeviceLost { .. }
                | Error::Device { .. },
            ) => {}
            result => return result.map(|loaded| smaller.engine(loaded)),
        }
    }
    if options.prefer != Prefer::Auto {
        return Err(full);
    }
    let loaded = model.load_on(cpu(options, bytes).await?, "the GPU cannot hold this model".into()).await?;
    Ok(model.engine(loaded))
}

/// The tokenizer of a model's files; a folder may have none, and then takes ids alone.
///
/// # Errors
/// As [`Tokenizer::from_json`] and [`Tokenizer::from_metadata`].
pub fn tokenizer(checkpoint: &Checkpoint) -> Result<Option<Tokenizer>> {
    let Some(folder) = &checkpoint.folder else {
        return Tokenizer::from_metadata(&checkpoint.metadata).map(Some);
    };
    let files = TokenizerFiles {
        config: folder.tokenizer_config.clone(),
        special_tokens_map: folder.special_tokens_map.clone(),
    };
    folder.tokenizer.as_deref().map(|json| Tokenizer::from_json(json, &files)).transpose()
}

/// What is on a device.
type Loaded = (Box<dyn Backend>, Facts, Plans);

/// A model that has no device yet.
struct Model<'a> {
    checkpoint: &'a Checkpoint,
    options: &'a LoadOptions,
    config: Config,
    weights: Weights<'a>,
    tables: [Tables; 2],
    n_ctx: usize,
    files: Files,
}

impl<'a> Model<'a> {
    async fn read(
        checkpoint: &'a Checkpoint,
        description: Description,
        options: &'a LoadOptions,
        n_ctx: usize,
    ) -> Result<Model<'a>> {
        let modules = Modules::of(&description, checkpoint.folder.is_none());
        let Description { config, origins, ignored, generation, .. } = description;
        let mut weights = Weights::new(checkpoint, origins, options.quantize);
        let tables = Tables::of(&config, &mut weights, n_ctx).await?;
        let blueprint = Blueprint {
            config: &config,
            weights: &weights,
            tables: &tables,
            n_ctx,
            kv_cache: options.kv_cache,
        };
        check_tensors(&blueprint, &ignored)?;
        let files = Files {
            dense: Dense::read(&config, &weights).await?,
            tokenizer: tokenizer(checkpoint)?,
            template: ChatTemplate::of(checkpoint)?,
            defaults: generation,
            adapters: Adapters::new(modules),
        };
        Ok(Model { checkpoint, options, config, weights, tables, n_ctx, files })
    }

    fn blueprint(&self) -> Blueprint<'_> {
        let Model { config, weights, tables, n_ctx, options, .. } = self;
        Blueprint { config, weights, tables, n_ctx: *n_ctx, kv_cache: options.kv_cache }
    }

    /// Weights and plans to a device; where that fails, the backend is dropped and all of its memory with it.
    async fn load_on(&self, mut backend: Box<dyn Backend>, reason: String) -> Result<Loaded> {
        let mut plans = Plans::build(&self.blueprint(), backend.info().kind.prefill_rows())?;
        let all: Vec<&Plan> = plans.all();
        let fingerprint = stream_weights(&self.weights, &all, backend.as_mut(), self.options).await?;
        let report = |loaded| tell(self.options, Progress { stage: "prepare", loaded, total: 2 });
        report(0);
        plans.prepare_first(backend.as_mut()).await?;
        report(1);
        plans.prepare_second(backend.as_mut()).await?;
        report(2);
        let Model { checkpoint, config, n_ctx, .. } = self;
        let facts = Facts::new(checkpoint, config, *n_ctx, backend.as_ref(), reason, &plans, fingerprint);
        Ok((backend, facts, plans))
    }

    fn engine(self, (backend, facts, plans): Loaded) -> Engine {
        let limit = Limit::of(self.options.max_batch, &facts, &plans);
        Engine::new(backend, facts, plans, self.files, limit)
    }
}

/// Refuses a file with weights that this version would ignore, and so get wrong numbers: biases or experts, say.
fn check_tensors(blueprint: &Blueprint, ignored: &[String]) -> Result<()> {
    let plans = Plans::build(blueprint, 1)?;
    let all = plans.all();
    let used: HashSet<&str> =
        all.iter().flat_map(|plan| &plan.values).map(|info| info.name.as_str()).collect();
    let mut unused = blueprint.weights.unused(|name| used.contains(name) || is_the_hosts(name));
    match unused.find(|name| !ignored.iter().any(|ignored| ignored == name)) {
        None => Ok(()),
        Some(name) => {
            let hint = format!("{} models that have it are not run yet", blueprint.config.architecture);
            Err(Error::unsupported("tensor", name, hint))
        }
    }
}

/// Weights that the host works into tables, or computes with.
fn is_the_hosts(name: &str) -> bool {
    name.ends_with("attn_rel_b.weight") || name.starts_with("dense.")
}

pub(super) fn tell(options: &LoadOptions, progress: Progress) {
    if let Some(tell) = &options.progress {
        tell(progress);
    }
}

/// # Errors
/// [`Error::Aborted`] once the caller asked for it.
pub(super) fn check_aborted(options: &LoadOptions) -> Result<()> {
    match options.aborted.as_ref().is_some_and(|aborted| aborted()) {
        true => Err(Error::Aborted),
        false => Ok(()),
    }
}

pub(super) fn context_length(config: &Config, options: &LoadOptions) -> Result<usize> {
    let usual = if config.encoder.is_some() { MAX_DEFAULT_TEXT } else { MAX_DEFAULT_CONTEXT };
    match options.context_length {
        None => Ok(config.n_ctx_train.min(usual)),
        Some(n) if (2..=config.n_ctx_train).contains(&n) => Ok(n),
        Some(n) => {
            let most = config.n_ctx_train;
            Err(Error::input("context_length", format!("{n} is not between 2 and the model's {most}")))
        }
    }
}

async fn open_gpu(options: &LoadOptions) -> Result<Gpu> {
    let (default_limits, unfused) = (options.default_limits, options.fusion == Fusion::Never);
    let mut gpu = Gpu::open(gpu::Options { default_limits, unfused, ..Default::default() }).await?;
    if options.autotune == Autotune::Always || options.autotune == Autotune::WhereItPays && !gpu.is_software()
    {
        gpu.tune(options.tuning.as_deref()).await?;
    }
    Ok(gpu)
}

/// The device for so many bytes of weights, and why it was chosen.
async fn open_backend(options: &LoadOptions, bytes: u64) -> Result<(Box<dyn Backend>, String)> {
    if options.prefer == Prefer::Cpu {
        return Ok((cpu(options, bytes).await?, "asked for".into()));
    }
    let opened = open_gpu(options).await;
    match (opened, options.prefer) {
        (Ok(gpu), Prefer::Gpu) => Ok((Box::new(gpu), "asked for".into())),
        (Err(error), Prefer::Gpu) => Err(error),
        (Ok(mut gpu), _) if gpu.is_software() => {
            gpu.destroy();
            Ok((
                cpu(options, bytes).await?,
                "WebGPU here is emulated in software, which our CPU code outruns".into(),
            ))
        }
        (Ok(gpu), _) => Ok((Box::new(gpu), "WebGPU is available".into())),
        (Err(Error::NoDevice { problem, .. }), _) => Ok((cpu(options, bytes).await?, problem)),
        (Err(error @ (Error::OutOfMemory { .. } | Error::Device { .. } | Error::DeviceLost { .. })), _) => {
            Ok((cpu(options, bytes).await?, format!("the GPU failed: {error}")))
        }
        (Err(error), _) => Err(error),
    }
}

/// This thread, with those that it is to work with.
async fn cpu(options: &LoadOptions, bytes: u64) -> Result<Box<dyn Backend>> {
    if options.fusion == Fusion::Always {
        return Ok(Box::new(Cpu::fusing()));
    }
    let n = match (&options.hire, options.threads) {
        (_, Some(0)) => return Err(Error::input("threads", "0 is too few; at least 1 is needed")),
        (None, Some(n)) if n > 1 => return Err(Error::input("threads", "this program has no more than one")),
        (Some(hire), None) => hire.usual(bytes),
        (_, n) => n.unwrap_or(1),
    };
    let team = match &options.hire {
        Some(hire) if n > 1 => (hire.start)(n - 1).await.map(Some),
        _ => Ok(None),
    };
    // Whoever did not ask for threads does without them.
    let team = team.or_else(|error| if options.threads.is_some() { Err(error) } else { Ok(None) })?;
    Ok(Box::new(Cpu::with_team(team)))
}
