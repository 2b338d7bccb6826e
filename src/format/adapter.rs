//! Adapters' files: what they say of themselves, and where their tensors are. An adapter is PEFT's folder of
//! `adapter_config.json` and a safetensors file (<https://huggingface.co/docs/peft/developer_guides/checkpoint>), or a GGUF file
//! as llama.cpp's `convert_lora_to_gguf.py` writes it.

use std::rc::Rc;

use serde_json::Value as Json;

use super::{
    Checkpoint, Source,
    folder::{self, open_adapter_folder},
    open_gguf, split,
};
use crate::error::{Error, Result};

/// An adapter whose tensors are still in its files.
pub struct AdapterFiles {
    /// `adapter_config.json`; none for a GGUF file, whose metadata say as much.
    pub config: Option<Json>,
    /// A short name: the folder's, or what the file calls it.
    pub title: String,
    /// The tensors.
    pub checkpoint: Checkpoint,
}

/// Whether a GGUF file says that it is an adapter.
pub(super) fn is_adapter(checkpoint: &Checkpoint) -> Result<bool> {
    Ok(checkpoint.metadata.opt_str("general.type")? == Some("adapter"))
}

/// What is said to whoever loads an adapter as a model.
pub(super) fn no_model(what: &'static str, name: &str) -> Error {
    let hint = "it is not a whole model: load the model that it was made for, then this as its adapter";
    Error::unsupported(what, name, hint)
}

/// What is said to whoever loads a model as an adapter.
pub(super) fn no_adapter(name: &str) -> Error {
    let hint = "it is a whole model: an adapter is a GGUF file of the type `adapter`, or a folder with adapter_config.json";
    Error::unsupported("adapter", name, hint)
}

/// Reads the header of an adapter in one GGUF file.
///
/// # Errors
/// Those of [`super::open`]; [`Error::Unsupported`] for a file that holds a model.
pub async fn open_adapter(source: Rc<dyn Source>) -> Result<AdapterFiles> {
    let checkpoint = open_gguf(vec![source]).await?;
    if !is_adapter(&checkpoint)? {
        return Err(no_adapter(&checkpoint.metadata.file));
    }
    let file = &checkpoint.metadata.file;
    let title = match checkpoint.metadata.opt_str("general.name")? {
        Some(name) if !name.trim().is_empty() => name.to_owned(),
        _ => file.rsplit('/').next().unwrap_or(file).to_owned(),
    };
    Ok(AdapterFiles { config: None, title, checkpoint })
}

/// Reads an adapter from files that were chosen together, given with their paths: PEFT's folder, else one GGUF file.
///
/// # Errors
/// Those of [`open_adapter`] and [`open_adapter_folder`]; [`Error::Input`] where there are two adapters, or none.
pub async fn open_adapter_files(files: Vec<(String, Rc<dyn Source>)>) -> Result<AdapterFiles> {
    if let Some(set) = folder::adapter_among(&files)? {
        return open_adapter_folder(&set, None).await;
    }
    let many = files.len() > 1;
    let mut files = files.into_iter().filter(|(path, _)| !many || path.ends_with(split::EXTENSION));
    match (files.next(), files.next()) {
        (Some((_, source)), None) => open_adapter(source).await,
        (None, _) => {
            Err(Error::input("source", "no adapter_config.json and no GGUF file is among the files"))
        }
        (Some((first, _)), Some((second, _))) => Err(Error::input(
            "source",
            format!("both {first} and {second} may be the adapter: choose one of them"),
        )),
    }
}
