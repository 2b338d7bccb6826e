//! Threads that multiply together. Each has memory of its own, as workers of a page do, and in it a part of every matrix's
//! rows: so none waits for another's memory, and together they may hold more than one of them could.

#[cfg(not(target_arch = "wasm32"))]
mod threads;

#[cfg(not(target_arch = "wasm32"))]
pub use threads::Threads;

use std::{collections::HashMap, ops::Range, rc::Rc};

use intab_kernels::linear::{Inputs, Matrix};

use super::out_of_memory;
pub use super::{attention::Strided, slice::Slice};
use crate::{
    error::{Error, Result},
    format::LocalFuture,
    quant::DType,
};

/// A matrix, or a part of its rows.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// The type of its weights.
    pub dtype: DType,
    /// Rows.
    pub n_out: usize,
    /// Weights in a row.
    pub n_in: usize,
}

/// Rows of a matrix that a thread is to multiply.
#[derive(Debug, Clone)]
pub struct Job {
    /// The matrix.
    pub id: u32,
    /// Which of the thread's own rows.
    pub rows: Range<usize>,
}

/// The most jobs that a thread gets at a time.
pub const MOST_JOBS: usize = 8;

/// Helpers on other threads, numbered from 0. Each does what it is told in that order.
pub trait Team {
    /// How many there are.
    fn n_helpers(&self) -> usize;

    /// The most numbers that can be sent or got back at a time.
    fn most_numbers(&self) -> usize;

    /// The next whole rows of a helper's part of a matrix, whose shape is that of the part.
    fn write(&self, helper: usize, id: u32, part: Shape, bytes: &[u8]) -> Result<()>;

    /// Lets a helper give its part of a matrix back, if it has any.
    fn forget(&self, helper: usize, id: u32) -> Result<()>;

    /// Lets each helper that has any jobs, at most [`MOST_JOBS`], begin with them. `xs` are rows of equal length; if `fast`, they
    /// may be quantized.
    fn start(&self, jobs: &[Vec<Job>], xs: &[&[f32]], fast: bool);

    /// Lets each helper that has any rows begin with its part ([`Slice::of_helper`]) of an attention. `q` has all rows of the run;
    /// `k` and `v` begin with the slice's first key.
    fn start_attention(&self, slice: &Slice, q: Strided, k: Strided, v: Strided);

    /// Waits for a helper to end: `y` is `[xs.len(), job.rows.len()]` for one job after the other, or the rows of its part of an
    /// attention.
    fn finish(&self, helper: usize, y: &mut [f32]) -> Result<()>;

    /// The weights of one of a helper's rows.
    fn unpack_row(&self, helper: usize, id: u32, row: usize, weights: &mut [f32]) -> Result<()>;
}

/// Where a team comes from, once it is known that the CPU will run a model.
#[derive(Clone)]
pub struct Hire {
    /// Threads that run at the same time, this one among them.
    pub cores: usize,
    /// So many helpers.
    #[expect(clippy::type_complexity, reason = "it is named here alone")]
    pub start: Rc<dyn Fn(usize) -> LocalFuture<'static, Result<Box<dyn Team>>>>,
}

/// Weights below so many bytes are multiplied sooner than threads can agree on it.
const WORTH_SHARING: u64 = 32 << 20;

impl Hire {
    /// How many threads are worth their while for so many bytes of weights: half of the cores, since two often share what
    /// multiplies, and the page wants some too; and no more than eight, which wait for memory by then.
    pub fn usual(&self, bytes: u64) -> usize {
        if bytes < WORTH_SHARING { 1 } else { (self.cores / 2).clamp(1, 8) }
    }
}

/// What one thread has.
#[derive(Default)]
pub struct Member {
    matrices: HashMap<u32, Matrix>,
}

impl Member {
    /// The next whole rows; the first makes room for all.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn write(&mut self, id: u32, part: Shape, bytes: &[u8]) -> Result<()> {
        let Shape { dtype, n_out, n_in } = part;
        let matrix =
            self.matrices.entry(id).or_insert_with(|| Matrix { dtype, n_out, n_in, bytes: Vec::new() });
        if matrix.bytes.is_empty() {
            let row_bytes = dtype.info().row_bytes(n_in);
            let none = || out_of_memory("weights", n_out as u64 * row_bytes as u64);
            let total = n_out.checked_mul(row_bytes).ok_or_else(none)?;
            matrix.bytes.try_reserve_exact(total).map_err(|_| none())?;
        }
        matrix.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Gives a matrix's memory back, if it was written.
    pub fn forget(&mut self, id: u32) {
        self.matrices.remove(&id);
    }

    /// `y[r, i] = xs[r] · w[job.rows[i]]`, one job after the other.
    ///
    /// # Errors
    /// [`Error::Input`] for a matrix that was never written, here and below.
    pub fn multiply(&self, jobs: &[Job], xs: &[&[f32]], fast: bool, y: &mut [f32]) -> Result<()> {
        let mut inputs = Inputs::new(xs);
        let mut y = y;
        for job in jobs {
            let (own, rest) = y.split_at_mut(xs.len() * job.rows.len());
            self.product(job, &mut inputs, fast, own)?;
            y = rest;
        }
        Ok(())
    }

    /// The same for one of several jobs.
    pub fn product(&self, job: &Job, xs: &mut Inputs, fast: bool, y: &mut [f32]) -> Result<()> {
        self.matrix(job.id)?.multiply(job.rows.clone(), xs, fast, y);
        Ok(())
    }

    /// The weights of a row.
    pub fn unpack_row(&self, id: u32, row: usize, weights: &mut [f32]) -> Result<()> {
        let matrix = self.matrix(id)?;
        matrix.dtype.info().dequantize_row(matrix.row(row), weights);
        Ok(())
    }

    fn matrix(&self, id: u32) -> Result<&Matrix> {
        self.matrices.get(&id).ok_or_else(|| Error::input("matrix", format!("{id} was never written")))
    }
}
