//! The numbers of an adapter's file, all of them: they are few.

use std::collections::BTreeMap;

use crate::{
    error::{Error, Result},
    format::{Checkpoint, TensorInfo, Window},
};

/// More bytes are no adapter: they are read into memory whole.
const MOST_BYTES: u64 = 2 << 30;

/// A tensor's numbers.
pub(super) struct Tensor {
    /// Slowest first.
    pub shape: Vec<usize>,
    /// Row after row.
    pub numbers: Vec<f32>,
}

/// All tensors of a file by name.
pub(super) struct Tensors {
    /// How messages name it.
    pub file: String,
    all: BTreeMap<String, Tensor>,
    offsets: BTreeMap<String, u64>,
}

impl Tensors {
    /// Reads them in the file's order.
    pub async fn read(checkpoint: &Checkpoint, reached: &dyn Fn(u64, u64) -> Result<()>) -> Result<Tensors> {
        let file = checkpoint.metadata.file.clone();
        if let Some(name) = checkpoint.foreign.keys().next() {
            checkpoint.tensor(name)?;
        }
        let mut infos: Vec<(&String, &TensorInfo)> = checkpoint.tensors.iter().collect();
        infos.sort_by_key(|(_, info)| (info.source, info.offset));
        let total: u64 = infos.iter().map(|(_, info)| info.n_bytes).sum();
        if total > MOST_BYTES {
            let problem =
                format!("its tensors have {total} bytes, but at most {MOST_BYTES} are read of an adapter");
            return Err(Error::format(&file, "tensors", 0, problem));
        }
        let (mut all, mut offsets) = (BTreeMap::new(), BTreeMap::new());
        let mut window = Window::default();
        let mut done = 0;
        reached(done, total)?;
        for (name, info) in infos {
            let n: usize = info.shape.iter().product();
            let bytes = window.read(checkpoint, info.source, info.offset, info.n_bytes as usize).await?;
            let mut numbers = vec![0.0; n];
            info.dtype.info().dequantize_row(bytes, &mut numbers);
            if numbers.iter().any(|x| !x.is_finite()) {
                return Err(Error::NotFinite { place: format!("the tensor {name} of {file}") });
            }
            done += info.n_bytes;
            reached(done, total)?;
            offsets.insert(name.clone(), info.offset);
            all.insert(name.clone(), Tensor { shape: info.shape.clone(), numbers });
        }
        Ok(Tensors { file, all, offsets })
    }

    /// Names and tensors.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.all.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        self.all.contains_key(name)
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.all.get(name)
    }

    /// An [`Error::Format`] about one.
    pub fn bad(&self, name: &str, problem: impl Into<String>) -> Error {
        Error::format(&self.file, name, self.offsets.get(name).copied().unwrap_or(0), problem)
    }

    /// The numbers of a matrix `[rows, cols]`.
    ///
    /// # Errors
    /// [`Error::Format`] for a tensor that is none, or of no rows or columns.
    pub fn matrix<'a>(&self, name: &str, tensor: &'a Tensor) -> Result<(usize, usize, &'a [f32])> {
        match tensor.shape[..] {
            [rows, cols] if rows > 0 && cols > 0 => Ok((rows, cols, &tensor.numbers)),
            _ => Err(self.bad(name, format!("its shape is {:?}, not that of a matrix", tensor.shape))),
        }
    }
}
