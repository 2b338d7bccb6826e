//! Where bytes come from and what a model file says: range reads over any [`Source`], and the readers that
//! turn them into a [`Checkpoint`] (metadata and tensor directory; never the weights themselves).

mod checkpoint;
pub mod metadata;
mod source;

pub use checkpoint::{Checkpoint, TensorInfo};
pub use source::{LocalFuture, MemorySource, Source};
