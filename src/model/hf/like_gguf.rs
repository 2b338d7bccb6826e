//! The names that a model in a GGUF file would have in a Hugging Face folder: for adapters that were made for the folder.

use std::collections::BTreeMap;

use serde_json::json;

use super::{FAMILIES, Found, Keys, Reading};
use crate::{
    error::{Error, Result},
    format::{Checkpoint, Folder, TensorInfo, metadata::Metadata},
    model::{Config, Description, GenerationDefaults},
    plan::RopeStyle,
    quant::DType,
};

/// GGUF's architectures, and the `model_type` of the same family.
const SAME: &[(&str, &str)] = &[
    ("llama", "llama"),
    ("mistral", "mistral"),
    ("qwen2", "qwen2"),
    ("qwen3", "qwen3"),
    ("gpt2", "gpt2"),
    ("bloom", "bloom"),
    ("gptneox", "gpt_neox"),
    ("mpt", "mpt"),
    ("phi2", "phi"),
    ("phi3", "phi3"),
    ("gemma", "gemma"),
    ("gemma2", "gemma2"),
    ("gemma3", "gemma3_text"),
    ("smollm3", "smollm3"),
    ("arcee", "arcee"),
    ("exaone4", "exaone4"),
    ("olmo2", "olmo2"),
    ("granite", "granite"),
    ("stablelm", "stablelm"),
    ("starcoder2", "starcoder2"),
    ("bert", "bert"),
];

/// What a folder of the same model would say of its tensors, and how it would rotate.
///
/// # Errors
/// [`Error::Unsupported`] for a family whose names are not known.
pub fn like_gguf(config: &Config, tied: bool) -> Result<(Description, Option<RopeStyle>)> {
    let Some((_, kind)) = SAME.iter().find(|(name, _)| *name == config.architecture) else {
        let hint = "adapters in PEFT's form are run with the Hugging Face folder of such a model: load that, or convert the \
                    adapter to GGUF";
        return Err(Error::unsupported("GGUF model for an adapter", &config.architecture, hint));
    };
    let stack = config.last_stack();
    let n_layers = stack.layers.len();
    let class = if config.generates() { "ForCausalLM" } else { "Model" };
    let values = json!({
        "model_type": kind,
        "architectures": [class],
        "tie_word_embeddings": tied,
        "vocab_size": config.n_vocab,
        "hidden_size": stack.n_embd,
        "num_hidden_layers": n_layers,
        "num_attention_heads": stack.attention.n_heads,
        "num_key_value_heads": stack.attention.n_kv_heads,
        "head_dim": stack.attention.head_dim,
        "intermediate_size": stack.feed_forward.n_ff,
        "max_position_embeddings": config.n_ctx_train,
        "sliding_window": null,
    });
    // As many tensors as layers are counted, no more is asked of them.
    let tensor = TensorInfo { dtype: DType::F32, shape: Vec::new(), source: 0, offset: 0, n_bytes: 0 };
    let tensors = (0..n_layers).map(|i| (format!("layer {i}"), tensor.clone())).collect();
    let metadata = Metadata { file: "the model".into(), values: BTreeMap::new(), offsets: BTreeMap::new() };
    let checkpoint =
        Checkpoint { metadata, tensors, foreign: BTreeMap::new(), sources: Vec::new(), folder: None };
    let folder = Folder { config: values.clone(), ..Folder::default() };
    let keys = Keys::new("the model".into(), &values)?;
    let family = FAMILIES.iter().find(|(name, _)| name == kind).map(|(_, family)| family);
    let family = family.ok_or_else(|| Error::unsupported("architecture", *kind, "it has no folders"))?;
    let reading = Reading { checkpoint: &checkpoint, folder: &folder, keys: &keys, kind };
    let Found { config: own, names } = family(&reading)?;
    let style = own.last_stack().ropes.first().map(|rope| rope.style);
    let known = names.finish();
    let description = Description {
        config: own,
        origins: known.origins,
        ignored: known.ignored,
        base: known.base,
        tied: known.tied,
        generation: GenerationDefaults::default(),
    };
    Ok((description, style))
}
