//! `intab bench`: one JSON line for each backend. Figures to compare within one machine, never a test.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use intab::{
    Error,
    backend::{Backend, Kind, Precision, cpu::Cpu, gpu, gpu::Gpu},
    format,
    run::{Ceilings, Engine, Fusion, GenerateOptions, ceilings},
};
use serde_json::json;

use super::{
    DeviceArgs, QuantizeArg, arguments,
    batch::{self, Texts},
    device::{AutotuneArg, BackendArg, KvCacheArg, PrecisionArg},
    generate::stream,
    output::{Failure, Result, note},
    precision::compare,
    report::Report,
};

#[derive(Args)]
pub struct BenchArgs {
    /// The model: a GGUF file, any part of a split one, or a Hugging Face folder
    #[arg(default_value = "models/intab-stories.gguf")]
    model: PathBuf,
    /// Tokens of the prompt; of several lengths the first is followed by the new tokens
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [128], value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    prompt_tokens: Vec<usize>,
    /// Tokens generated
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    new_tokens: usize,
    /// Products with quantized weights by f32 numbers, or by integers where that is faster [default: fast on the CPU, exact on a
    /// GPU]
    #[arg(long, value_enum)]
    precision: Option<PrecisionArg>,
    /// Runs, of which the best counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    runs: usize,
    /// The device; both without it
    #[arg(long, value_enum)]
    backend: Option<BackendArg>,
    /// The precision in which keys and values are kept
    #[arg(long, value_enum, default_value_t = KvCacheArg::F32)]
    kv_cache: KvCacheArg,
    /// Threads that compute on the CPU [default: half of the cores, at most 8; one for a small model]
    #[arg(long, value_name = "N", value_parser = arguments::threads, allow_negative_numbers = true)]
    threads: Option<usize>,
    /// Positions at which decoding is timed as well, as far as the context holds them
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [128, 2048], value_parser = arguments::whole::<usize>)]
    depth: Vec<usize>,
    /// Print how many tokens a second come of so many texts that are written together, from 1 to 16 of them
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    batch: Vec<usize>,
    /// Positions that the context holds [default: what the model was trained for, at most 4096]
    #[arg(long, value_name = "N", value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    context: Option<usize>,
    /// Print beside each line how many times larger its figures are than in this file of such lines
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Print what the device does at best: bytes copied, products of matrices, steps that do nothing
    #[arg(long)]
    ceilings: bool,
    /// Print the time of each kernel of a token, by the device's own clock
    #[arg(long)]
    profile: bool,
    /// Run every step of a plan by itself, where a GPU would fuse them
    #[arg(long)]
    unfused: bool,
    /// Take no more from a GPU than every WebGPU device offers, to compare
    #[arg(long)]
    default_limits: bool,
    /// Whether a GPU measures first how it works best; auto does where it is no software
    #[arg(long, value_enum, default_value_t = AutotuneArg::Auto)]
    autotune: AutotuneArg,
    /// Print how far the fast precision is from the exact one on texts of the model's own
    #[arg(long)]
    agreement: bool,
    #[command(flatten)]
    quantize: QuantizeArg,
}

pub async fn bench(args: &BenchArgs) -> Result<()> {
    // Decoding is timed from the first new token to the last.
    let shortest = args.prompt_tokens.iter().copied().min().unwrap_or_default();
    let least = [
        ("prompt_tokens", shortest, 1),
        ("new_tokens", args.new_tokens, 2),
        ("runs", args.runs, 1),
        ("batch", args.batch.iter().copied().min().unwrap_or(1), 1),
    ];
    if let Some((what, found, least)) = least.into_iter().find(|(_, found, least)| found < least) {
        return Err(Error::input(what, format!("{found} is too few; at least {least} is needed")).into());
    }
    let report = Report::new(args.compare.as_deref())?;
    let backends = match args.backend {
        Some(backend) => vec![backend],
        None => vec![BackendArg::Cpu, BackendArg::Gpu],
    };
    for backend in backends {
        let checkpoint = format::open_path(&args.model).await?;
        let BenchArgs { context, quantize, kv_cache, threads, autotune, default_limits, .. } = *args;
        let max_batch = args.batch.iter().copied().max();
        let device =
            DeviceArgs { backend, context, quantize, kv_cache, threads, autotune, default_limits, max_batch };
        let fusion = if args.unfused { Fusion::Never } else { Fusion::default() };
        match device.load_checkpoint(&checkpoint, fusion).await {
            Ok(mut engine) => {
                let best = measure_device(&engine, args).await?;
                if args.ceilings {
                    report.print(device_line(&engine, &best))?;
                }
                report.print(measure(&mut engine, args, &best).await?)?;
                let precision = precision(&engine, args);
                let (n_new, runs) = (args.new_tokens, args.runs);
                for n in &args.batch {
                    let texts = Texts { n_prompt: shortest, n_new, precision, runs };
                    report.print(batch::measure(&mut engine, *n, &texts).await?)?;
                }
                if args.profile {
                    match print_profile(&mut engine, args, &report).await {
                        Err(Failure::Engine(Error::Unsupported { what: "clock", hint, .. })) => note(&hint),
                        result => result?,
                    }
                }
                if args.agreement {
                    report.print(compare(&mut engine).await?)?;
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

fn precision(engine: &Engine, args: &BenchArgs) -> Precision {
    args.precision.map_or(engine.facts().backend.usual_precision(), Precision::from)
}

/// The times of a prompt and of the new tokens behind it.
struct Times {
    prefill: f64, // tokens a second
    decode: f64,  // tokens a second
    encode_ms: f64,
    first_token_ms: f64,
}

async fn run_prompt(engine: &mut Engine, n_prompt: usize, args: &BenchArgs) -> Result<Times> {
    let n_vocab = engine.facts().config.n_vocab;
    let mut best: Option<Times> = None;
    for run in 0..=args.runs {
        // Another prompt each time, so that the cache's prefix does not help; the first run warms up.
        let ids: Vec<u32> =
            (0..n_prompt).map(|i| ((i * 7919 + run * 104_729 + 1) % n_vocab) as u32).collect();
        let options = GenerateOptions {
            max_new_tokens: Some(args.new_tokens),
            temperature: 0.0,
            ignore_eos: true,
            precision: Some(precision(engine, args)),
            ..GenerateOptions::default()
        };
        let output = stream(engine, &ids, options, |_| Ok(())).await?;
        let times = output.timings;
        let decoded = (output.tokens.len() - 1) as f64;
        let times = Times {
            prefill: n_prompt as f64 * 1e3 / times.first_token_ms,
            decode: decoded * 1e3 / times.decode_ms,
            encode_ms: times.encode_ms / decoded,
            first_token_ms: times.first_token_ms,
        };
        if run > 0 && best.as_ref().is_none_or(|best| times.decode > best.decode) {
            best = Some(times);
        }
    }
    Ok(best.ok_or_else(|| Error::input("runs", "at least one is needed"))?)
}

async fn measure(engine: &mut Engine, args: &BenchArgs, best: &Ceilings) -> Result<serde_json::Value> {
    let n_ctx = engine.facts().n_ctx;
    let fits = |n: &&usize| n.saturating_add(args.new_tokens) <= n_ctx;
    let mut first: Option<(usize, Times)> = None;
    let mut prefill_at = serde_json::Map::new();
    for n in args.prompt_tokens.iter().filter(fits) {
        let times = run_prompt(engine, *n, args).await?;
        prefill_at.insert(n.to_string(), json!(times.prefill));
        first.get_or_insert((*n, times));
    }
    let problem = || Error::input("prompt_tokens", format!("the context of {n_ctx} holds none of them"));
    let (n_prompt, times) = first.ok_or_else(problem)?;
    let Times { prefill, decode, encode_ms, first_token_ms } = times;
    let [mut decode_at, mut bytes_at, mut floor_at] = [(); 3].map(|()| serde_json::Map::new());
    for depth in args.depth.iter().filter(fits) {
        engine.time_decode(*depth, 2, precision(engine, args)).await?; // warms up
        let time = engine.time_decode(*depth, args.new_tokens, precision(engine, args)).await?;
        let (bytes, steps) = (engine.bytes_at(*depth), engine.facts().dispatches_per_token);
        decode_at.insert(depth.to_string(), json!(1.0 / time.seconds));
        bytes_at.insert(depth.to_string(), json!(bytes));
        floor_at.insert(depth.to_string(), json!(best.floor_seconds(bytes, steps) * 1e3));
    }
    let facts = engine.facts();
    Ok(json!({
        "bench": "native",
        "model": facts.name,
        "types": facts.types,
        "parameters": facts.n_parameters,
        "backend": facts.backend.name(),
        "device": facts.device,
        "features": facts.features,
        "precision": precision(engine, args).name(),
        "prompt_tokens": n_prompt,
        "new_tokens": args.new_tokens,
        "prefill_tokens_per_second": prefill,
        "prefill_tokens_per_second_at": prefill_at,
        "decode_tokens_per_second": decode,
        "decode_tokens_per_second_at": decode_at,
        "first_token_ms": first_token_ms,
        "encode_ms_per_token": encode_ms,
        "dispatches_per_token": facts.dispatches_per_token,
        "bytes_per_token": facts.bytes_per_token,
        "bytes_per_token_at": bytes_at,
        "floor_ms_per_token_at": floor_at,
    }))
}

/// What the engine's kind of device does at best.
async fn measure_device(engine: &Engine, args: &BenchArgs) -> Result<Ceilings> {
    let mut backend: Box<dyn Backend> = match engine.facts().backend {
        Kind::Cpu => Box::new(Cpu::new()),
        Kind::Gpu => {
            let default_limits = args.default_limits;
            Box::new(Gpu::open(gpu::Options { default_limits, ..Default::default() }).await?)
        }
    };
    Ok(ceilings(backend.as_mut()).await?)
}

fn device_line(engine: &Engine, best: &Ceilings) -> serde_json::Value {
    json!({
        "bench": "device",
        "backend": engine.facts().backend.name(),
        "device": engine.facts().device,
        "features": engine.facts().features,
        "copy_bytes_per_second": best.bytes_per_second,
        "matmul_flops_per_second": best.flops_per_second,
        "empty_step_us": best.step_seconds * 1e6,
    })
}

/// For each kernel of a token, how often it ran and how long, the longest first.
async fn print_profile(engine: &mut Engine, args: &BenchArgs, report: &Report) -> Result<()> {
    let n_ctx = engine.facts().n_ctx;
    for depth in args.depth.iter().filter(|depth| **depth < n_ctx) {
        engine.profile(*depth, precision(engine, args)).await?; // warms up
        let mut kernels: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
        for (name, seconds) in engine.profile(*depth, precision(engine, args)).await? {
            let kernel = kernels.entry(name).or_default();
            *kernel = (kernel.0 + 1, kernel.1 + seconds);
        }
        let total: f64 = kernels.values().map(|kernel| kernel.1).sum();
        let mut kernels: Vec<_> = kernels.into_iter().collect();
        kernels.sort_by(|a, b| b.1.1.total_cmp(&a.1.1));
        for (name, (n, seconds)) in kernels {
            let line = json!({
                "bench": "kernel",
                "depth": depth,
                "kernel": name,
                "dispatches": n,
                "us": seconds * 1e6,
                "share": seconds / total,
            });
            report.print(line)?;
        }
    }
    Ok(())
}
