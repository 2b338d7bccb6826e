//! From a checkpoint to a model that is ready to run: the device is chosen, weights stream to it in chunks.

use std::{collections::HashSet, rc::Rc};

use super::engine::{Engine, Facts, Plans};
use crate::{
    backend::{Backend, Kind, WeightSpec, cpu::Cpu, gpu, gpu::Gpu},
    error::{Error, Result},
    format::{Checkpoint, TensorInfo, Window},
    model::{Config, Output, Weights, decoder_plan},
    plan::{Plan, Storage},
    text::{ChatTemplate, Tokenizer},
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
    /// Ask a GPU for no more than what WebGPU promises everywhere.
    pub default_limits: bool,
    /// Told about bytes done and the whole, by stage.
    pub progress: Option<Rc<dyn Fn(Progress)>>,
    /// Asked between chunks: `true` ends the load with [`Error::Aborted`].
    pub aborted: Option<Rc<dyn Fn() -> bool>>,
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

/// The most bytes of logits that one run of scoring makes.
const SCORE_BYTES: usize = 32 << 20;
/// Bytes of a weight that are in host memory at a time, about.
const CHUNK: usize = 4 << 20;
/// Bytes that may wait in the device's queue before the next chunk is read.
const IN_FLIGHT: u64 = 32 << 20;

/// Loads a checkpoint. Where the caller leaves the device open and the GPU cannot hold the model, the CPU runs it.
///
/// # Errors
/// Whatever the file, the sources or the device have to say; nothing stays allocated then.
pub async fn load(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Engine> {
    let config = Config::read(checkpoint)?;
    let n_ctx = context_length(&config, options)?;
    let weights = Weights::open(checkpoint, &config, n_ctx).await?;
    let parts = Parts { checkpoint, config: &config, weights: &weights, n_ctx, options };
    parts.check_tensors()?;
    let tokenizer = Tokenizer::from_metadata(&checkpoint.metadata)?;
    let template = ChatTemplate::from_metadata(&checkpoint.metadata)?;

    let (backend, reason) = open_backend(options).await?;
    let on_gpu = backend.info().kind == Kind::Gpu;
    let loaded = match parts.load_on(backend, reason).await {
        Err(Error::OutOfMemory { .. }) if on_gpu && options.prefer == Prefer::Auto => {
            parts.load_on(Box::new(Cpu::new()), "the GPU cannot hold this model".into()).await
        }
        result => result,
    };
    let (backend, facts, plans) = loaded?;
    Ok(Engine::new(backend, facts, tokenizer, template, plans))
}

/// What a model is made of before it has a device.
struct Parts<'a> {
    checkpoint: &'a Checkpoint,
    config: &'a Config,
    weights: &'a Weights<'a>,
    n_ctx: usize,
    options: &'a LoadOptions,
}

impl Parts<'_> {
    fn plan(&self, name: &str, rows: usize, output: Output) -> Result<Plan> {
        decoder_plan(name, self.config, self.weights, rows, output)
    }

    /// Refuses a file with weights that this version would ignore, and so get wrong numbers: biases or experts, say.
    fn check_tensors(&self) -> Result<()> {
        let plan = self.plan("check", 1, Output::NextToken)?;
        let known: HashSet<&str> = plan.values.iter().map(|info| info.name.as_str()).collect();
        let used = |name: &str| {
            // The first is read by `Weights`; the second repeats, in old files, what the metadata say.
            known.contains(name) || name == "rope_freqs.weight" || name.ends_with("attn_rot_embd.weight")
        };
        match self.checkpoint.tensors.keys().find(|name| !used(name)) {
            None => Ok(()),
            Some(name) => {
                let hint = format!("{} models that have it are not run yet", self.config.architecture);
                Err(Error::unsupported("tensor", name, hint))
            }
        }
    }

    /// Weights and plans to a device; where that fails, the backend is dropped and all of its memory with it.
    async fn load_on(
        &self,
        mut backend: Box<dyn Backend>,
        reason: String,
    ) -> Result<(Box<dyn Backend>, Facts, Plans)> {
        let decode = self.plan("decode", 1, Output::NextToken)?;
        let prefill_rows = backend.prefill_rows().min(self.n_ctx);
        let prefill = self.plan("prefill", prefill_rows, Output::NextToken)?;
        let score_rows = (SCORE_BYTES / (4 * self.config.n_vocab)).clamp(1, prefill_rows);
        // Its constants are those of the others.
        let score = self.plan("score", score_rows, Output::AllLogits)?.without_constants();

        stream_weights(self.checkpoint, &decode, backend.as_mut(), self.options).await?;
        let report = |loaded| tell(self.options, Progress { stage: "prepare", loaded, total: 2 });
        report(0);
        let decode_prepared = backend.prepare(&decode).await?;
        report(1);
        let prefill = backend.prepare(&prefill).await?;
        report(2);
        let decode = (&decode, decode_prepared);
        let facts = Facts::new(self.checkpoint, self.config, self.n_ctx, backend.as_ref(), reason, decode);
        let plans = Plans { decode: decode_prepared, prefill, prefill_rows, score, scorer: None };
        Ok((backend, facts, plans))
    }
}

fn tell(options: &LoadOptions, progress: Progress) {
    if let Some(tell) = &options.progress {
        tell(progress);
    }
}

fn context_length(config: &Config, options: &LoadOptions) -> Result<usize> {
    match options.context_length {
        None => Ok(config.n_ctx_train.min(MAX_DEFAULT_CONTEXT)),
        Some(n) if (2..=config.n_ctx_train).contains(&n) => Ok(n),
        Some(n) => {
            let most = config.n_ctx_train;
            Err(Error::input("context_length", format!("{n} is not between 2 and the model's {most}")))
        }
    }
}

/// The device, and why it was chosen.
async fn open_backend(options: &LoadOptions) -> Result<(Box<dyn Backend>, String)> {
    let cpu = |reason: String| (Box::new(Cpu::new()) as Box<dyn Backend>, reason);
    if options.prefer == Prefer::Cpu {
        return Ok(cpu("asked for".into()));
    }
    let opened = Gpu::open(gpu::Options { default_limits: options.default_limits }).await;
    match (opened, options.prefer) {
        (Ok(gpu), Prefer::Gpu) => Ok((Box::new(gpu), "asked for".into())),
        (Err(error), Prefer::Gpu) => Err(error),
        (Ok(mut gpu), _) if gpu.is_software() => {
            gpu.destroy();
            Ok(cpu("WebGPU here is emulated in software, which our CPU code outruns".into()))
        }
        (Ok(gpu), _) => Ok((Box::new(gpu), "WebGPU is available".into())),
        (Err(Error::NoDevice { problem, .. }), _) => Ok(cpu(problem)),
        (Err(error), _) => Err(error),
    }
}

/// Streams every weight of `plan` to the backend, in the file's order, never holding one whole.
async fn stream_weights(
    checkpoint: &Checkpoint,
    plan: &Plan,
    backend: &mut dyn Backend,
    options: &LoadOptions,
) -> Result<()> {
    let mut seen = HashSet::new();
    let mut weights: Vec<(WeightSpec, &TensorInfo)> = plan
        .values
        .iter()
        .filter(|info| matches!(info.storage, Storage::Matrix { .. } | Storage::Vector))
        .filter(|info| seen.insert(&info.name))
        .map(|info| {
            // The plan's builder looked every weight up in this checkpoint.
            let tensor = &checkpoint.tensors[&info.name];
            let vector = matches!(info.storage, Storage::Vector);
            let (rows, cols) = (info.rows, info.cols);
            (WeightSpec { name: &info.name, dtype: tensor.dtype, rows, cols, vector }, tensor)
        })
        .collect();
    weights.sort_by_key(|(_, tensor)| (tensor.source, tensor.offset));
    let total = weights.iter().map(|(_, tensor)| tensor.n_bytes).sum();
    let mut window = Window::default();
    let mut loaded = 0;
    let mut in_flight = 0;
    tell(options, Progress { stage: "weights", loaded, total });
    for (spec, tensor) in weights {
        let row_bytes = spec.dtype.info().row_bytes(spec.cols);
        // An even number of rows: see `Backend::write_weight`.
        let rows_each = ((CHUNK / row_bytes) & !1).max(2);
        for first_row in (0..spec.rows).step_by(rows_each) {
            if options.aborted.as_ref().is_some_and(|aborted| aborted()) {
                return Err(Error::Aborted);
            }
            let n = rows_each.min(spec.rows - first_row) * row_bytes;
            let start = tensor.offset + first_row as u64 * row_bytes as u64;
            let bytes = window.read(checkpoint, tensor.source, start, n).await?;
            backend.write_weight(&spec, first_row, bytes)?;
            loaded += n as u64;
            in_flight += n as u64;
            if in_flight >= IN_FLIGHT {
                window.meanwhile(backend.settle()).await?;
                in_flight = 0;
            }
            tell(options, Progress { stage: "weights", loaded, total });
        }
    }
    backend.settle().await
}
