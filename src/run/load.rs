//! From a checkpoint to a model that is ready to run: the device is chosen, weights stream to it in chunks.

use std::{collections::HashSet, rc::Rc};

use super::engine::{Engine, Facts, Plans};
use crate::{
    backend::{Backend, WeightSpec, cpu::Cpu, gpu, gpu::Gpu},
    error::{Error, Result},
    format::{Checkpoint, TensorInfo},
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

/// The most tokens that one run of prefill takes.
const PREFILL_ROWS: usize = 128;
/// The most bytes of logits that one run of scoring makes.
const SCORE_BYTES: usize = 32 << 20;
/// Bytes of a weight that are in host memory at a time, about.
const CHUNK: usize = 4 << 20;
/// Bytes that may wait in the device's queue before the next chunk is read.
const IN_FLIGHT: u64 = 32 << 20;

/// Loads a checkpoint.
///
/// # Errors
/// Whatever the file, the sources or the device have to say; nothing stays allocated then.
pub async fn load(checkpoint: &Checkpoint, options: &LoadOptions) -> Result<Engine> {
    let config = Config::read(checkpoint)?;
    let tokenizer = Tokenizer::from_metadata(&checkpoint.metadata)?;
    let template = ChatTemplate::from_metadata(&checkpoint.metadata)?;
    let n_ctx = context_length(&config, options)?;
    let weights = Weights::open(checkpoint, &config, n_ctx).await?;
    let plan = |name, rows, output| decoder_plan(name, &config, &weights, rows, output);
    let prefill_rows = PREFILL_ROWS.min(n_ctx);
    let decode = plan("decode", 1, Output::NextToken)?;
    let prefill = plan("prefill", prefill_rows, Output::NextToken)?;
    let score_rows = (SCORE_BYTES / (4 * config.n_vocab)).clamp(1, prefill_rows);
    let score = plan("score", score_rows, Output::AllLogits)?;

    let (mut backend, reason) = open_backend(options).await?;
    let result = async {
        stream_weights(checkpoint, &decode, backend.as_mut(), options).await?;
        let report = |loaded| tell(options, Progress { stage: "prepare", loaded, total: 2 });
        report(0);
        let decode_prepared = backend.prepare(&decode).await?;
        report(1);
        let prefill = backend.prepare(&prefill).await?;
        report(2);
        Ok((decode_prepared, prefill))
    };
    match result.await {
        Ok((decode_prepared, prefill)) => {
            let decode = (&decode, decode_prepared);
            let facts = Facts::new(checkpoint, &config, n_ctx, backend.as_ref(), reason, decode);
            let plans = Plans { decode: decode_prepared, prefill, prefill_rows, score, scorer: None };
            Ok(Engine::new(backend, facts, tokenizer, template, plans))
        }
        Err(error) => {
            backend.destroy();
            Err(error)
        }
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
        (Err(Error::NoDevice { problem, .. }), _) => Ok(cpu(format!("no WebGPU: {problem}"))),
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
            let bytes = checkpoint.read(tensor, (first_row * row_bytes) as u64, n).await?;
            backend.write_weight(&spec, first_row, &bytes)?;
            loaded += n as u64;
            in_flight += n as u64;
            if in_flight >= IN_FLIGHT {
                backend.settle().await?;
                in_flight = 0;
            }
            tell(options, Progress { stage: "weights", loaded, total });
        }
    }
    backend.settle().await
}
