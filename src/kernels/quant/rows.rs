//! Activations as integers of 16 bits, for products with weights that are [`super::Levels`].

use super::CHUNK;
use crate::lanes::{F32x4, I16x8};

/// Rows of activations. Every [`CHUNK`] numbers of a row share a scale: what a scale for the whole row would lose beside
/// one large number, as the inputs of feed-forward layers have, costs only its own chunk. 15 bits and a sign are left of
/// each number, and the sum of 32 products with levels of 8 bits fits into 32 bits.
pub struct Rows {
    n_in: usize,
    group: usize,
    levels: Vec<i16>, // [rows, n_in]
    scales: Vec<f32>, // [rows, chunks]
    sums: Vec<f32>,   // [rows, n_in / group]
}

/// One of them.
#[derive(Clone, Copy)]
pub struct QuantizedRow<'a> {
    /// The numbers, in units of their chunk's scale.
    pub levels: &'a [i16],
    /// A scale for every [`CHUNK`].
    pub scales: &'a [f32],
    /// The sum of every group's numbers, for the weights' minima.
    pub sums: &'a [f32],
}

impl Rows {
    /// Room for `n` rows of `n_in` numbers, a multiple of `group`, which is one of 8.
    pub fn new(n: usize, n_in: usize, group: usize) -> Rows {
        Rows {
            n_in,
            group,
            levels: Vec::with_capacity(n * n_in),
            scales: Vec::with_capacity(n * n_in.div_ceil(CHUNK)),
            sums: Vec::with_capacity(n * n_in / group),
        }
    }

    /// Adds a row. Where a chunk holds NaN or infinity its scale is NaN, and so is every product.
    pub fn push(&mut self, x: &[f32]) {
        for chunk in x.chunks(CHUNK) {
            let (mut max, mut finite) = (F32x4::splat(0.0), true);
            for group in chunk.chunks(self.group) {
                let (mut sum, mut most) = (F32x4::splat(0.0), F32x4::splat(0.0));
                for x in group.as_chunks().0 {
                    let x = F32x4::load(x);
                    (sum, most) = (sum + x, most.max(x.abs()));
                }
                let sum = sum.total();
                finite &= sum.is_finite();
                max = max.max(most);
                self.sums.push(sum);
            }
            let max = max.largest();
            let inverse = if max == 0.0 { 0.0 } else { LIMIT / max };
            self.scales.push(if finite { max / LIMIT } else { f32::NAN });
            let first = self.levels.len();
            self.levels.resize(first + chunk.len(), 0);
            let levels = self.levels[first..].as_chunks_mut::<8>().0;
            for (levels, x) in levels.iter_mut().zip(chunk.as_chunks::<8>().0) {
                let level = |i: usize| F32x4::load(&x.as_chunks().0[i]) * F32x4::splat(inverse);
                I16x8::rounded(level(0), level(1)).store(levels);
            }
        }
    }

    /// Row `r`.
    pub fn row(&self, r: usize) -> QuantizedRow<'_> {
        let (n_scales, n_sums) = (self.n_in.div_ceil(CHUNK), self.n_in / self.group);
        QuantizedRow {
            levels: &self.levels[r * self.n_in..][..self.n_in],
            scales: &self.scales[r * n_scales..][..n_scales],
            sums: &self.sums[r * n_sums..][..n_sums],
        }
    }
}

const LIMIT: f32 = i16::MAX as f32;
