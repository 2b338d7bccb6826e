//! `intab`, the native command line: the same engine as in the page, for preparing and checking models.
//! Results go to stdout, logs to stderr; an error is one line and exit code 1.

#[path = "intab/adapters.rs"]
mod adapters;
#[path = "intab/arguments.rs"]
mod arguments;
#[path = "intab/batch.rs"]
mod batch;
#[path = "intab/bench.rs"]
mod bench;
#[path = "intab/device.rs"]
mod device;
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
#[path = "intab/precision.rs"]
mod precision;
#[path = "intab/report.rs"]
mod report;
#[path = "intab/structure.rs"]
mod structure;
#[path = "intab/synth.rs"]
mod synth;
#[path = "intab/template.rs"]
mod template;

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

use arguments::Ids;
use clap::{Parser, Subcommand};
use device::{DeviceArgs, QuantizeArg};
use intab::{Error, format, run, text::Tokenizer};
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
        #[command(flatten)]
        quantize: QuantizeArg,
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
    Generate(Box<generate::GenerateArgs>),
    /// Measure speeds on each backend, as JSON lines
    Bench(bench::BenchArgs),
    /// Write a model of a known shape with random weights, to measure with
    Synth(synth::SynthArgs),
}

/// Mesa's Vulkan drivers complain on stderr where the variable is not set, as on servers.
fn give_runtime_folder() {
    const NAME: &str = "XDG_RUNTIME_DIR";
    if cfg!(target_os = "linux") && std::env::var_os(NAME).is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var(NAME, std::env::temp_dir()) };
    }
}

fn main() -> ExitCode {
    give_runtime_folder();
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
        Command::Inspect { model, quantize, json } => inspect::inspect(&model, quantize.quantize, json).await,
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
