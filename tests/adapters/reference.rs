//! What PEFT computes with the same base, adapter and ids.

use std::path::{Path, PathBuf};

use intab::{model::Pool, run::Text};
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
        // A classifier's answer stands in one row.
        let rows = match engine.facts().config.head.pool {
            Pool::First => {
                let texts = [Text { ids, types: None }];
                let rows = block_on(engine.outputs(&texts)).unwrap().concat();
                rows[..engine.facts().config.n_out()].to_vec()
            }
            _ => last_logits(&mut engine, ids, &uses),
        };
        let far = distance(&expected.last_logits, &rows);
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

/// A test for each adapter in tests/data/adapters, of the model in tests/data/models that it names.
macro_rules! ours {
    ($($test:ident: $name:literal,)*) => {
        const OURS: &[&str] = &[$($name),*];

        $(#[test]
        fn $test() {
            let adapter = common::repo(&format!("tests/data/adapters/{}", $name));
            let base = common::repo(&format!("tests/data/models/{}", Expected::of(&adapter).base));
            agrees(&base, &adapter);
        })*
    };
}

ours! {
    patterns_of_ranks_and_alphas_are_pefts: "patterns",
    a_rank_stabilized_scale_is_pefts: "rslora",
    dora_is_pefts: "dora",
    dora_of_transposed_and_fused_layers_with_biases_is_pefts: "dora-transposed",
    dora_of_layers_that_can_be_quantized_is_pefts: "dora-even",
    transposed_layers_are_pefts: "transposed",
    fused_layers_are_pefts: "fused",
    layers_that_are_fused_by_head_are_pefts: "fused-by-head",
    an_adapted_output_layer_is_pefts: "head",
    an_adapted_output_layer_that_is_tied_leaves_the_embeddings: "tied-head",
    adapted_embeddings_are_pefts: "embeddings",
    adapted_embeddings_that_are_tied_leave_the_output_layer: "tied-embeddings",
    a_saved_output_layer_is_pefts: "save-head",
    a_saved_output_layer_that_was_tied_is_pefts: "save-tied-head",
    saved_norms_are_pefts: "save-norm",
    biases_of_adapted_layers_are_pefts: "bias",
    all_biases_are_pefts: "all-biases",
    loras_own_biases_are_pefts: "lora-bias",
    a_classifier_is_pefts: "classifier",
    scores_of_a_decoder_are_pefts: "score",
    layers_of_an_encoder_decoder_are_pefts: "encoder-decoder",
    all_layers_of_llama_are_pefts: "llama",
    embeddings_and_layers_together_are_pefts: "second",
    another_dora_is_pefts: "second-dora",
    a_soft_prompt_before_learned_positions_is_pefts: "prompt",
}

#[test]
fn every_adapter_at_hand_has_a_test() {
    for entry in std::fs::read_dir(common::repo("tests/data/adapters")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        assert!(!entry.path().is_dir() || OURS.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn a_gguf_file_gives_what_the_folder_gives_on_either_form_of_the_model() {
    let folder = common::repo("tests/data/adapters/llama");
    let expected = Expected::of(&folder);
    for base in ["tests/data/models/llama-llama3", "tests/data/models/llama-llama3.gguf"] {
        for adapter in [folder.join("adapter.gguf"), folder.clone()] {
            for prefer in BOTH {
                let Some(mut engine) = engine(&common::repo(base), prefer, None) else { continue };
                let id = load_adapter(&mut engine, &adapter);
                let found = last_logits(&mut engine, &expected.input_ids, &[times(id, 1.0)]);
                let far = distance(&expected.last_logits, &found);
                assert!(
                    far <= 1e-3,
                    "{} of {base} on {prefer:?}: {far} of the range away",
                    adapter.display()
                );
            }
        }
    }
}

#[test]
fn several_mixed_by_weight_are_pefts_mix() {
    #[derive(Deserialize)]
    struct Mix {
        base: String,
        parts: Vec<(String, f32)>,
        input_ids: Vec<u32>,
        last_logits: Vec<f32>,
    }
    let json = std::fs::read(common::repo("tests/data/adapters/mix.json")).unwrap();
    let mix: Mix = serde_json::from_slice(&json).unwrap();
    for prefer in BOTH {
        let base = common::repo(&format!("tests/data/models/{}", mix.base));
        let Some(mut engine) = engine(&base, prefer, None) else { continue };
        let uses: Vec<_> = mix
            .parts
            .iter()
            .map(|(name, weight)| {
                times(
                    load_adapter(&mut engine, &common::repo(&format!("tests/data/adapters/{name}"))),
                    *weight,
                )
            })
            .collect();
        let found = last_logits(&mut engine, &mix.input_ids, &uses);
        let far = distance(&mix.last_logits, &found);
        assert!(far <= 1e-3, "{prefer:?}: {far} of the range away");
    }
}
