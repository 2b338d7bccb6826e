//! `intab bench`: one JSON line for each backend. Figures to compare within one machine, never a test.

use std::path::PathBuf;

use clap::Args;
use intab::{
    Error, format,
    run::{Engine, GenerateOptions},
};
use serde_json::json;

use super::{
    DeviceArgs, QuantizeArg, arguments,
    device::{BackendArg, PrecisionArg},
    generate::stream,
    output::{Failure, Result, note, print},
    precision,
};

#[derive(Args)]
pub struct BenchArgs {
    /// The model: a GGUF file, any part of a split one, or a Hugging Face folder
    #[arg(default_value = "models/intab-stories.gguf")]
    model: PathBuf,
    /// Tokens of the prompt
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    prompt_tokens: usize,
    /// Tokens generated
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    new_tokens: usize,
    /// Products with quantized weights by f32 numbers, or by integers where that is faster
    #[arg(long, value_enum, default_value_t = PrecisionArg::Fast)]
    precision: PrecisionArg,
    /// Runs, of which the best counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    runs: usize,
    /// Print how far the fast precision is from the exact one on texts of the model's own
    #[arg(long)]
    agreement: bool,
    #[command(flatten)]
    quantize: QuantizeArg,
}

pub async fn bench(args: &BenchArgs) -> Result<()> {
    // Decoding is timed from the first new token to the last.
    let least = [
        ("prompt_tokens", args.prompt_tokens, 1),
        ("new_tokens", args.new_tokens, 2),
        ("runs", args.runs, 1),
    ];
    if let Some((what, found, least)) = least.into_iter().find(|(_, found, least)| found < least) {
        return Err(Error::input(what, format!("{found} is too few; at least {least} is needed")).into());
    }
    for backend in [BackendArg::Cpu, BackendArg::Gpu] {
        let checkpoint = format::open_path(&args.model).await?;
        let device = DeviceArgs { backend, context: None, quantize: args.quantize };
        match device.load_checkpoint(&checkpoint).await {
            Ok(mut engine) => {
                print(&measure(&mut engine, args).await?.to_string())?;
                if args.agreement {
                    print(&precision::compare(&mut engine).await?.to_string())?;
                }
            }
            Err(Failure::Engine(Error::NoDevice { problem, .. })) => {
                note(&format!("no GPU to measure: {problem}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn measure(engine: &mut Engine, args: &BenchArgs) -> Result<serde_json::Value> {
    let n_vocab = engine.facts().config.n_vocab;
    let mut best: Option<(f64, f64, f64, f64)> = None;
    for run in 0..=args.runs {
        // Another prompt each time, so that the cache's prefix does not help; the first run warms up.
        let ids: Vec<u32> =
            (0..args.prompt_tokens).map(|i| ((i * 7919 + run * 104_729 + 1) % n_vocab) as u32).collect();
        let options = GenerateOptions {
            max_new_tokens: Some(args.new_tokens),
            temperature: 0.0,
            ignore_eos: true,
            precision: args.precision.into(),
            ..GenerateOptions::default()
        };
        let output = stream(engine, &ids, options, |_| Ok(())).await?;
        let times = output.timings;
        let prefill = args.prompt_tokens as f64 * 1e3 / times.first_token_ms;
        let decoded = (output.tokens.len() - 1) as f64;
        let decode = decoded * 1e3 / times.decode_ms;
        let figures = (prefill, decode, times.encode_ms / decoded, times.first_token_ms);
        if run > 0 && best.is_none_or(|best| decode > best.1) {
            best = Some(figures);
        }
    }
    let (prefill, decode, encode_ms, first_token_ms) =
        best.ok_or_else(|| Error::input("runs", "at least one is needed"))?;
    let facts = engine.facts();
    Ok(json!({
        "bench": "native",
        "model": facts.name,
        "backend": facts.backend.name(),
        "device": facts.device,
        "prompt_tokens": args.prompt_tokens,
        "new_tokens": args.new_tokens,
        "prefill_tokens_per_second": prefill,
        "decode_tokens_per_second": decode,
        "first_token_ms": first_token_ms,
        "encode_ms_per_token": encode_ms,
        "dispatches_per_token": facts.dispatches_per_token,
        "bytes_per_token": facts.bytes_per_token,
    }))
}
