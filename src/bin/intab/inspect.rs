//! `intab inspect`.

use std::path::Path;

use intab::{
    Result,
    format::{self, Checkpoint, metadata::Value},
    model::Config,
};
use serde_json::json;

use super::print;

pub async fn inspect(model: &Path, as_json: bool) -> Result<()> {
    let checkpoint = format::open_path(model).await?;
    let memory = Config::read(&checkpoint).map(|config| memory(&checkpoint, &config));
    if as_json {
        return print(&to_json(&checkpoint, memory.ok()).to_string());
    }
    println!("metadata");
    for (key, value) in &checkpoint.metadata.values {
        println!("  {key} = {}", shown(value));
    }
    println!("tensors");
    for (name, tensor) in &checkpoint.tensors {
        println!("  {name} {} {:?}, {} bytes", tensor.dtype, tensor.shape, tensor.n_bytes);
    }
    match memory {
        Ok(Memory { weights, kv_per_token, n_ctx }) => {
            let kv = kv_per_token * n_ctx as u64;
            println!("memory");
            println!("  weights {weights} bytes");
            println!("  key/value cache {kv_per_token} bytes a token, {kv} bytes for {n_ctx} tokens");
        }
        Err(error) => println!("not run: {error}"),
    }
    Ok(())
}

/// What a model takes on a device.
struct Memory {
    weights: u64,
    kv_per_token: u64,
    n_ctx: usize,
}

fn memory(checkpoint: &Checkpoint, config: &Config) -> Memory {
    let kv_dim = config.attention.n_kv_heads * config.attention.head_dim;
    Memory {
        weights: checkpoint.tensors.values().map(|t| t.n_bytes).sum(),
        kv_per_token: (config.n_layers * 2 * kv_dim * size_of::<f32>()) as u64,
        n_ctx: config.n_ctx_train,
    }
}

fn to_json(checkpoint: &Checkpoint, memory: Option<Memory>) -> serde_json::Value {
    let metadata: serde_json::Map<_, _> =
        checkpoint.metadata.values.iter().map(|(key, value)| (key.clone(), shown(value).into())).collect();
    let tensors: Vec<_> = checkpoint
        .tensors
        .iter()
        .map(|(name, t)| {
            json!({ "name": name, "type": t.dtype.to_string(), "shape": t.shape, "bytes": t.n_bytes })
        })
        .collect();
    let memory = memory
        .map(|m| json!({ "weights": m.weights, "kv_per_token": m.kv_per_token, "context_length": m.n_ctx }));
    json!({ "metadata": metadata, "tensors": tensors, "memory": memory })
}

/// A value in one line; of long arrays the beginning.
fn shown(value: &Value) -> String {
    fn list<T: std::fmt::Debug>(items: impl IntoIterator<Item = T>) -> String {
        const MOST: usize = 8;
        let mut items = items.into_iter();
        let first: Vec<T> = items.by_ref().take(MOST).collect();
        match items.count() {
            0 => format!("{first:?}"),
            n => format!("{first:?} and {n} more"),
        }
    }
    match value {
        Value::Uint(x) => x.to_string(),
        Value::Int(x) => x.to_string(),
        Value::Float(x) => x.to_string(),
        Value::Bool(x) => x.to_string(),
        Value::String(x) => x.clone(),
        Value::Bytes(x) => list(x),
        Value::Uints(x) => list(x),
        Value::Ints(x) => list(x),
        Value::Floats(x) => list(x),
        Value::Bools(x) => list(x),
        Value::Strings(x) => list(x.iter()),
        Value::Arrays(x) => list(x),
    }
}
