//! Reads GGUF metadata to a [`Config`]. Keys and tensor names are those of llama.cpp's converter; what the format does not say
//! (activations, orders) is what Hugging Face transformers computes for the family.

mod decoders;
mod encoders;
mod keys;
mod names;
mod stack;

use super::{Config, Description, GenerationDefaults};
use crate::{
    error::{Error, Result},
    format::Checkpoint,
};
use keys::Keys;
use stack::Base;

/// A family: its name in `general.architecture`, and what fills its Config.
type Family = (&'static str, fn(&Base<'_>) -> Result<Config>);

/// Every family that is run.
const FAMILIES: &[Family] = &[
    ("llama", decoders::llama),
    ("mistral", decoders::llama),
    ("mistral3", decoders::llama),
    ("qwen2", decoders::qwen2),
    ("qwen3", decoders::qwen3),
    ("qwen2moe", decoders::qwen2),
    ("qwen3moe", decoders::qwen3),
    ("olmoe", decoders::olmoe),
    ("gpt2", decoders::gpt2),
    ("starcoder", decoders::gpt2),
    ("bloom", decoders::bloom),
    ("gptneox", decoders::gpt_neox),
    ("falcon", decoders::falcon),
    ("mpt", decoders::mpt),
    ("phi2", decoders::phi2),
    ("phi3", decoders::phi3),
    ("gemma", decoders::gemma),
    ("gemma2", decoders::gemma2),
    ("gemma3", decoders::gemma3),
    ("gemma-embedding", encoders::gemma_embedding),
    ("smollm3", decoders::smollm3),
    ("arcee", decoders::arcee),
    ("ernie4_5", decoders::ernie4_5),
    ("exaone4", decoders::exaone4),
    ("olmo", decoders::olmo),
    ("olmo2", decoders::olmo2),
    ("granite", decoders::granite),
    ("stablelm", decoders::stablelm),
    ("starcoder2", decoders::starcoder2),
    ("command-r", decoders::command_r),
    ("gpt-oss", decoders::gpt_oss),
    ("bert", encoders::bert),
    ("nomic-bert", encoders::nomic_bert),
    ("modern-bert", encoders::modern_bert),
    ("t5", encoders::t5),
    ("t5encoder", encoders::t5_encoder),
];

/// Reads a GGUF file's features.
///
/// # Errors
/// See [`super::read`].
pub(super) async fn read(checkpoint: &Checkpoint) -> Result<Description> {
    let meta = &checkpoint.metadata;
    let architecture = meta.str("general.architecture")?;
    let Some((_, family)) = FAMILIES.iter().find(|(name, _)| *name == architecture) else {
        let names: Vec<&str> = FAMILIES.iter().map(|(name, _)| *name).collect();
        let hint = format!("GGUF files of these are run: {}", names.join(", "));
        return Err(Error::unsupported("architecture", architecture, hint));
    };
    let keys = Keys { meta, architecture };
    let base = Base::read(checkpoint, keys).await?;
    let config = family(&base)?;
    let origins = names::origins(checkpoint, &config);
    // Factors of the rotation, which `Base` has read, and what repeats, in old files, what the metadata say.
    let is_known = |name: &&String| name.starts_with("rope_f") || name.ends_with("attn_rot_embd.weight");
    let ignored = checkpoint.tensors.keys().filter(is_known).cloned().collect();
    let start = meta.opt_usize(&format!("{architecture}.decoder_start_token_id"))?;
    // What T5 begins with where the file does not say is the padding token.
    let start = start.or(meta.opt_usize("tokenizer.ggml.padding_token_id")?).unwrap_or(0);
    let decoder_start = config.encoder.as_ref().and(config.decoder.as_ref()).map(|_| start as u32);
    let eos = meta.opt_usize("tokenizer.ggml.eos_token_id")?.map(|id| id as u32).into_iter().collect();
    let generation = GenerationDefaults { eos, decoder_start, ..GenerationDefaults::default() };
    let tied = match checkpoint.tensors.contains_key("output.weight") {
        true => Vec::new(),
        false => vec!["output.weight".into()],
    };
    Ok(Description { config, origins, ignored, base: String::new(), tied, generation })
}
