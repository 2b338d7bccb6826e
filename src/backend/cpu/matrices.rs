//! All matrices of a model, dealt out among this thread and its helpers.

use std::{cell::RefCell, collections::HashMap, ops::Range};

use intab_kernels::linear::Inputs;

use super::{
    ops::room,
    team::{Job, MOST_JOBS, Member, Shape, Team},
};
use crate::{
    backend::{WeightSpec, no_such},
    error::{Error, Result},
};

/// Rows go to the threads by turns, so many at a time: two panels of the kernels. So every part of a matrix, as an expert's,
/// is spread over all.
const BLOCK: usize = 16;

/// `y[r, i] = xs[r] · w[rows[i]]`; `y` is `[xs.len(), rows.len()]`.
pub(super) struct Product<'a> {
    /// The matrix's name.
    pub w: &'a str,
    pub rows: Range<usize>,
    pub y: &'a mut [f32],
}

/// The matrices by name.
#[derive(Default)]
pub(super) struct Matrices {
    known: HashMap<String, (u32, Shape)>,
    /// Matrices that were ever written.
    n_written: u32,
    own: Member,
    pub(super) team: Option<Box<dyn Team>>,
    /// Memory for a thread's results.
    pub(super) spare: RefCell<Vec<f32>>,
    /// What a helper failed with. Products mean nothing from then on, and no run succeeds.
    fault: RefCell<Option<Error>>,
}

impl Matrices {
    pub fn with(team: Option<Box<dyn Team>>) -> Matrices {
        Matrices { team: team.filter(|team| team.n_helpers() > 0), ..Matrices::default() }
    }

    /// This thread among them, as number 0.
    pub fn n_threads(&self) -> usize {
        1 + self.team.as_ref().map_or(0, |team| team.n_helpers())
    }

    /// Bytes of each matrix, wherever its rows are.
    pub fn sizes(&self) -> impl Iterator<Item = usize> {
        self.known.values().map(|(_, shape)| shape.n_out * shape.dtype.info().row_bytes(shape.n_in))
    }

    /// The shape of a matrix that was written.
    pub fn shape(&self, name: &str) -> Option<Shape> {
        self.known.get(name).map(|(_, shape)| *shape)
    }

    /// See [`crate::backend::Backend::write_weight`].
    pub fn write(&mut self, spec: &WeightSpec, first_row: usize, bytes: &[u8]) -> Result<()> {
        if first_row == 0 {
            self.forget(spec.name);
            let shape = Shape { dtype: spec.dtype, n_out: spec.rows, n_in: spec.cols };
            self.known.insert(spec.name.to_owned(), (self.n_written, shape));
            self.n_written += 1;
        }
        let (id, shape) = self.known.get(spec.name).copied().ok_or_else(|| no_such("weight", spec.name))?;
        if self.team.is_none() {
            return self.own.write(id, shape, bytes);
        }
        let row_bytes = spec.dtype.info().row_bytes(spec.cols);
        let rows = first_row..first_row + bytes.len() / row_bytes;
        for thread in 0..self.n_threads() {
            let part = Shape { n_out: self.before(thread, spec.rows), ..shape };
            let helper = match (thread.checked_sub(1), &self.team) {
                (Some(helper), Some(team)) => Some((helper, team)),
                _ => None,
            };
            let mut own = Vec::new();
            for block in self.blocks(thread, rows.clone()) {
                let block = (block.start - first_row) * row_bytes..(block.end - first_row) * row_bytes;
                own.extend_from_slice(&bytes[block]);
            }
            match helper {
                _ if own.is_empty() => {}
                None => self.own.write(id, part, &own)?,
                Some((helper, team)) => {
                    let most =
                        (team.most_numbers().saturating_mul(4) / row_bytes).max(1).saturating_mul(row_bytes);
                    own.chunks(most).try_for_each(|own| team.write(helper, id, part, own))?;
                }
            }
        }
        Ok(())
    }

    /// Gives a matrix's memory back, on every thread.
    pub fn forget(&mut self, name: &str) {
        let Some((id, _)) = self.known.remove(name) else { return };
        self.own.forget(id);
        self.noting(|| match &self.team {
            Some(team) => (0..team.n_helpers()).try_for_each(|helper| team.forget(helper, id)),
            None => Ok(()),
        });
    }

    /// The weights of a row.
    pub fn unpack_row(&self, name: &str, row: usize, weights: &mut [f32]) {
        let (id, _) = self.known[name];
        let thread = row / BLOCK % self.n_threads();
        let row = self.before(thread, row);
        self.noting(|| match (thread.checked_sub(1), &self.team) {
            (Some(helper), Some(team)) => team.unpack_row(helper, id, row, weights),
            _ => self.own.unpack_row(id, row, weights),
        });
    }

    /// See [`Product`]: all of them by the same rows, which may be quantized if `fast`.
    pub fn multiply(&self, products: &mut [Product], xs: &[&[f32]], fast: bool) {
        self.noting(|| match &self.team {
            Some(team) => {
                products.chunks_mut(MOST_JOBS).try_for_each(|few| self.together(team.as_ref(), few, xs, fast))
            }
            None => {
                let mut inputs = Inputs::new(xs);
                products.iter_mut().try_for_each(|Product { w, rows, y }| {
                    let job = Job { id: self.known[*w].0, rows: rows.clone() };
                    self.own.product(&job, &mut inputs, fast, y)
                })
            }
        });
    }

    /// As many rows at a time as the team takes.
    fn together(&self, team: &dyn Team, products: &mut [Product], xs: &[&[f32]], fast: bool) -> Result<()> {
        let n_in = xs.first().map_or(0, |x| x.len());
        let n_out = products.iter().map(|product| product.rows.len()).sum::<usize>();
        let at_a_time = (team.most_numbers() / n_in.max(n_out)).max(1);
        let mut spare = self.spare.borrow_mut();
        for (c, xs) in xs.chunks(at_a_time).enumerate() {
            let jobs_of = |thread| -> Vec<Job> {
                let own =
                    |rows: &Range<usize>| self.before(thread, rows.start)..self.before(thread, rows.end);
                let job = |product: &Product| Job { id: self.known[product.w].0, rows: own(&product.rows) };
                products.iter().map(job).filter(|job| !job.rows.is_empty()).collect()
            };
            let own = jobs_of(0);
            let jobs: Vec<Vec<Job>> = (1..self.n_threads()).map(jobs_of).collect();
            team.start(&jobs, xs, fast);
            for (thread, jobs) in std::iter::once(&own).chain(&jobs).enumerate() {
                let n_rows: usize = jobs.iter().map(|job| job.rows.len()).sum();
                let mut part = room(&mut spare, xs.len() * n_rows);
                match thread.checked_sub(1) {
                    _ if n_rows == 0 => continue,
                    None => self.own.multiply(jobs, xs, fast, part)?,
                    Some(helper) => team.finish(helper, part)?,
                }
                for Product { rows, y, .. } in products.iter_mut() {
                    let n =
                        xs.len() * self.blocks(thread, rows.clone()).map(|block| block.len()).sum::<usize>();
                    let (own, rest) = part.split_at_mut(n);
                    let first = c * at_a_time * rows.len();
                    self.put(thread, rows, own, &mut y[first..][..xs.len() * rows.len()]);
                    part = rest;
                }
            }
        }
        Ok(())
    }

    /// Puts a thread's products where they belong among those of `rows`.
    fn put(&self, thread: usize, rows: &Range<usize>, mut part: &[f32], y: &mut [f32]) {
        let blocks: Vec<Range<usize>> = self.blocks(thread, rows.clone()).collect();
        for y in y.chunks_exact_mut(rows.len()) {
            for block in &blocks {
                let (products, rest) = part.split_at(block.len());
                let y = &mut y[block.start - rows.start..block.end - rows.start];
                match (<&mut [f32; BLOCK]>::try_from(&mut *y), products.try_into()) {
                    // Most have one length, which then takes no loop.
                    (Ok(y), Ok(products)) => *y = products,
                    _ => y.copy_from_slice(products),
                }
                part = rest;
            }
        }
    }

    /// How many of the rows below `row` a thread has.
    fn before(&self, thread: usize, row: usize) -> usize {
        let round = BLOCK * self.n_threads();
        row / round * BLOCK + (row % round).saturating_sub(thread * BLOCK).min(BLOCK)
    }

    /// Which of `rows` a thread has.
    fn blocks(&self, thread: usize, rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let round = BLOCK * self.n_threads();
        let first = rows.start / round * round + thread * BLOCK;
        let block = move |start: usize| start.max(rows.start)..(start + BLOCK).min(rows.end);
        (first..rows.end).step_by(round).map(block).filter(|block| !block.is_empty())
    }

    /// Runs `f` unless a helper has failed, and notes it if one does.
    pub(super) fn noting(&self, f: impl FnOnce() -> Result<()>) {
        let mut fault = self.fault.borrow_mut();
        if fault.is_none() {
            *fault = f().err();
        }
    }

    /// # Errors
    /// What a helper failed with.
    pub fn check(&self) -> Result<()> {
        self.fault.borrow().clone().map_or(Ok(()), Err)
    }
}
