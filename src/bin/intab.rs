//! `intab`, the native command line: the same engine as in the page, for preparing and checking models.
//! Results go to stdout, logs to stderr; an error is one line and exit code 1.

#[path = "intab/arguments.rs"]
mod arguments;
#[path = "intab/bench.rs"]
mod bench;
#[path = "intab/embed.rs"]
mod embed;
#[path = "intab/generate.rs"]
mod generate;
#[path = "intab/inspect.rs"]
mod inspect;
#[path = "intab/logits.rs"]
mod logits;
#[path = "intab/output.rs"]
mod output;
#[path = "intab/synth.rs"]
mod synth;
#[path = "intab/template.rs"]
mod template;

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
    rc::Rc,
};

use arguments::Ids;
use clap::{Args, Parser, Subcommand, ValueEnum};
use intab::{
    Error,
    format::{self, Checkpoint},
    model,
    run::{self, Engine, Fusion, KvCache, LoadOptions, Prefer, Progress, load},
    text::Tokenizer,
};
use output::{Failure, Result, note, print};
use serde_json::json;

/// Language models in a browser tab: the native command line.
///
/// Results go to stdout, logs to stderr. An error is one line on stderr, and the exit code is 1.
#[derive(Parser)]
#[command(name = "intab", version, arg_required_else_help = false)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What a file holds: facts, metadata, tensors, types and the memory needed
    Inspect {
        /// The model: a GGUF file, any part of a split one, or a Hugging Face folder
        model: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Turn the text on stdin, taken verbatim, into token ids
    ///
    /// By default BOS and EOS are added where the file says so, and the text of special tokens (as `<|im_start|>`)
    /// becomes those tokens.
    Tokenize {
        /// The model: a GGUF file, any part of a split one, or a Hugging Face folder
        model: PathBuf,
        /// Add no BOS/EOS and take the text of special tokens as plain text
        #[arg(long)]
        no_special: bool,
        /// Print {"ids": […], "pieces": […]}
        #[arg(long)]
        json: bool,
    },
    /// Turn token ids into text, special tokens included, and end it with a newline
    Detokenize {
        /// The model: a GGUF file, any part of a split one, or a Hugging Face folder
        model: PathBuf,
        /// Token ids, as 1,2,3
        #[arg(long, required = true, value_parser = arguments::ids, allow_hyphen_values = true)]
        ids: Ids,
    },
    /// Compute what the model's head puts out for token ids: logits of tokens, labels or answers
    ///
    /// Without --json, the five best of each position.
    Logits(logits::LogitsArgs),
    /// Turn a text into an embedding
    Embed(embed::EmbedArgs),
    /// Render a conversation, a JSON object on stdin, by a chat template
    Template(template::TemplateArgs),
    /// Write text that goes on from a prompt
    Generate(generate::GenerateArgs),
    /// Measure speeds on each backend, as JSON lines
    Bench(bench::BenchArgs),
    /// Write a model of a known shape with random weights, to measure with
    Synth(synth::SynthArgs),
}

/// Where and how large.
#[derive(Args)]
struct DeviceArgs {
    /// The device that runs the model; auto takes a GPU where there is a real one
    #[arg(long, value_enum, default_value_t = BackendArg::Auto)]
    backend: BackendArg,
    /// Positions that the context holds [default: what the model was trained for, at most 4096]
    #[arg(long, value_name = "N", value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    context: Option<usize>,
    /// The precision in which keys and values are kept; f16 takes half the memory of a GPU
    #[arg(long, value_enum, default_value_t = KvCacheArg::F32)]
    kv_cache: KvCacheArg,
}

#[derive(Clone, Copy, ValueEnum)]
enum KvCacheArg {
    F32,
    F16,
}

#[derive(Clone, Copy, ValueEnum)]
enum BackendArg {
    Auto,
    Cpu,
    Gpu,
}

impl DeviceArgs {
    /// Loads a model to run `ids`, if they are known; bad ones are refused before a device is opened.
    async fn load(&self, model: &Path, ids: Option<&[u32]>) -> Result<Engine> {
        let checkpoint = format::open_path(model).await?;
        if let Some(ids) = ids {
            let n_vocab = model::read(&checkpoint).await?.config.n_vocab;
            if let Some(id) = ids.iter().find(|id| **id as usize >= n_vocab) {
                let problem = format!("{id} is not in the vocabulary of {n_vocab} tokens");
                return Err(Error::input("ids", problem).into());
            }
        }
        load_checkpoint(&checkpoint, self, Fusion::default()).await
    }
}

async fn load_checkpoint(checkpoint: &Checkpoint, args: &DeviceArgs, fusion: Fusion) -> Result<Engine> {
    let prefer = match args.backend {
        BackendArg::Auto => Prefer::Auto,
        BackendArg::Cpu => Prefer::Cpu,
        BackendArg::Gpu => Prefer::Gpu,
    };
    let progress = |progress: Progress| log::progress(&progress);
    let options = LoadOptions {
        prefer,
        context_length: args.context,
        kv_cache: match args.kv_cache {
            KvCacheArg::F32 => KvCache::F32,
            KvCacheArg::F16 => KvCache::F16,
        },
        fusion,
        progress: Some(Rc::new(progress)),
        ..LoadOptions::default()
    };
    let engine = load(checkpoint, &options).await?;
    let facts = engine.facts();
    let device = format!("{} ({}): {}", facts.backend.name(), facts.device, facts.backend_reason);
    note(&format!("{} on {device}", facts.name));
    Ok(engine)
}

mod log {
    use std::io::{IsTerminal, Write};

    use intab::run::Progress;

    /// A line that is written over, where somebody looks.
    pub fn progress(progress: &Progress) {
        if std::io::stderr().is_terminal() {
            let mut err = std::io::stderr().lock();
            let _ = write!(err, "\r{} {}/{}\x1b[K\r", progress.stage, progress.loaded, progress.total);
            let _ = err.flush();
        }
    }
}

fn main() -> ExitCode {
    let failure = match Cli::try_parse() {
        Ok(cli) => match pollster::block_on(do_command(cli.command)) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(failure) => failure,
        },
        Err(error) => match usage(&error) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(failure) => failure,
        },
    };
    if failure.is_closed_pipe() {
        return ExitCode::SUCCESS;
    }
    let subcommand = std::env::args_os().nth(1);
    note(&format!("intab: {}", failure.line(subcommand.as_deref().and_then(|name| name.to_str()))));
    ExitCode::FAILURE
}

/// Help and version are results; anything else that the parser has to say is an error of one line.
fn usage(error: &clap::Error) -> Result<()> {
    if !error.use_stderr() {
        return output::write(&error.render().to_string());
    }
    let message = error.render().to_string();
    // The first paragraph says what is wrong; usage and tips follow.
    let lines = message.trim_start_matches("error: ").lines().map(str::trim);
    let problem = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    Err(Failure::Usage(format!("{problem}; see intab --help")))
}

async fn do_command(command: Command) -> Result<()> {
    match command {
        Command::Inspect { model, json } => inspect::inspect(&model, json).await,
        Command::Tokenize { model, no_special, json } => tokenize(&model, no_special, json).await,
        Command::Detokenize { model, ids: Ids(ids) } => {
            let text = tokenizer(&model).await?.decode(&ids, false)?;
            print(&text)
        }
        Command::Logits(args) => logits::logits(&args).await,
        Command::Embed(args) => embed::embed(&args).await,
        Command::Template(args) => template::template(&args).await,
        Command::Generate(args) => generate::generate(&args).await,
        Command::Bench(args) => bench::bench(&args).await,
        Command::Synth(args) => synth::synth(&args),
    }
}

async fn tokenizer(model: &Path) -> Result<Tokenizer> {
    let checkpoint = format::open_path(model).await?;
    let problem = "this model's files have none (no tokenizer.json)";
    Ok(run::tokenizer(&checkpoint)?.ok_or_else(|| Error::Tokenizer { problem: problem.into() })?)
}

async fn tokenize(model: &Path, no_special: bool, as_json: bool) -> Result<()> {
    // The model first: a bad path shows before anybody has typed a text.
    let tokenizer = tokenizer(model).await?;
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(|e| Failure::Stdin(e.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|e| Failure::Stdin(e.utf8_error().to_string()))?;
    let ids = tokenizer.encode(&text, !no_special, !no_special)?;
    if as_json {
        let pieces = ids.iter().map(|id| tokenizer.piece(*id)).collect::<intab::Result<Vec<_>>>()?;
        return print(&json!({ "ids": ids, "pieces": pieces }).to_string());
    }
    print(&ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" "))
}
