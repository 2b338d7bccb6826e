//! What PEFT computes with the same base, adapter and ids.

use std::path::{Path, PathBuf};

use pollster::block_on;
use serde::Deserialize;

use super::{BOTH, common, distance, engine, last_logits, load_adapter, times};

/// `expected.json` of an adapter.
#[derive(Deserialize)]
pub struct Expected {
    /// The folder of the base model.
    pub base: String,
    pub input_ids: Vec<u32>,
    #[serde(default)]
    pub decoder_input_ids: Vec<u32>,
    pub last_logits: Vec<f32>,
}

impl Expected {
    pub fn of(adapter: &Path) -> Expected {
        serde_json::from_slice(&std::fs::read(adapter.join("expected.json")).unwrap()).unwrap()
    }
}

/// An adapter with its base and the reference's logits, as both backends have it.
fn agrees(base: &Path, adapter: &Path) {
    let expected = Expected::of(adapter);
    for prefer in BOTH {
        let Some(mut engine) = engine(base, prefer, None) else { continue };
        let id = load_adapter(&mut engine, adapter);
        let uses = [times(id, 1.0)];
        engine.set_adapters(&uses).unwrap();
        let ids = match expected.decoder_input_ids.is_empty() {
            true => &expected.input_ids,
            false => {
                block_on(engine.read_source(&expected.input_ids)).unwrap();
                &expected.decoder_input_ids
            }
        };
        let found = last_logits(&mut engine, ids, &uses);
        let far = distance(&expected.last_logits, &found);
        assert!(far <= 1e-3, "{} on {prefer:?}: {far} of the range away", adapter.display());
    }
}

fn shared(name: &str) -> Option<(PathBuf, PathBuf)> {
    let adapter = common::shared(&format!("fixtures/adapters/{name}"))?;
    let base = common::shared(&format!("fixtures/{}", Expected::of(&adapter).base))?;
    Some((base, adapter))
}

#[test]
fn lora_of_queries_and_values_is_pefts() {
    if let Some((base, adapter)) = shared("llama-qv-r8") {
        agrees(&base, &adapter);
    }
}

#[test]
fn lora_of_all_layers_is_pefts() {
    if let Some((base, adapter)) = shared("qwen2-all-r16") {
        agrees(&base, &adapter);
    }
}

#[test]
fn lora_of_an_encoder_decoder_is_pefts() {
    if let Some((base, adapter)) = shared("t5-qv-r8") {
        agrees(&base, &adapter);
    }
}

#[test]
fn a_soft_prompt_is_pefts() {
    if let Some((base, adapter)) = shared("llama-prompt-tuning") {
        agrees(&base, &adapter);
    }
}
