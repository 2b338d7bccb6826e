//! The options of every command that loads a model, and the load.

use std::{path::Path, rc::Rc};

use clap::{Args, ValueEnum};
use intab::{
    Error,
    backend::{
        Precision,
        cpu::team::{Hire, Team, Threads},
    },
    format::{self, Checkpoint, LocalFuture},
    model,
    quant::DType,
    run::{Autotune, Engine, Fusion, KvCache, LoadOptions, Prefer, Progress, load, quantize_to},
};

use super::{
    arguments,
    output::{Result, note},
};

/// Where, how large and how small.
#[derive(Args, Clone)]
pub struct DeviceArgs {
    /// The device that runs the model; auto takes a GPU where there is a real one
    #[arg(long, value_enum, default_value_t = BackendArg::Auto)]
    pub backend: BackendArg,
    /// Positions that the context holds [default: what the model was trained for, at most 4096]
    #[arg(long, value_name = "N", value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    pub context: Option<usize>,
    /// The precision in which keys and values are kept: f16 takes half of their memory, q8_0 little more than a quarter
    #[arg(long, value_enum, default_value_t = KvCacheArg::F32)]
    pub kv_cache: KvCacheArg,
    /// Threads that compute where the CPU runs the model [default: half of the cores, at most 8; one for a small model]
    #[arg(long, value_name = "N", value_parser = arguments::threads, allow_negative_numbers = true)]
    pub threads: Option<usize>,
    /// Take no more from a GPU than every WebGPU device offers
    #[arg(long)]
    pub default_limits: bool,
    /// Whether a GPU measures how it works best, in a second or less; auto does where it is no software
    #[arg(long, value_enum, default_value_t = AutotuneArg::Auto)]
    pub autotune: AutotuneArg,
    #[command(flatten)]
    pub quantize: QuantizeArg,
    /// Texts that are written together; the device's own number without it.
    #[arg(skip)]
    pub max_batch: Option<usize>,
}

/// Threads of this process.
fn hire() -> Hire {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let start = |n| -> LocalFuture<'static, _> {
        let team = Threads::new(n).map(|team| Box::new(team) as Box<dyn Team>);
        Box::pin(std::future::ready(team))
    };
    Hire { cores, start: Rc::new(start) }
}

/// How weights are stored.
#[derive(Args, Clone, Copy)]
pub struct QuantizeArg {
    /// Store matrices of unquantized numbers in this type while they are loaded [default: as the files have them]
    #[arg(long, value_name = "TYPE", value_parser = quantize_type)]
    pub quantize: Option<DType>,
}

fn quantize_type(name: &str) -> std::result::Result<DType, String> {
    quantize_to(name).map_err(|_| "not q8_0, q4_0 or q4_k".into())
}

#[derive(Clone, Copy, ValueEnum)]
#[allow(non_camel_case_types)] // as KvCache
pub enum KvCacheArg {
    F32,
    F16,
    #[value(name = "q8_0")]
    Q8_0,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum AutotuneArg {
    Auto,
    On,
    Off,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum BackendArg {
    Auto,
    Cpu,
    Gpu,
}

/// See [`Precision`].
#[derive(Clone, Copy, ValueEnum)]
pub enum PrecisionArg {
    Exact,
    Fast,
}

impl From<PrecisionArg> for Precision {
    fn from(arg: PrecisionArg) -> Precision {
        match arg {
            PrecisionArg::Exact => Precision::Exact,
            PrecisionArg::Fast => Precision::Fast,
        }
    }
}

impl DeviceArgs {
    /// Loads a model to run `ids`, if they are known; bad ones are refused before a device is opened.
    pub async fn load(&self, model: &Path, ids: Option<&[u32]>) -> Result<Engine> {
        let checkpoint = format::open_path(model).await?;
        if let Some(ids) = ids {
            let n_vocab = model::read(&checkpoint).await?.config.n_vocab;
            if let Some(id) = ids.iter().find(|id| **id as usize >= n_vocab) {
                let problem = format!("{id} is not in the vocabulary of {n_vocab} tokens");
                return Err(Error::input("ids", problem).into());
            }
        }
        self.load_checkpoint(&checkpoint, Fusion::default()).await
    }

    /// Loads a model that makes drafts for another; its context may be shorter.
    pub async fn load_draft(&self, model: &Path) -> Result<Engine> {
        let checkpoint = format::open_path(model).await?;
        let most = model::read(&checkpoint).await?.config.n_ctx_train;
        let own = DeviceArgs { context: self.context.map(|n| n.min(most)), ..self.clone() };
        own.load_checkpoint(&checkpoint, Fusion::default()).await
    }

    /// Loads a model whose files are open.
    pub async fn load_checkpoint(&self, checkpoint: &Checkpoint, fusion: Fusion) -> Result<Engine> {
        let prefer = match self.backend {
            BackendArg::Auto => Prefer::Auto,
            BackendArg::Cpu => Prefer::Cpu,
            BackendArg::Gpu => Prefer::Gpu,
        };
        let options = LoadOptions {
            prefer,
            context_length: self.context,
            quantize: self.quantize.quantize,
            kv_cache: match self.kv_cache {
                KvCacheArg::F32 => KvCache::F32,
                KvCacheArg::F16 => KvCache::F16,
                KvCacheArg::Q8_0 => KvCache::Q8_0,
            },
            fusion,
            max_batch: self.max_batch,
            threads: self.threads,
            hire: Some(hire()),
            default_limits: self.default_limits,
            autotune: match self.autotune {
                AutotuneArg::Auto => Autotune::WhereItPays,
                AutotuneArg::On => Autotune::Always,
                AutotuneArg::Off => Autotune::Never,
            },
            progress: Some(Rc::new(|progress| show(&progress))),
            ..LoadOptions::default()
        };
        let engine = load(checkpoint, &options).await?;
        let facts = engine.facts();
        let device = format!("{} ({}): {}", facts.backend.name(), facts.device, facts.backend_reason);
        note(&format!("{} on {device}", facts.name));
        Ok(engine)
    }
}

/// A line that is written over, where somebody looks.
fn show(progress: &Progress) {
    use std::io::{IsTerminal, Write};
    if std::io::stderr().is_terminal() {
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "\r{} {}/{}\x1b[K\r", progress.stage, progress.loaded, progress.total);
        let _ = err.flush();
    }
}
