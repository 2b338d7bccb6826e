//! Panels: [`WIDE`] rows of a weight matrix, unpacked and interleaved so that a vector holds the same column of several
//! rows. Sums then need no adding across a vector, and a weight is unpacked once for all rows of activations. Register tiles of
//! [`TALL`] by [`WIDE`] sums, as in Goto & van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008).

use std::array::from_fn;

use crate::{
    lanes::{F32x4, I16x8, I32x4},
    quant::{CHUNK, Levels, QuantizedRow, TypeInfo, Unpacked},
};

/// Rows of weights in a panel.
pub const WIDE: usize = 8;
/// Rows of activations that a panel is multiplied with at a time.
pub const TALL: usize = 4;

/// What a panel puts out for a tile.
pub type Products = [[f32; WIDE]; TALL];

/// Weights as floats.
#[derive(Default)]
pub struct FloatPanel {
    columns: Vec<[f32; WIDE]>, // [n_in]
    row: Vec<f32>,
}

impl FloatPanel {
    /// Unpacks at most [`WIDE`] rows; behind the last come zeros.
    pub fn fill(&mut self, info: &TypeInfo, n_in: usize, rows: &[&[u8]]) {
        self.columns.clear();
        self.columns.resize(n_in, [0.0; WIDE]);
        self.row.resize(n_in, 0.0);
        for (i, row) in rows.iter().enumerate() {
            info.dequantize_row(row, &mut self.row);
            self.columns.iter_mut().zip(&self.row).for_each(|(column, w)| column[i] = *w);
        }
    }

    /// By rows of activations of `n_in` numbers.
    pub fn multiply(&self, xs: [&[f32]; TALL]) -> Products {
        totals(multiply_floats(&self.columns, xs))
    }
}

fn totals(sums: [[F32x4; WIDE / 4]; TALL]) -> Products {
    sums.map(|sums| {
        let mut y = [0.0; WIDE];
        y.as_chunks_mut().0.iter_mut().zip(sums).for_each(|(y, sum)| *y = sum.to_array());
        y
    })
}

#[inline(always)]
fn multiply_floats(columns: &[[f32; WIDE]], xs: [&[f32]; TALL]) -> [[F32x4; WIDE / 4]; TALL] {
    let mut sums = [[F32x4::splat(0.0); WIDE / 4]; TALL];
    let xs = xs.map(|x| &x[..columns.len()]);
    for (k, column) in columns.iter().enumerate() {
        let w: [_; WIDE / 4] = from_fn(|i| F32x4::load(&column.as_chunks().0[i]));
        for (sums, x) in sums.iter_mut().zip(xs) {
            let x = F32x4::splat(x[k]);
            sums.iter_mut().zip(w).for_each(|(sum, w)| *sum = *sum + w * x);
        }
    }
    sums
}

/// Weights as small integers.
pub struct LevelPanel {
    /// Two columns at a time: `[n_in / 2][rows][2]`.
    pairs: Vec<[i16; 2 * WIDE]>,
    /// `[n_in / group][rows]`.
    scales: Vec<[f32; WIDE]>,
    /// Likewise; empty where the type has none.
    mins: Vec<[f32; WIDE]>,
    group: usize,
    unpacked: [Unpacked; WIDE],
}

impl LevelPanel {
    /// Room for rows of `n_in` weights.
    pub fn new(levels: &Levels, n_in: usize) -> LevelPanel {
        let n_groups = n_in / levels.group;
        LevelPanel {
            pairs: vec![[0; 2 * WIDE]; n_in / 2],
            scales: vec![[0.0; WIDE]; n_groups],
            mins: vec![[0.0; WIDE]; if levels.has_mins { n_groups } else { 0 }],
            group: levels.group,
            unpacked: Default::default(),
        }
    }

    /// Unpacks at most [`WIDE`] rows; behind the last stands what was there before.
    pub fn fill(&mut self, levels: &Levels, rows: &[&[u8]]) {
        let n_chunks = (2 * self.pairs.len()).div_ceil(CHUNK);
        let mut rows: [&[u8]; WIDE] = from_fn(|i| rows.get(i).copied().unwrap_or_default());
        let chunk_bytes = rows[0].len() * CHUNK / (2 * self.pairs.len());
        for c in 0..n_chunks {
            for (row, unpacked) in rows.iter_mut().zip(&mut self.unpacked) {
                let (chunk, rest) = row.split_at(chunk_bytes.min(row.len()));
                (levels.unpack)(chunk, unpacked);
                *row = rest;
            }
            self.interleave(c);
        }
    }

    /// Chunk `c` of all rows, once they are unpacked.
    fn interleave(&mut self, c: usize) {
        let pairs = self.pairs[c * (CHUNK / 2)..].as_chunks_mut::<4>().0.iter_mut().take(CHUNK / 8);
        for (p, pairs) in pairs.enumerate() {
            for half in 0..WIDE / 4 {
                let rows = from_fn(|i| I16x8::load_i8(&self.unpacked[4 * half + i].levels.as_chunks().0[p]));
                for (pair, column) in pairs.iter_mut().zip(I16x8::transpose(rows)) {
                    column.store(&mut pair.as_chunks_mut().0[half]);
                }
            }
        }
        let first = c * (CHUNK / self.group);
        for (g, scales) in self.scales[first..].iter_mut().take(CHUNK / self.group).enumerate() {
            *scales = from_fn(|i| self.unpacked[i].scales[g]);
        }
        for (g, mins) in self.mins.iter_mut().skip(first).take(CHUNK / self.group).enumerate() {
            *mins = from_fn(|i| self.unpacked[i].mins[g]);
        }
    }

    /// By rows of activations that were quantized for the type.
    pub fn multiply(&self, xs: [QuantizedRow; TALL]) -> Products {
        let sums = match self.group {
            16 => self.multiply_groups::<8>(xs),
            _ => self.multiply_groups::<16>(xs),
        };
        let mut products = totals(sums);
        if !self.mins.is_empty() {
            let mins = totals(multiply_floats(&self.mins, xs.map(|x| x.sums)));
            products.as_flattened_mut().iter_mut().zip(mins.as_flattened()).for_each(|(y, min)| *y -= min);
        }
        products
    }

    /// With `N` pairs to a group.
    #[inline(always)]
    fn multiply_groups<const N: usize>(&self, xs: [QuantizedRow; TALL]) -> [[F32x4; WIDE / 4]; TALL] {
        let mut sums = [[F32x4::splat(0.0); WIDE / 4]; TALL];
        let groups = self.pairs.as_chunks::<N>().0;
        let xs_pairs = xs.map(|x| &x.levels.as_chunks::<2>().0.as_chunks::<N>().0[..groups.len()]);
        for (g, (pairs, scales)) in groups.iter().zip(&self.scales).enumerate() {
            let mut products = [[I32x4::zero(); WIDE / 4]; TALL];
            for (p, pair) in pairs.iter().enumerate() {
                let w: [_; WIDE / 4] = from_fn(|i| I16x8::load(&pair.as_chunks().0[i]));
                for (products, x) in products.iter_mut().zip(xs_pairs) {
                    let x = I16x8::splat_pair(x[g][p]);
                    products.iter_mut().zip(w).for_each(|(product, w)| *product = *product + w.dot(x));
                }
            }
            let chunk = g / (CHUNK / 2 / N);
            let w: [_; WIDE / 4] = from_fn(|i| F32x4::load(&scales.as_chunks().0[i]));
            for ((sums, products), x) in sums.iter_mut().zip(products).zip(xs) {
                let x = F32x4::splat(x.scales[chunk]);
                for ((sum, product), w) in sums.iter_mut().zip(products).zip(w) {
                    *sum = *sum + product.to_f32() * (w * x);
                }
            }
        }
        sums
    }
}
