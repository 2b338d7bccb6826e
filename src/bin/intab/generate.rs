//! `intab generate`.

use std::{io::Write, path::PathBuf};

use clap::Args;
use intab::{
    Error, Result,
    run::{Engine, Event, GenerateOptions, Output},
};
use serde_json::json;

use super::{DeviceArgs, print};

#[derive(Args)]
pub struct GenerateArgs {
    model: PathBuf,
    /// The text to go on from
    #[arg(short, long, conflicts_with = "ids", required_unless_present = "ids")]
    prompt: Option<String>,
    /// Token ids to go on from, instead of a text
    #[arg(long, value_delimiter = ',')]
    ids: Option<Vec<u32>>,
    #[arg(long)]
    max_new_tokens: Option<usize>,
    /// 0 is greedy
    #[arg(long, default_value_t = 1.0)]
    temperature: f32,
    /// Keep the K best tokens; 0 keeps all
    #[arg(long, default_value_t = 0)]
    top_k: u32,
    /// Keep the smallest set of best tokens with this probability
    #[arg(long, default_value_t = 1.0)]
    top_p: f32,
    /// Keep tokens at least this probable relative to the best
    #[arg(long, default_value_t = 0.0)]
    min_p: f32,
    #[arg(long, default_value_t = 1.0)]
    repetition_penalty: f32,
    #[arg(long, default_value_t = 0.0)]
    presence_penalty: f32,
    #[arg(long, default_value_t = 0.0)]
    frequency_penalty: f32,
    /// The same seed on the same device gives the same text
    #[arg(long)]
    seed: Option<u64>,
    /// End before this text; may be given more than once
    #[arg(long)]
    stop: Vec<String>,
    /// Go on after the model's own end tokens
    #[arg(long)]
    ignore_eos: bool,
    /// One JSON object instead of streamed text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

pub async fn generate(args: &GenerateArgs) -> Result<()> {
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let options = GenerateOptions {
        max_new_tokens: args.max_new_tokens,
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
        min_p: args.min_p,
        repetition_penalty: args.repetition_penalty,
        presence_penalty: args.presence_penalty,
        frequency_penalty: args.frequency_penalty,
        seed,
        stop: args.stop.clone(),
        ignore_eos: args.ignore_eos,
    };
    options.check()?;
    if args.prompt.as_deref() == Some("") {
        return Err(Error::input("prompt", "it is empty; give at least one character"));
    }
    let mut engine = args.device.load(&args.model).await?;
    let ids = match (&args.ids, &args.prompt) {
        (Some(ids), _) => ids.clone(),
        (None, prompt) => engine.tokenizer().encode(prompt.as_deref().unwrap_or_default(), true, true)?,
    };
    let output = stream(&mut engine, &ids, options, |text| {
        if !args.json {
            let mut out = std::io::stdout().lock();
            // A closed pipe shows when the last line is printed.
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        }
    })
    .await?;
    let per_second = |n: usize, ms: f64| if ms > 0.0 { n as f64 * 1e3 / ms } else { 0.0 };
    let rate = per_second(output.tokens.len().saturating_sub(1), output.timings.decode_ms);
    if !args.json {
        let (n, reason) = (output.tokens.len(), output.finish_reason.name());
        print("")?;
        eprintln!("{n} tokens, {rate:.1} tokens/s, ended by {reason}, seed {seed}");
        return Ok(());
    }
    let (usage, times) = (output.usage, output.timings);
    let result = json!({
        "ids": output.tokens,
        "text": output.text,
        "finish_reason": output.finish_reason.name(),
        "stop": output.stop,
        "usage": {
            "prompt_tokens": usage.prompt,
            "cached_tokens": usage.cached,
            "completion_tokens": usage.completion,
            "total_tokens": usage.prompt + usage.completion,
        },
        "timings": {
            "first_token_ms": times.first_token_ms,
            "decode_ms": times.decode_ms,
            "total_ms": times.total_ms,
            "tokens_per_second": rate,
        },
        "seed": seed,
    });
    print(&result.to_string())
}

/// Runs a generation to its end, handing out its text as it comes.
pub async fn stream(
    engine: &mut Engine,
    ids: &[u32],
    options: GenerateOptions,
    mut show: impl FnMut(&str),
) -> Result<Output> {
    let mut generation = engine.generate(ids, options)?;
    loop {
        match generation.step(engine).await? {
            Event::Prefill { .. } => {}
            Event::Token { text, .. } => show(&text),
            Event::Done { text, output } => {
                show(&text);
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
