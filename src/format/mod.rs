//! Where bytes come from and what a model file says: range reads over any [`Source`], and the readers that
//! turn them into a [`Checkpoint`] (metadata and tensor directory; never the weights themselves). A model is a GGUF file,
//! or a Hugging Face folder of safetensors and JSON files at a [`Place`].

mod adapter;
mod address;
mod checkpoint;
#[cfg(not(target_arch = "wasm32"))]
mod file;
mod folder;
pub mod gguf;
pub mod gguf_writer;
#[cfg(any(target_arch = "wasm32", test))]
mod http_answer;
mod hub;
pub mod integrity;
mod join;
mod json;
pub mod metadata;
mod place;
mod safetensors;
mod sniff;
mod source;
pub mod split;
mod stored;
mod strings;
#[cfg(target_arch = "wasm32")]
mod web;
mod window;

use std::rc::Rc;

pub use adapter::{AdapterFiles, open_adapter, open_adapter_files};
pub use address::{Address, FolderAddress};
pub use checkpoint::{Checkpoint, TensorInfo};
#[cfg(not(target_arch = "wasm32"))]
pub use file::{Directory, FileSource, open_adapter_path, open_path};
pub use folder::{Dense, Folder, open_adapter_folder, open_folder};
pub use place::{FileSet, Place};
pub use source::{LocalFuture, MemorySource, Source};
pub use stored::{Chunks, StoredSource, Traffic};
pub use strings::StringArray;
#[cfg(target_arch = "wasm32")]
pub use web::{BlobSource, BufferSource, HttpFolder, HttpSource, Keeper, Web};
pub use window::Window;

use crate::error::{Error, Result};

/// Reads the headers of a model's files: one GGUF file, or all parts of a split one in any order.
///
/// # Errors
/// [`Error::Format`] where a file is no GGUF file, damaged or truncated, or where parts do not make a whole;
/// [`Error::Unsupported`] for a version or tensor type that this crate does not know and for an adapter; [`Error::Source`] and
/// [`Error::Aborted`] from the sources.
pub async fn open(sources: Vec<Rc<dyn Source>>) -> Result<Checkpoint> {
    let checkpoint = open_gguf(sources).await?;
    match adapter::is_adapter(&checkpoint)? {
        true => Err(adapter::no_model("GGUF file of an adapter", &checkpoint.metadata.file)),
        false => Ok(checkpoint),
    }
}

/// The same, whatever they are of.
async fn open_gguf(sources: Vec<Rc<dyn Source>>) -> Result<Checkpoint> {
    if sources.is_empty() {
        return Err(Error::input("sources", "there is no file to open"));
    }
    let mut parts = Vec::with_capacity(sources.len());
    for (index, source) in sources.iter().enumerate() {
        parts.push(gguf::read(source.as_ref(), index).await?);
    }
    split::merge(sources, parts)
}

/// Reads a model from files that were chosen together, given with their paths: a Hugging Face folder where there is a
/// `config.json` among them, else GGUF files as in [`open`]. Files that belong to neither are left alone.
///
/// # Errors
/// Those of [`open`] and [`open_folder`], and [`Error::Input`] where there are two folders.
pub async fn open_files(mut files: Vec<(String, Rc<dyn Source>)>) -> Result<Checkpoint> {
    let ends_in = |extension: &str| files.iter().any(|(path, _)| path.ends_with(extension));
    // Whoever offers GGUF files often puts the original's `config.json` beside them.
    if ends_in(split::EXTENSION) && !ends_in(folder::WEIGHTS_EXTENSION) {
        files.retain(|(path, _)| path.ends_with(split::EXTENSION));
    } else if let Some(set) = folder::among(&files)? {
        return open_folder(&set, None).await;
    }
    open(files.into_iter().map(|(_, source)| source).collect()).await
}
