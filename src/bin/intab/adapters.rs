//! The adapters of a command, and their load.

use std::{path::PathBuf, time::Instant};

use clap::Args;
use intab::{
    format,
    run::{AdapterOptions, AdapterUse, Engine},
};

use super::output::{Result, note};

/// Which, and how much of each.
#[derive(Args, Clone)]
pub struct AdapterArgs {
    /// An adapter of the model, a PEFT folder or a GGUF file, and what it is multiplied with [default: 1]; may be given more
    /// than once
    #[arg(long = "adapter", value_name = "PATH[=WEIGHT]", value_parser = adapter)]
    adapters: Vec<(PathBuf, f32)>,
}

/// What follows the last `=` is a weight if it is a number, else part of the path.
fn adapter(text: &str) -> std::result::Result<(PathBuf, f32), String> {
    let weighted = text.rsplit_once('=').and_then(|(path, weight)| Some((path, weight.parse::<f32>().ok()?)));
    let (path, weight) = weighted.unwrap_or((text, 1.0));
    match (path.is_empty(), weight.is_finite()) {
        (true, _) => Err("the path is missing".into()),
        (_, false) => Err(format!("the weight {weight} is no number to multiply with")),
        _ => Ok((path.into(), weight)),
    }
}

impl AdapterArgs {
    /// Loads them, in their order.
    pub async fn load(&self, engine: &mut Engine) -> Result<Vec<AdapterUse>> {
        let mut uses = Vec::new();
        for (path, weight) in &self.adapters {
            let start = Instant::now();
            let files = format::open_adapter_path(path).await?;
            let adapter = engine.load_adapter(&files, &AdapterOptions::default()).await?;
            let facts = engine.adapter_facts(adapter)?;
            let (name, kind, n) = (&facts.name, facts.kind, facts.parameters);
            note(&format!(
                "{name}: {kind} of {n} numbers, times {weight}, loaded in {:.3} s",
                start.elapsed().as_secs_f64()
            ));
            uses.push(AdapterUse { adapter, weight: *weight });
        }
        Ok(uses)
    }
}
