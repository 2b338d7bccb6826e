//! Reads a Hugging Face folder: `config.json` to a [`Config`], the tensors' names there to ours. A family is a function that
//! changes what is common to all by what is its own, and a list of names.

mod bart;
mod bert;
mod falcon;
mod gemma;
mod generation;
mod gpt;
mod gptj;
mod heads;
mod keys;
mod like_gguf;
mod llama;
mod modern;
mod moe;
mod names;
mod olmo;
mod opt;
mod reading;
mod rope;
mod sizes;
mod t5;

pub(super) use self::like_gguf::like_gguf;
use self::{
    heads::Task,
    keys::Keys,
    names::{Known, Names},
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
    ("cohere2", llama::cohere2),
    ("ernie4_5", llama::ernie4_5),
    ("helium", llama::helium),
    ("arcee", llama::arcee),
    ("olmo", olmo::olmo),
    ("olmo2", olmo::olmo2),
    ("olmo3", olmo::olmo3),
    ("exaone4", olmo::exaone4),
    ("gemma", gemma::gemma),
    ("gemma2", gemma::gemma2),
    ("gemma3_text", gemma::gemma3),
    ("gemma3", gemma::gemma3),
    ("mixtral", moe::mixtral),
    ("qwen2_moe", moe::qwen2_moe),
    ("qwen3_moe", moe::qwen3_moe),
    ("olmoe", moe::olmoe),
    ("gpt_oss", moe::gpt_oss),
    ("gpt2", gpt::gpt2),
    ("gpt_bigcode", gpt::gpt_bigcode),
    ("gpt_neo", gpt::gpt_neo),
    ("gptj", gptj::gptj),
    ("codegen", gptj::codegen),
    ("bloom", gpt::bloom),
    ("opt", opt::opt),
    ("xglm", opt::xglm),
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
    ("plbart", bart::plbart),
    ("blenderbot", bart::blenderbot),
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
    // A model that sees images too has a config of its own for each half.
    let text = keys.opt_object("text_config")?.filter(|_| kind == "gemma3");
    let text = text.as_ref().unwrap_or(&keys);
    let Found { config, mut names } = family(&Reading { checkpoint, folder, keys: text, kind })?;
    let dense = heads::dense(folder, &config, &mut names)?;
    let config = Config { dense, ..config };
    let Known { origins, ignored, base, tied } = names.finish();
    let generation = generation::defaults(folder, &keys, &config)?;
    Ok(Description { config, origins, ignored, base, tied, generation })
}
