//! What a model file says of itself, whatever its format: typed metadata and a directory of tensors.

use std::{collections::BTreeMap, rc::Rc};

use super::{LocalFuture, Source, metadata::Metadata};
use crate::{error::Result, quant::DType};

/// One tensor's place in its file. Ranges were checked against the file's length when the directory was read.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorInfo {
    /// How its numbers are stored.
    pub dtype: DType,
    /// Sizes, slowest first, as in PyTorch: a matrix that maps `n_in` to `n_out` is `[n_out, n_in]`, its rows contiguous.
    /// (GGUF stores the reverse order; the reader turns it round.)
    pub shape: Vec<usize>,
    /// Which of the checkpoint's sources holds it.
    pub source: usize,
    /// Byte offset in that source.
    pub offset: u64,
    /// Bytes.
    pub n_bytes: u64,
}

/// Metadata, tensor directory, and the sources that the tensors are read from.
pub struct Checkpoint {
    /// Key/value facts of the model, by GGUF's key names.
    pub metadata: Metadata,
    /// Tensors by name.
    pub tensors: BTreeMap<String, TensorInfo>,
    /// The files.
    pub sources: Vec<Rc<dyn Source>>,
    /// The JSON files, where the model is a Hugging Face folder.
    pub folder: Option<Folder>,
}

/// The JSON files of a Hugging Face folder.
pub struct Folder {
    /// `config.json`.
    pub config: serde_json::Value,
}

impl Checkpoint {
    /// Reads `len` bytes of a tensor from `start` (relative to the tensor).
    pub fn read<'a>(
        &'a self,
        tensor: &TensorInfo,
        start: u64,
        len: usize,
    ) -> LocalFuture<'a, Result<Vec<u8>>> {
        self.sources[tensor.source].read(tensor.offset + start, len)
    }
}
