//! What a model file says of itself, whatever its format: typed metadata and a directory of tensors.

use std::{collections::BTreeMap, rc::Rc};

use super::{Folder, LocalFuture, Source, metadata::Metadata};
use crate::{
    error::{Error, Result},
    quant::DType,
};

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
    /// Tensors of types that are not read, and the type of each: a file may have some that nothing uses.
    pub foreign: BTreeMap<String, String>,
    /// The files that hold tensors.
    pub sources: Vec<Rc<dyn Source>>,
    /// What the files around the weights say, where the model is a Hugging Face folder. [`Checkpoint::metadata`] then has
    /// but `general.name`.
    pub folder: Option<Folder>,
}

impl Checkpoint {
    /// Whether the files have a tensor of this name, of a type that is read or not.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name) || self.foreign.contains_key(name)
    }

    /// The tensor of this name, `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where it is of a type that is not read.
    pub fn tensor(&self, name: &str) -> Result<Option<&TensorInfo>> {
        match self.foreign.get(name) {
            None => Ok(self.tensors.get(name)),
            Some(dtype) => {
                let hint =
                    format!("tensor {name} of {} has it: use one in F32, F16 or BF16", self.metadata.file);
                Err(Error::unsupported("tensor type", dtype, hint))
            }
        }
    }

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
