//! Where the weights of a plan lie in the files: every weight has one name here, GGUF's, whatever the file calls it and
//! however it packs it.

use std::{collections::BTreeMap, rc::Rc};

use crate::{
    error::{Error, Result},
    format::{Checkpoint, TensorInfo, Window},
    plan::{Builder, Value},
    quant::DType,
};

/// Rows of a tensor that make up a weight: `groups` runs of `len` rows, `step` apart, from `first` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    pub first: usize,
    pub len: usize,
    pub step: usize,
    pub groups: usize,
}

impl Rows {
    /// `len` rows in a row.
    pub fn run(first: usize, len: usize) -> Rows {
        Rows { first, len, step: len, groups: 1 }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.len * self.groups
    }

    /// The runs that stand one after the other in the tensor, as first row and length.
    pub fn runs(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.groups).map(move |g| (self.first + g * self.step, self.len))
    }
}

/// A tensor, or some of its rows. For vectors, numbers are rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The tensor's name in the file.
    pub tensor: String,
    /// All of it where none.
    pub rows: Option<Rows>,
}

/// Where a weight comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// Pieces of tensors one below the other.
    File {
        /// The pieces.
        pieces: Vec<Piece>,
        /// How the file's numbers become the weight's.
        change: Change,
    },
    /// Numbers made here: `[rows, cols]`.
    Made {
        /// Row after row.
        numbers: Rc<[f32]>,
        /// Numbers in a row.
        cols: usize,
    },
}

/// How a file's numbers become a weight's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// As they are.
    None,
    /// Rows and columns are exchanged: GPT-2's layers in Hugging Face folders. Rows are counted after the exchange.
    Transposed,
    /// The same in each of several matrices: gpt-oss's experts in Hugging Face folders.
    TransposedEach,
    /// One is added: Gemma's norms in Hugging Face folders.
    PlusOne,
}

impl Origin {
    /// A whole tensor as it is.
    pub fn whole(tensor: impl Into<String>) -> Origin {
        let pieces = vec![Piece { tensor: tensor.into(), rows: None }];
        Origin::File { pieces, change: Change::None }
    }
}

/// A weight's place and form, for loading.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// Where it comes from.
    pub origin: &'a Origin,
    /// Its type on the device.
    pub dtype: DType,
    /// `[rows, cols]` of all tensors that it has pieces of, or of the made numbers.
    pub shape: (usize, usize),
}

/// All weights of a checkpoint under this crate's names.
pub struct Weights<'a> {
    checkpoint: &'a Checkpoint,
    origins: BTreeMap<String, Origin>,
    quantize: Option<DType>,
}

impl<'a> Weights<'a> {
    /// Over `checkpoint`, with `origins` by name. Matrices of unquantized numbers become `quantize` where that is given and
    /// their rows allow it.
    pub fn new(
        checkpoint: &'a Checkpoint,
        origins: BTreeMap<String, Origin>,
        quantize: Option<DType>,
    ) -> Weights<'a> {
        Weights { checkpoint, origins, quantize }
    }

    /// The files.
    pub fn checkpoint(&self) -> &'a Checkpoint {
        self.checkpoint
    }

    /// Whether there is a weight of this name.
    pub fn has(&self, name: &str) -> bool {
        self.origins.contains_key(name)
    }

    /// Puts numbers made here under a name.
    pub fn make(&mut self, name: &str, numbers: Rc<[f32]>, cols: usize) {
        self.origins.insert(name.to_owned(), Origin::Made { numbers, cols });
    }

    /// The tensors of the file that no weight in `used` comes from, in the order of their names.
    pub fn unused(&self, used: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
        let mut touched = std::collections::HashSet::new();
        for (_, origin) in self.origins.iter().filter(|(name, _)| used(name)) {
            if let Origin::File { pieces, .. } = origin {
                touched.extend(pieces.iter().map(|piece| piece.tensor.as_str()));
            }
        }
        self.checkpoint.tensors.keys().map(String::as_str).filter(move |name| !touched.contains(name))
    }

    /// Where a weight is and what it becomes.
    ///
    /// # Errors
    /// [`Error::Format`] if the weight is missing or its pieces do not fit each other; [`Error::Unsupported`] for a tensor type
    /// that is not run.
    pub fn source(&self, name: &str) -> Result<Source<'_>> {
        let origin = self.origins.get(name).ok_or_else(|| self.bad(name, "the tensor is missing".into()))?;
        let (pieces, change) = match origin {
            Origin::Made { numbers, cols } => {
                let shape = (numbers.len() / cols, *cols);
                return Ok(Source { origin, dtype: self.target(name, DType::F32, shape), shape });
            }
            Origin::File { pieces, change } => (pieces, *change),
        };
        let (mut total, mut flat) = (0, true);
        let mut form: Option<(DType, usize)> = None;
        for piece in pieces {
            let info = self.tensor(&piece.tensor)?;
            let is_vector = is_vector(name, info);
            let (rows, cols) =
                if is_vector { (info.shape.iter().product(), 1) } else { as_matrix(info, change) };
            let count = match piece.rows {
                None => rows,
                Some(part) => {
                    let end = part.first + (part.groups - 1) * part.step + part.len;
                    if end > rows {
                        let problem =
                            format!("its shape is {:?}, but rows up to {end} are needed", info.shape);
                        return Err(self.bad(&piece.tensor, problem));
                    }
                    part.count()
                }
            };
            if change != Change::None && info.dtype.info().block_len != 1 {
                let problem = format!("its type {} cannot be rearranged", info.dtype);
                return Err(self.bad(&piece.tensor, problem));
            }
            flat &= is_vector;
            match form {
                Some(form) if form != (info.dtype, cols) => {
                    let problem = format!(
                        "its shape {:?} or type {} is not that of its fellows",
                        info.shape, info.dtype
                    );
                    return Err(self.bad(&piece.tensor, problem));
                }
                _ => form = Some((info.dtype, cols)),
            }
            total += count;
        }
        // An origin has one piece at the least.
        let (dtype, cols) = form.ok_or_else(|| self.bad(name, "the tensor is missing".into()))?;
        let shape = if flat { (1, total) } else { (total, cols) };
        let dtype = if change == Change::None { dtype } else { DType::F32 };
        Ok(Source { origin, dtype: self.target(name, dtype, shape), shape })
    }

    /// The type that a matrix has on the device. Token embeddings and output layers are kept at 8 bits.
    fn target(&self, name: &str, dtype: DType, (rows, cols): (usize, usize)) -> DType {
        let Some(wanted) = self.quantize.filter(|_| rows > 1 && dtype.info().block_len == 1) else {
            return dtype;
        };
        if !name.ends_with(".weight") || name.contains("norm") || name.starts_with("position_embd") {
            return dtype;
        }
        let at_the_ends = ["token_embd.weight", "output.weight", "cls.output.weight"].contains(&name);
        let choices = [if at_the_ends { DType::Q8_0 } else { wanted }, DType::Q8_0];
        choices.into_iter().find(|dtype| cols.is_multiple_of(dtype.info().block_len)).unwrap_or(dtype)
    }

    /// A tensor by its name in the file.
    ///
    /// # Errors
    /// [`Error::Format`] where there is none; as [`Checkpoint::tensor`].
    pub fn tensor(&self, name: &str) -> Result<&'a TensorInfo> {
        self.checkpoint.tensor(name)?.ok_or_else(|| self.bad(name, "the tensor is missing".into()))
    }

    /// An [`Error::Format`] about a weight, by the name that its file gives it.
    pub fn bad(&self, name: &str, problem: String) -> Error {
        let tensor = match self.origins.get(name) {
            Some(Origin::File { pieces, .. }) => &pieces[0].tensor,
            _ => name,
        };
        let offset = self.checkpoint.tensors.get(tensor).map_or(0, |info| info.offset);
        Error::format(&self.checkpoint.metadata.file, tensor, offset, problem)
    }

    /// Declares the matrix `name`: `[n_out, n_in]`.
    pub fn matrix(&self, b: &mut Builder, name: &str, n_out: usize, n_in: usize) -> Result<Value> {
        let Source { shape, dtype, .. } = self.source(name)?;
        if shape != (n_out, n_in) {
            let problem =
                format!("its shape is [{}, {}], the metadata call for [{n_out}, {n_in}]", shape.0, shape.1);
            return Err(self.bad(name, problem));
        }
        Ok(b.matrix(name, dtype, n_out, n_in))
    }

    /// Declares the vector `name`: `[n]`, or any shape with as many numbers.
    pub fn vector(&self, b: &mut Builder, name: &str, n: usize) -> Result<Value> {
        let (rows, cols) = self.source(name)?.shape;
        if rows * cols != n {
            let problem = format!("it has {} numbers, the metadata call for {n}", rows * cols);
            return Err(self.bad(name, problem));
        }
        Ok(b.vector(name, n))
    }

    /// As [`Weights::vector`], where there is one.
    pub fn opt_vector(&self, b: &mut Builder, name: &str, n: usize) -> Result<Option<Value>> {
        if self.has(name) { self.vector(b, name, n).map(Some) } else { Ok(None) }
    }

    /// All numbers of a vector or small matrix, as f32.
    ///
    /// # Errors
    /// As [`Weights::source`]; those of the source of bytes.
    pub async fn numbers(&self, name: &str, window: &mut Window) -> Result<Vec<f32>> {
        let Source { origin, shape, .. } = self.source(name)?;
        let (pieces, change) = match origin {
            Origin::Made { numbers, .. } => return Ok(numbers.to_vec()),
            Origin::File { pieces, change } => (pieces, *change),
        };
        let mut all = Vec::with_capacity(shape.0 * shape.1);
        for piece in pieces {
            let info = self.tensor(&piece.tensor)?;
            let cols = if is_vector(name, info) { 1 } else { as_matrix(info, change).1 };
            let numbers = self.changed(info, cols, change, window).await?;
            match piece.rows {
                None => all.extend(numbers),
                Some(rows) => rows.runs().for_each(|(at, n)| all.extend(&numbers[at * cols..][..n * cols])),
            }
        }
        Ok(all)
    }

    /// A whole tensor as f32 after `change`, `cols` numbers in a row.
    ///
    /// # Errors
    /// Those of the source of bytes.
    pub async fn changed(
        &self,
        info: &TensorInfo,
        cols: usize,
        change: Change,
        window: &mut Window,
    ) -> Result<Vec<f32>> {
        let bytes = window.read(self.checkpoint, info.source, info.offset, info.n_bytes as usize).await?;
        let mut numbers = vec![0.0; info.shape.iter().product()];
        info.dtype.info().dequantize_row(bytes, &mut numbers);
        Ok(match change {
            Change::None => numbers,
            Change::Transposed => transposed(&numbers, cols),
            Change::TransposedEach => {
                let size = cols * info.shape.last().copied().unwrap_or(1);
                numbers.chunks_exact(size).flat_map(|matrix| transposed(matrix, cols)).collect()
            }
            Change::PlusOne => numbers.iter().map(|x| x + 1.0).collect(),
        })
    }

    /// The tensor that a weight begins in, if it is in a file.
    pub fn first_tensor(&self, name: &str) -> Option<&'a TensorInfo> {
        match self.origins.get(name)? {
            Origin::File { pieces, .. } => self.checkpoint.tensors.get(&pieces.first()?.tensor),
            Origin::Made { .. } => None,
        }
    }
}

/// Whether the rows of a tensor are its numbers: it has one axis at the most, or holds the biases of several matrices.
fn is_vector(name: &str, info: &TensorInfo) -> bool {
    info.shape.len() <= 1 || name.ends_with(".bias")
}

/// `[rows, cols]` to `[cols, rows]`, given the columns of the result.
pub(super) fn transposed(numbers: &[f32], rows: usize) -> Vec<f32> {
    let cols = numbers.len() / rows;
    (0..cols).flat_map(|c| (0..rows).map(move |r| numbers[r * cols + c])).collect()
}

/// Rows and columns of a tensor after `change`: a vector is one row, what has more axes is rows of its last one.
pub fn as_matrix(info: &TensorInfo, change: Change) -> (usize, usize) {
    let (cols, outer) = match info.shape.split_last() {
        None => (1, &[][..]),
        Some((cols, outer)) => (*cols, outer),
    };
    let rows: usize = outer.iter().product();
    match (change, outer.split_last()) {
        (Change::Transposed, _) => (cols, rows),
        (Change::TransposedEach, Some((inner, outer))) => (outer.iter().product::<usize>() * cols, *inner),
        _ => (rows, cols),
    }
}
