//! Reads a Hugging Face folder: `config.json` to a [`Config`], the tensors' names there to ours. A family is a function that
//! changes what is common to all by what is its own, and a list of names.

mod bart;
mod bert;
mod falcon;
mod gemma;
mod generation;
mod gpt;
mod heads;
mod keys;
mod llama;
mod modern;
mod moe;
mod names;
mod olmo;
mod reading;
mod rope;
mod sizes;
mod t5;

use self::{
    heads::Task,
    keys::Keys,
    names::Names,
    reading::{Decoder, Encoder, Found, Reading},
    sizes::Sizes,
};
use super::{Config, Description};
use crate::{
    error::{Error, Result},
    format::{Checkpoint, Folder},
};

/// Reads the features of one family.
type Family = for<'a> fn(&Reading<'a>) -> Result<Found<'a>>;

/// The families by `model_type`.
const FAMILIES: &[(&str, Family)] = &[
    ("llama", llama::llama),
    ("mistral", llama::mistral),
    ("qwen2", llama::qwen2),
    ("qwen3", llama::qwen3),
    ("smollm3", llama::smollm3),
    ("granite", llama::granite),
    ("phi3", llama::phi3),
    ("stablelm", llama::stablelm),
    ("starcoder2", llama::starcoder2),
    ("cohere", llama::cohere),
    ("olmo", olmo::olmo),
    ("olmo2", olmo::olmo2),
    ("olmo3", olmo::olmo3),
    ("gemma", gemma::gemma),
    ("gemma2", gemma::gemma2),
    ("gemma3_text", gemma::gemma3),
    ("mixtral", moe::mixtral),
    ("qwen2_moe", moe::qwen2_moe),
    ("qwen3_moe", moe::qwen3_moe),
    ("olmoe", moe::olmoe),
    ("gpt_oss", moe::gpt_oss),
    ("gpt2", gpt::gpt2),
    ("bloom", gpt::bloom),
    ("opt", gpt::opt),
    ("gpt_neox", gpt::gpt_neox),
    ("mpt", gpt::mpt),
    ("phi", gpt::phi),
    ("falcon", falcon::falcon),
    ("bert", bert::bert),
    ("roberta", bert::roberta),
    ("xlm-roberta", bert::roberta),
    ("camembert", bert::roberta),
    ("distilbert", bert::distilbert),
    ("albert", bert::albert),
    ("electra", bert::electra),
    ("mpnet", bert::mpnet),
    ("modernbert", modern::modernbert),
    ("nomic_bert", modern::nomic_bert),
    ("new", modern::gte),
    ("gte", modern::gte),
    ("t5", t5::t5),
    ("mt5", t5::t5),
    ("umt5", t5::t5),
    ("bart", bart::bart),
    ("mbart", bart::mbart),
    ("marian", bart::marian),
    ("pegasus", bart::pegasus),
    ("m2m_100", bart::m2m_100),
];

/// Reads a folder's features.
///
/// # Errors
/// See [`super::read`].
pub(super) fn read(checkpoint: &Checkpoint, folder: &Folder) -> Result<Description> {
    let place = checkpoint.metadata.file.trim_end_matches('/');
    let keys = Keys::new(format!("{place}/config.json"), &folder.config)?;
    if let Some(quantization) = keys.opt_object("quantization_config")? {
        let method = quantization.opt_text(&["quant_method"])?.unwrap_or("of an unknown kind");
        let hint = "load the folder of the unquantized model, or a GGUF file";
        return Err(Error::unsupported("quantization", method, hint));
    }
    let kind = keys.opt_text(&["model_type"])?.ok_or_else(|| keys.bad("model_type", "the key is missing"))?;
    let Some((_, family)) = FAMILIES.iter().find(|(name, _)| *name == kind) else {
        let names: Vec<&str> = FAMILIES.iter().map(|(name, _)| *name).collect();
        let hint = format!("folders of these are run: {}", names.join(", "));
        return Err(Error::unsupported("architecture", kind, hint));
    };
    let Found { config, names } = family(&Reading { checkpoint, folder, keys: &keys, kind })?;
    let (origins, ignored) = names.finish();
    let generation = generation::defaults(folder, &keys, &config)?;
    Ok(Description { config, origins, ignored, generation })
}
