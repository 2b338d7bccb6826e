//! `intab`, the native command line: the same engine as in the page, for preparing and checking models.
//! Results go to stdout, logs to stderr; an error is one line and exit code 1.

#[path = "intab/bench.rs"]
mod bench;
#[path = "intab/generate.rs"]
mod generate;
#[path = "intab/inspect.rs"]
mod inspect;
#[path = "intab/synth.rs"]
mod synth;

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    rc::Rc,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use intab::{
    Error, Result,
    format::{self, Checkpoint},
    run::{Engine, LoadOptions, Prefer, Progress, load},
    text::Tokenizer,
};
use serde_json::json;

#[derive(Parser)]
#[command(name = "intab", version, about = "Language models in a browser tab: the native command line")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Metadata, tensors, types and the memory needed
    Inspect {
        model: PathBuf,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Text from stdin, taken verbatim, to token ids
    Tokenize {
        model: PathBuf,
        /// Add no BOS/EOS and take the text of special tokens as plain text
        #[arg(long)]
        no_special: bool,
        /// As {"ids": […], "pieces": […]}
        #[arg(long)]
        json: bool,
    },
    /// Token ids to text
    Detokenize {
        model: PathBuf,
        #[arg(long, value_delimiter = ',', required = true)]
        ids: Vec<u32>,
    },
    /// Logits after token ids
    Logits {
        model: PathBuf,
        #[arg(long, value_delimiter = ',', required = true)]
        ids: Vec<u32>,
        /// The last position only
        #[arg(long)]
        last: bool,
        /// As {"shape": [n, vocab], "logits": [[…]]}
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        device: DeviceArgs,
    },
    /// Text after a prompt
    Generate(generate::GenerateArgs),
    /// Speeds, as JSON lines
    Bench(bench::BenchArgs),
    /// Write a model of a known shape with random weights, to measure with
    Synth(synth::SynthArgs),
}

/// Where and how large.
#[derive(Args)]
struct DeviceArgs {
    /// The device that runs the model
    #[arg(long, value_enum, default_value_t = BackendArg::Auto)]
    backend: BackendArg,
    /// Positions that the context holds
    #[arg(long)]
    context: Option<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum BackendArg {
    Auto,
    Cpu,
    Gpu,
}

impl DeviceArgs {
    async fn load(&self, model: &Path) -> Result<Engine> {
        let checkpoint = format::open_path(model).await?;
        load_checkpoint(&checkpoint, self).await
    }
}

async fn load_checkpoint(checkpoint: &Checkpoint, args: &DeviceArgs) -> Result<Engine> {
    let prefer = match args.backend {
        BackendArg::Auto => Prefer::Auto,
        BackendArg::Cpu => Prefer::Cpu,
        BackendArg::Gpu => Prefer::Gpu,
    };
    let progress = |progress: Progress| log::progress(&progress);
    let options = LoadOptions {
        prefer,
        context_length: args.context,
        progress: Some(Rc::new(progress)),
        ..LoadOptions::default()
    };
    let engine = load(checkpoint, &options).await?;
    let facts = engine.facts();
    eprintln!("{} on {} ({}): {}", facts.name, facts.backend.name(), facts.device, facts.backend_reason);
    Ok(engine)
}

mod log {
    use std::io::{IsTerminal, Write};

    use intab::run::Progress;

    /// A line that is written over, where somebody looks.
    pub fn progress(progress: &Progress) {
        if std::io::stderr().is_terminal() {
            eprint!("\r{} {}/{}\x1b[K\r", progress.stage, progress.loaded, progress.total);
            let _ = std::io::stderr().flush();
        }
    }
}

fn main() -> ExitCode {
    match pollster::block_on(run(Cli::parse().command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("intab: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::Inspect { model, json } => inspect::inspect(&model, json).await,
        Command::Tokenize { model, no_special, json } => tokenize(&model, no_special, json).await,
        Command::Detokenize { model, ids } => {
            let text = tokenizer(&model).await?.decode(&ids, false)?;
            print(&text)
        }
        Command::Logits { model, ids, last, json, device } => logits(&model, &ids, last, json, &device).await,
        Command::Generate(args) => generate::generate(&args).await,
        Command::Bench(args) => bench::bench(&args).await,
        Command::Synth(args) => synth::synth(&args),
    }
}

/// Writes a result. Errors of stdout (a closed pipe) end the program.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written =
        out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    written.map_err(|e| Error::Source { source_name: "stdout".into(), problem: e.to_string() })
}

async fn tokenizer(model: &Path) -> Result<Tokenizer> {
    Tokenizer::from_metadata(&format::open_path(model).await?.metadata)
}

async fn tokenize(model: &Path, no_special: bool, as_json: bool) -> Result<()> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().read_to_end(&mut bytes);
    read.map_err(|e| Error::Source { source_name: "stdin".into(), problem: e.to_string() })?;
    let text = String::from_utf8(bytes).map_err(|e| Error::input("stdin", e.to_string()))?;
    let tokenizer = tokenizer(model).await?;
    let ids = tokenizer.encode(&text, !no_special, !no_special)?;
    if as_json {
        let pieces = ids.iter().map(|id| tokenizer.piece(*id)).collect::<Result<Vec<_>>>()?;
        return print(&json!({ "ids": ids, "pieces": pieces }).to_string());
    }
    print(&ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" "))
}

async fn logits(model: &Path, ids: &[u32], last: bool, as_json: bool, device: &DeviceArgs) -> Result<()> {
    let mut engine = device.load(model).await?;
    let n_vocab = engine.facts().config.n_vocab;
    let logits = engine.logits(ids).await?;
    let rows: Vec<&[f32]> = logits.chunks_exact(n_vocab).skip(if last { ids.len() - 1 } else { 0 }).collect();
    if as_json {
        return print(&json!({ "shape": [rows.len(), n_vocab], "logits": rows }).to_string());
    }
    for (i, row) in rows.iter().enumerate() {
        let mut best: Vec<usize> = (0..n_vocab).collect();
        best.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
        let position = if last { ids.len() - 1 } else { i };
        let shown = |id: &usize| -> Result<String> {
            Ok(format!("{id} {:?} {:.4}", engine.tokenizer().piece(*id as u32)?, row[*id]))
        };
        let shown = best.iter().take(5).map(shown).collect::<Result<Vec<_>>>()?;
        print(&format!("{position}: {}", shown.join(", ")))?;
    }
    Ok(())
}
