//! `intab generate`.

use std::{cell::RefCell, path::PathBuf, rc::Rc};

use clap::{Args, ValueEnum};
use intab::{
    Error,
    model::{EarlyStopping, GenerationDefaults},
    run::{Engine, Event, GenerateOptions, Generation, Logprobs, Output, Speculation, WhenFull},
    text::Tokenizer,
};
use serde_json::json;

use super::{
    DeviceArgs,
    adapters::AdapterArgs,
    arguments::{self, Ids},
    device::PrecisionArg,
    output::{self, Result, note, print},
    structure::{Given, StructureArgs},
};

#[derive(Args)]
pub struct GenerateArgs {
    /// The model: a GGUF file, any part of a split one, or a Hugging Face folder
    model: PathBuf,
    /// The text to go on from; BOS is added where the file says so, and the text of special tokens becomes those
    /// tokens
    #[arg(
        short,
        long,
        value_name = "TEXT",
        conflicts_with = "ids",
        required_unless_present = "ids",
        allow_hyphen_values = true
    )]
    prompt: Option<String>,
    /// Add no BOS to the prompt and take the text of special tokens as plain text
    #[arg(long, conflicts_with = "ids")]
    no_special: bool,
    /// Token ids to go on from, as 1,2,3, instead of a text; nothing is added to them
    #[arg(long, value_parser = arguments::ids, allow_hyphen_values = true)]
    ids: Option<Ids>,
    /// The most tokens to generate [default: until the model ends its text or the context is full]
    #[arg(long, value_name = "N", value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    max_new_tokens: Option<usize>,
    /// Below 1 likely tokens become likelier, above 1 less so; 0 always takes the best (greedy) [default: the model's, else 1]
    #[arg(long, value_name = "T", value_parser = arguments::number, allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Keep the K best tokens; 0 keeps all
    #[arg(long, value_name = "K", value_parser = arguments::whole::<u32>, allow_negative_numbers = true)]
    top_k: Option<u32>,
    /// Keep the smallest set of best tokens with this probability; 1 keeps all
    #[arg(long, value_name = "P", value_parser = arguments::number, allow_negative_numbers = true)]
    top_p: Option<f32>,
    /// Keep tokens at least this probable relative to the best; 0 keeps all
    #[arg(long, value_name = "P", value_parser = arguments::number, allow_negative_numbers = true)]
    min_p: Option<f32>,
    /// Divide the scores of tokens that were there before by this; 1 is off
    #[arg(long, value_name = "X", value_parser = arguments::number, allow_negative_numbers = true)]
    repetition_penalty: Option<f32>,
    /// Take this from the score of a token that was there before; 0 is off
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = arguments::number, allow_negative_numbers = true)]
    presence_penalty: f32,
    /// Take this from a token's score for each time it was there before; 0 is off
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = arguments::number, allow_negative_numbers = true)]
    frequency_penalty: f32,
    /// The same seed on the same device gives the same text [default: from the clock]
    #[arg(long, value_name = "S", value_parser = arguments::whole::<u64>, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// End before this text; may be given more than once
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    stop: Vec<String>,
    /// Go on after the model's own end tokens
    #[arg(long)]
    ignore_eos: bool,
    /// Follow N texts at once and take the most probable [default: the model's, else 1]
    #[arg(long, value_name = "N", value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    num_beams: Option<usize>,
    /// Above 0 favours long texts among beams [default: the model's, else 1]
    #[arg(long, value_name = "X", value_parser = arguments::number, allow_negative_numbers = true)]
    length_penalty: Option<f32>,
    /// When beam search ends: with as many texts as beams, when a better one is unlikely, or impossible [default: the model's,
    /// else true]
    #[arg(long, value_enum)]
    early_stopping: Option<EarlyStoppingArg>,
    /// Let no sequence of N tokens come twice; 0 is off [default: the model's, else 0]
    #[arg(long, value_name = "N", value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    no_repeat_ngram_size: Option<usize>,
    /// Let no text end before N tokens
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    min_new_tokens: usize,
    /// The language of the text that is translated, of a translator of many [default: as the tokenizer says]
    #[arg(long, value_name = "NAME")]
    source_language: Option<String>,
    /// The language to translate into: fr, fr_XX, fra_Latn or whatever the model calls it [default: as the model's files say]
    #[arg(long, value_name = "NAME")]
    target_language: Option<String>,
    /// Go on where the context is full, without the older half of the text but for its first N tokens
    #[arg(long, value_name = "N", value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    shift: Option<usize>,
    /// Products with quantized weights by f32 numbers, or by integers where that is faster [default: fast on the CPU, exact on a
    /// GPU]
    #[arg(long, value_enum)]
    precision: Option<PrecisionArg>,
    /// Whether the next tokens are guessed from the text itself and checked together; auto does where that pays and changes no
    /// bit: on the CPU, in the fast precision, if all matrices are of small integers. Elsewhere rounding may decide between two
    /// tokens that are as likely
    #[arg(long, value_enum, default_value_t = SpeculationArg::Auto)]
    speculation: SpeculationArg,
    /// A smaller model with the same vocabulary that makes the guesses instead
    #[arg(long, value_name = "MODEL", conflicts_with = "structure")]
    draft: Option<PathBuf>,
    #[command(flatten)]
    structure: StructureArgs,
    /// Tell with --json of each token its log-probability and those of the N best, before temperature and penalties: 0 to 20
    #[arg(long, value_name = "N", requires = "json", value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    logprobs: Option<usize>,
    /// Add B, from -100 to 100, to the logit of token ID; -100 and -inf ban it; may be given more than once
    #[arg(long, value_name = "ID=B", value_parser = arguments::bias, allow_hyphen_values = true)]
    logit_bias: Vec<(u32, f32)>,
    /// Print one JSON object instead of streamed text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    adapters: AdapterArgs,
    #[command(flatten)]
    device: DeviceArgs,
}

/// See [`Speculation`].
#[derive(Clone, Copy, ValueEnum)]
enum SpeculationArg {
    Auto,
    Off,
    Prompt,
}

#[derive(Clone, Copy, ValueEnum)]
enum EarlyStoppingArg {
    True,
    False,
    Never,
}

impl GenerateArgs {
    /// What the caller gave, over what the model's files ask for.
    fn options(&self, model: &GenerationDefaults, seed: u64) -> Result<GenerateOptions> {
        let usual = GenerateOptions::of_model(model);
        // Who names a temperature wants tokens drawn.
        let draws = self.temperature.is_some() || self.structure.is_given();
        let num_beams = self.num_beams.unwrap_or(if draws { 1 } else { usual.num_beams });
        if num_beams > 1 && self.temperature.is_some_and(|t| t > 0.0) {
            let problem = "beams take the most probable tokens: leave the temperature out";
            return Err(Error::input("num_beams", problem).into());
        }
        let early_stopping = self.early_stopping.map(|arg| match arg {
            EarlyStoppingArg::True => EarlyStopping::Yes,
            EarlyStoppingArg::False => EarlyStopping::No,
            EarlyStoppingArg::Never => EarlyStopping::Never,
        });
        let options = GenerateOptions {
            max_new_tokens: self.max_new_tokens,
            temperature: self.temperature.unwrap_or(usual.temperature),
            top_k: self.top_k.unwrap_or(usual.top_k),
            top_p: self.top_p.unwrap_or(usual.top_p),
            min_p: self.min_p.unwrap_or(usual.min_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(usual.repetition_penalty),
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            seed,
            stop: self.stop.clone(),
            ignore_eos: self.ignore_eos,
            num_beams,
            length_penalty: self.length_penalty.unwrap_or(usual.length_penalty),
            early_stopping: early_stopping.unwrap_or(usual.early_stopping),
            no_repeat_ngram_size: self.no_repeat_ngram_size.unwrap_or(usual.no_repeat_ngram_size),
            min_new_tokens: self.min_new_tokens,
            precision: self.precision.map(Into::into),
            logprobs: self.logprobs,
            logit_bias: self.logit_bias.iter().copied().collect(),
            speculation: match self.speculation {
                SpeculationArg::Auto => Speculation::Auto,
                SpeculationArg::Off => Speculation::Off,
                SpeculationArg::Prompt => Speculation::Prompt,
            },
            source_language: self.source_language.clone(),
            target_language: self.target_language.clone(),
            session: None,
            when_full: self.shift.map_or(WhenFull::Stop, |keep| WhenFull::Shift { keep }),
            adapters: Vec::new(),
        };
        options.check()?;
        Ok(options)
    }
}

pub async fn generate(args: &GenerateArgs) -> Result<()> {
    let seed = args.seed.unwrap_or_else(fresh_seed);
    // What is wrong whatever the model is told before it is loaded.
    args.options(&GenerationDefaults::default(), seed)?;
    if args.prompt.as_deref() == Some("") {
        return Err(Error::input("prompt", "it is empty; give at least one character").into());
    }
    let ids = args.ids.as_ref().map(|Ids(ids)| ids.as_slice());
    let structure = args.structure.read()?;
    let mut engine = args.device.load(&args.model, ids).await?;
    let ids = match (ids, &args.prompt) {
        (Some(ids), _) => ids.to_vec(),
        (None, prompt) => {
            let text = prompt.as_deref().unwrap_or_default();
            engine.tokenizer()?.encode(text, !args.no_special, !args.no_special)?
        }
    };
    let adapters = args.adapters.load(&mut engine).await?;
    let options = GenerateOptions { adapters, ..args.options(engine.defaults(), seed)? };
    let draft = match &args.draft {
        Some(model) => Some(Rc::new(RefCell::new(args.device.load_draft(model).await?))),
        None => None,
    };
    let mut logprobs = Vec::new();
    let mut generation = match (draft, structure.as_ref().map(Given::structure)) {
        (Some(draft), _) => engine.generate_with_draft(&ids, options, draft)?,
        (None, Some(structure)) => {
            let constraint = engine.grammars()?.constraint(&structure)?;
            engine.generate_constrained(&ids, options, constraint)?
        }
        (None, None) => engine.generate(&ids, options)?,
    };
    let show = |id: Option<u32>, text: &str, told: Option<Logprobs>| {
        logprobs.extend(id.zip(told));
        if args.json { Ok(()) } else { output::write(text) }
    };
    let output = run(&mut engine, &mut generation, show).await?;
    let per_second = |n: usize, ms: f64| if ms > 0.0 { n as f64 * 1e3 / ms } else { 0.0 };
    let rate = per_second(output.tokens.len().saturating_sub(1), output.timings.decode_ms);
    if !args.json {
        let (n, reason) = (output.tokens.len(), output.finish_reason.name());
        print("")?;
        note(&format!("{n} tokens, {rate:.1} tokens/s, ended by {reason}, seed {seed}"));
        return Ok(());
    }
    let (usage, times) = (output.usage, output.timings);
    let mut result = json!({
        "ids": output.tokens,
        "text": output.text,
        "finish_reason": output.finish_reason.name(),
        "stop": output.stop,
        "usage": {
            "prompt_tokens": usage.prompt,
            "cached_tokens": usage.cached,
            "completion_tokens": usage.completion,
            "total_tokens": usage.prompt + usage.completion,
            "drafted_tokens": usage.drafted,
            "accepted_tokens": usage.accepted,
        },
        "timings": {
            "first_token_ms": times.first_token_ms,
            "decode_ms": times.decode_ms,
            "mask_ms": times.mask_ms,
            "total_ms": times.total_ms,
            "tokens_per_second": rate,
        },
        "seed": seed,
    });
    if args.logprobs.is_some() {
        let tokenizer = engine.tokenizer().ok();
        result["logprobs"] = logprobs.iter().map(|(id, told)| told_of(*id, told, tokenizer)).collect();
    }
    print(&result.to_string())
}

/// How probable a token was, and what else could have come.
fn told_of(id: u32, told: &Logprobs, tokenizer: Option<&Tokenizer>) -> serde_json::Value {
    let one = |id: u32, logprob: f32| {
        let text = tokenizer.and_then(|tokenizer| tokenizer.piece(id).ok()).unwrap_or_default();
        json!({ "id": id, "text": text, "logprob": logprob })
    };
    let mut object = one(id, told.logprob);
    object["top"] = told.top.iter().map(|(id, logprob)| one(*id, *logprob)).collect();
    object
}

/// Runs a generation to its end, handing out its text as it comes; `show` may end it with an error.
pub async fn stream(
    engine: &mut Engine,
    ids: &[u32],
    options: GenerateOptions,
    mut show: impl FnMut(&str) -> Result<()>,
) -> Result<Output> {
    let mut generation = engine.generate(ids, options)?;
    run(engine, &mut generation, |_, text, _| show(text)).await
}

/// Runs a generation to its end; `show` gets each token, and the text that was held back until the end.
async fn run(
    engine: &mut Engine,
    generation: &mut Generation,
    mut show: impl FnMut(Option<u32>, &str, Option<Logprobs>) -> Result<()>,
) -> Result<Output> {
    loop {
        match generation.step(engine).await? {
            Event::Prefill { .. } | Event::Search { .. } => {}
            Event::Token { id, text, logprobs } => show(Some(id), &text, logprobs)?,
            Event::Done { text, output } => {
                show(None, &text, None)?;
                return Ok(output);
            }
        }
    }
}

/// A seed that nobody chose: the clock's.
fn fresh_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64 & ((1 << 53) - 1))
}
