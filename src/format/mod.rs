//! Where bytes come from and what a model file says: range reads over any [`Source`], and the readers that
//! turn them into a [`Checkpoint`] (metadata and tensor directory; never the weights themselves).

mod checkpoint;
#[cfg(not(target_arch = "wasm32"))]
mod file;
pub mod gguf;
pub mod gguf_writer;
#[cfg(any(target_arch = "wasm32", test))]
mod http_answer;
pub mod metadata;
mod sniff;
mod source;
pub mod split;
mod strings;
#[cfg(target_arch = "wasm32")]
mod web;
mod window;

use std::rc::Rc;

pub use checkpoint::{Checkpoint, TensorInfo};
#[cfg(not(target_arch = "wasm32"))]
pub use file::{FileSource, open_path};
pub use source::{LocalFuture, MemorySource, Source};
pub use strings::StringArray;
#[cfg(target_arch = "wasm32")]
pub use web::{BlobSource, BufferSource, HttpSource};
pub use window::Window;

use crate::error::{Error, Result};

/// Reads the headers of a model's files: one GGUF file, or all parts of a split one in any order.
///
/// # Errors
/// [`Error::Format`] where a file is no GGUF file, damaged or truncated, or where parts do not make a whole;
/// [`Error::Unsupported`] for a version or tensor type that this crate does not know; [`Error::Source`] and
/// [`Error::Aborted`] from the sources.
pub async fn open(sources: Vec<Rc<dyn Source>>) -> Result<Checkpoint> {
    if sources.is_empty() {
        return Err(Error::input("sources", "there is no file to open"));
    }
    let mut parts = Vec::with_capacity(sources.len());
    for (index, source) in sources.iter().enumerate() {
        parts.push(gguf::read(source.as_ref(), index).await?);
    }
    split::merge(sources, parts)
}
