//! `intab inspect`: what a file holds and what it takes to run it.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use intab::{
    Error,
    backend::Kind,
    format::{self, Checkpoint, metadata::Value},
    model,
    quant::DType,
    run::{LoadOptions, estimate, tokenizer},
};
use serde_json::{Value as Json, json};

use super::output::{Result, escaped, print};

pub async fn inspect(model: &Path, quantize: Option<DType>, as_json: bool) -> Result<()> {
    let checkpoint = format::open_path(model).await?;
    let summary = Summary::new(&checkpoint, quantize).await;
    match as_json {
        true => print(&to_json(&checkpoint, &summary).to_string()),
        false => print(to_text(&checkpoint, &summary).trim_end()),
    }
}

/// What people want to know first.
struct Summary {
    name: String,
    architecture: Option<String>,
    n_parameters: u64,
    /// Tensors by type.
    types: BTreeMap<&'static str, usize>,
    /// Of all files.
    n_bytes: u64,
    /// What it takes on a device, or why it is not run.
    memory: intab::Result<Memory>,
}

/// What a model takes on a device.
struct Memory {
    weights: u64,
    kv_per_token: u64,
    n_ctx: usize,
    /// All of it once it is loaded without further options: on the CPU and on a GPU.
    loaded: [u64; 2],
}

impl Memory {
    fn kv(&self) -> u64 {
        self.kv_per_token.saturating_mul(self.n_ctx as u64)
    }
}

impl Summary {
    async fn new(checkpoint: &Checkpoint, quantize: Option<DType>) -> Summary {
        let metadata = &checkpoint.metadata;
        let text = |key| match metadata.get(key) {
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text.clone()),
            _ => None,
        };
        let mut types = BTreeMap::new();
        for tensor in checkpoint.tensors.values() {
            *types.entry(tensor.dtype.info().name).or_default() += 1;
        }
        let n_elements = |shape: &[usize]| shape.iter().fold(1u64, |n, size| n.saturating_mul(*size as u64));
        Summary {
            name: text("general.name").unwrap_or_else(|| metadata.file.clone()),
            architecture: text("general.architecture").or_else(|| model_type(checkpoint)),
            n_parameters: checkpoint
                .tensors
                .values()
                .fold(0, |n, tensor| n.saturating_add(n_elements(&tensor.shape))),
            types,
            n_bytes: checkpoint.sources.iter().map(|source| source.len()).sum(),
            memory: memory(checkpoint, quantize).await,
        }
    }
}

/// What a Hugging Face folder calls the architecture.
fn model_type(checkpoint: &Checkpoint) -> Option<String> {
    checkpoint.folder.as_ref()?.config["model_type"].as_str().map(str::to_owned)
}

/// # Errors
/// Those that loading the model gives for its metadata.
async fn memory(checkpoint: &Checkpoint, quantize: Option<DType>) -> intab::Result<Memory> {
    let model::Description { config, origins, .. } = model::read(checkpoint).await?;
    tokenizer(checkpoint)?;
    let weights = match quantize {
        None => checkpoint.tensors.values().map(|t| t.n_bytes).sum(),
        Some(_) => {
            let names: Vec<String> = origins.keys().cloned().collect();
            let weights = model::Weights::new(checkpoint, origins, quantize);
            let n_bytes = |name: &String| {
                let source = weights.source(name)?;
                let (rows, cols) = source.shape;
                Ok(rows as u64 * source.dtype.info().row_bytes(cols) as u64)
            };
            // What a family may have is listed too.
            let there = names.iter().filter(|name| weights.first_tensor(name).is_some());
            there.map(n_bytes).sum::<intab::Result<u64>>()?
        }
    };
    let kv_per_token = config.decoder.as_ref().map_or(0, |stack| {
        let sizes = [2, stack.attention.kv_dim(), size_of::<f32>()];
        sizes.iter().fold(stack.layers.len() as u64, |n, size| n.saturating_mul(*size as u64))
    });
    let options = LoadOptions { quantize, ..LoadOptions::default() };
    let mut loaded = [0; 2];
    for (kind, loaded) in [Kind::Cpu, Kind::Gpu].into_iter().zip(&mut loaded) {
        *loaded = estimate(checkpoint, &options, kind).await?.total();
    }
    Ok(Memory { weights, kv_per_token, n_ctx: config.n_ctx_train, loaded })
}

fn to_text(checkpoint: &Checkpoint, summary: &Summary) -> String {
    let types: Vec<_> = summary.types.iter().map(|(name, n)| format!("{n} {name}")).collect();
    let mut text = String::new();
    let mut line = |line: std::fmt::Arguments| {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{line}");
    };
    line(format_args!("name          {}", shortened(&summary.name)));
    line(format_args!("architecture  {}", shortened(summary.architecture.as_deref().unwrap_or("not given"))));
    line(format_args!("parameters    {}", scaled(summary.n_parameters, &["", " k", " M", " B", " T"])));
    line(format_args!("tensors       {}", if types.is_empty() { "none".into() } else { types.join(", ") }));
    line(format_args!("size          {}", size(summary.n_bytes)));
    match &summary.memory {
        Ok(memory) => {
            let (token, n_ctx) = (size(memory.kv_per_token), memory.n_ctx);
            line(format_args!("memory        {} of weights", size(memory.weights)));
            line(format_args!(
                "              {token} of key/value cache a token, {} for {n_ctx} tokens",
                size(memory.kv())
            ));
            let [cpu, gpu] = memory.loaded.map(size);
            line(format_args!("              {cpu} once loaded on the CPU, {gpu} on a GPU"));
        }
        Err(error) => line(format_args!("not run       {}", escaped(&error.to_string()))),
    }
    line(format_args!("\nmetadata"));
    for (key, value) in &checkpoint.metadata.values {
        line(format_args!("  {} = {}", escaped(key), shown(value)));
    }
    if let Some(Json::Object(config)) = checkpoint.folder.as_ref().map(|folder| &folder.config) {
        line(format_args!("\nconfig.json"));
        for (key, value) in config {
            line(format_args!("  {} = {}", escaped(key), shortened(&value.to_string())));
        }
    }
    line(format_args!("\ntensors"));
    for (name, tensor) in &checkpoint.tensors {
        let n_bytes = size(tensor.n_bytes);
        line(format_args!("  {} {} {:?}, {n_bytes}", escaped(name), tensor.dtype, tensor.shape));
    }
    for (name, dtype) in &checkpoint.foreign {
        line(format_args!("  {} {}, a type that is not read", escaped(name), escaped(dtype)));
    }
    text
}

fn to_json(checkpoint: &Checkpoint, summary: &Summary) -> Json {
    let metadata: serde_json::Map<_, _> =
        checkpoint.metadata.values.iter().map(|(key, value)| (key.clone(), value_json(value))).collect();
    let tensors: Vec<_> = checkpoint
        .tensors
        .iter()
        .map(|(name, t)| {
            json!({ "name": name, "type": t.dtype.to_string(), "shape": t.shape, "bytes": t.n_bytes })
        })
        .collect();
    let memory = summary.memory.as_ref().ok().map(|memory| {
        json!({
            "weights": memory.weights,
            "kv_per_token": memory.kv_per_token,
            "kv": memory.kv(),
            "context_length": memory.n_ctx,
            "loaded": { "cpu": memory.loaded[0], "gpu": memory.loaded[1] },
        })
    });
    json!({
        "name": summary.name,
        "architecture": summary.architecture,
        "parameters": summary.n_parameters,
        "types": summary.types,
        "bytes": summary.n_bytes,
        "runs": summary.memory.is_ok(),
        "error": summary.memory.as_ref().err().map(Error::to_string),
        "memory": memory,
        "metadata": metadata,
        "config": checkpoint.folder.as_ref().map(|folder| &folder.config),
        "tensors": tensors,
        "foreign": checkpoint.foreign,
    })
}

/// A value with its JSON type; of long arrays the length and the beginning.
fn value_json(value: &Value) -> Json {
    const MOST: usize = 64;
    fn list<T>(items: impl ExactSizeIterator<Item = T>, json: impl Fn(T) -> Json) -> Json {
        let n = items.len();
        let head: Vec<Json> = items.take(MOST).map(json).collect();
        if n > MOST { json!({ "count": n, "head": head }) } else { head.into() }
    }
    // JSON has no NaN and no infinity.
    let float = |x: f64| if x.is_finite() { json!(decimal(x)) } else { json!(x.to_string()) };
    match value {
        Value::Uint(x) => json!(x),
        Value::Int(x) => json!(x),
        Value::Float(x) => float(*x),
        Value::Bool(x) => json!(x),
        Value::String(x) => json!(x),
        Value::Bytes(x) => list(x.iter(), |x| json!(x)),
        Value::Uints(x) => list(x.iter(), |x| json!(x)),
        Value::Ints(x) => list(x.iter(), |x| json!(x)),
        Value::Floats(x) => list(x.iter(), |x| float(f64::from(*x))),
        Value::Bools(x) => list(x.iter(), |x| json!(x)),
        Value::Strings(x) => list(x.iter(), |x| json!(x)),
        Value::Arrays(x) => list(x.iter(), value_json),
    }
}

/// A value in one line that is safe to print; of long texts and arrays the beginning.
fn shown(value: &Value) -> String {
    const MOST: usize = 8;
    fn list<T>(items: impl ExactSizeIterator<Item = T>, shown: impl Fn(T) -> String) -> String {
        let n = items.len();
        let first = items.take(MOST).map(shown).collect::<Vec<_>>().join(", ");
        if n > MOST { format!("[{first}, …] ({n})") } else { format!("[{first}]") }
    }
    match value {
        Value::Uint(x) => x.to_string(),
        Value::Int(x) => x.to_string(),
        Value::Float(x) => decimal(*x).to_string(),
        Value::Bool(x) => x.to_string(),
        Value::String(x) => shortened(x),
        Value::Bytes(x) => list(x.iter(), u8::to_string),
        Value::Uints(x) => list(x.iter(), u64::to_string),
        Value::Ints(x) => list(x.iter(), i64::to_string),
        Value::Floats(x) => list(x.iter(), f32::to_string),
        Value::Bools(x) => list(x.iter(), bool::to_string),
        Value::Strings(x) => list(x.iter(), |x| format!("\"{}\"", shortened(x))),
        Value::Arrays(x) => list(x.iter(), shown),
    }
}

/// A number that was widened from `float32`, as the file's author wrote it: 0.00001, not 0.000009999999747378752.
fn decimal(x: f64) -> f64 {
    let narrow = x as f32;
    if f64::from(narrow) == x { narrow.to_string().parse().unwrap_or(x) } else { x }
}

/// The beginning of a text, safe to print.
fn shortened(text: &str) -> String {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        None => escaped(text).into_owned(),
        Some((end, _)) => format!("{}… ({} bytes)", escaped(&text[..end]), text.len()),
    }
}

fn size(n_bytes: u64) -> String {
    match n_bytes {
        0..1000 => format!("{n_bytes} bytes"),
        _ => scaled(n_bytes, &[" bytes", " kB", " MB", " GB", " TB"]),
    }
}

/// Three digits and a unit, each of which is a thousand of the one before.
fn scaled(n: u64, units: &[&str]) -> String {
    if n < 1000 {
        return format!("{n}{}", units[0]);
    }
    let mut x = n as f64;
    let mut unit = 0;
    // 999.5 would round to 1000.
    while x >= 999.5 && unit + 1 < units.len() {
        x /= 1e3;
        unit += 1;
    }
    let digits = if x < 9.995 { 2 } else { usize::from(x < 99.95) };
    format!("{x:.digits$}{}", units[unit])
}
