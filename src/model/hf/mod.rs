//! Reads a Hugging Face folder: `config.json` to a [`super::Config`], and the tensors' names there to ours.

use super::Description;
use crate::{
    error::{Error, Result},
    format::{Checkpoint, Folder},
};

/// The Config of a folder and where its weights are.
pub(super) fn read(_checkpoint: &Checkpoint, folder: &Folder) -> Result<Description> {
    let kind = folder.config["model_type"].as_str().unwrap_or_default();
    Err(Error::unsupported("model type", kind, "this version reads GGUF files"))
}
