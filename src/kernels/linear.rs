//! Products of rows of activations with a packed weight matrix: row by row while there are few of them, else in panels
//! that are unpacked once for all.

use std::ops::Range;

use crate::{
    panel::{FloatPanel, LevelPanel, Products, TALL, WIDE},
    quant::{ABREAST, DType, Levels, Rows},
};

/// From so many rows on, unpacking a panel pays.
const LEAST_FOR_PANELS: usize = 3;

/// Rows of activations that several matrices are multiplied with.
pub struct Inputs<'a> {
    rows: &'a [&'a [f32]],
    /// As integers, for weights with groups of so many.
    quantized: Option<(usize, Rows)>,
}

impl<'a> Inputs<'a> {
    /// Rows of one length.
    pub fn new(rows: &'a [&'a [f32]]) -> Self {
        Inputs { rows, quantized: None }
    }

    fn quantized(&mut self, levels: &Levels) -> &Rows {
        if self.quantized.as_ref().is_none_or(|(group, _)| *group != levels.group) {
            self.quantized = None;
        }
        let (_, rows) = self.quantized.get_or_insert_with(|| {
            let mut rows = levels.rows(self.rows.len(), self.rows.first().map_or(0, |x| x.len()));
            self.rows.iter().for_each(|x| rows.push(x));
            (levels.group, rows)
        });
        rows
    }
}

/// A weight matrix as its file has it: rows of blocks.
pub struct Matrix {
    /// The type of its weights.
    pub dtype: DType,
    /// Rows.
    pub n_out: usize,
    /// Weights in a row.
    pub n_in: usize,
    /// All rows.
    pub bytes: Vec<u8>,
}

impl Matrix {
    /// Row `i`, packed.
    pub fn row(&self, i: usize) -> &[u8] {
        let n = self.dtype.info().row_bytes(self.n_in);
        &self.bytes[i * n..(i + 1) * n]
    }

    /// `y[r, i] = xs[r] · w[rows[i]]`. Where `fast`, weights that are small integers are multiplied as such.
    ///
    /// # Panics
    /// With `xs` that are not `n_in` long, `rows` that are not there, or `y` that is not `[xs.len(), rows.len()]`.
    pub fn multiply(&self, rows: Range<usize>, xs: &mut Inputs, fast: bool, y: &mut [f32]) {
        let info = self.dtype.info();
        let n = xs.rows.len();
        let Some(levels) = info.levels.as_ref().filter(|_| fast) else {
            let xs = xs.rows;
            if n < LEAST_FOR_PANELS {
                return self.each(rows, y, |w, r| info.dot(w, xs[r]));
            }
            let mut panel = FloatPanel::default();
            return self.in_panels(rows, n, y, |rows, tile| {
                if let Some(rows) = rows {
                    panel.fill(info, self.n_in, rows);
                }
                panel.multiply(tile.map(|r| xs[r]))
            });
        };
        let quantized = xs.quantized(levels);
        if n < LEAST_FOR_PANELS {
            return self.each_few(rows, y, |w, r| (levels.dots)(w, quantized.row(r)));
        }
        let mut panel = LevelPanel::new(levels, self.n_in);
        self.in_panels(rows, n, y, |rows, tile| {
            if let Some(rows) = rows {
                panel.fill(levels, rows);
            }
            panel.multiply(tile.map(|r| quantized.row(r)))
        });
    }

    /// Every row of weights with every row of activations.
    fn each(&self, rows: Range<usize>, y: &mut [f32], mut dot: impl FnMut(&[u8], usize) -> f32) {
        for (i, row) in rows.clone().enumerate() {
            for (r, y) in y.chunks_exact_mut(rows.len()).enumerate() {
                y[i] = dot(self.row(row), r);
            }
        }
    }

    /// The same for [`ABREAST`] rows of weights at a time; the last is repeated where there are fewer.
    fn each_few(
        &self,
        rows: Range<usize>,
        y: &mut [f32],
        mut dots: impl FnMut([&[u8]; ABREAST], usize) -> [f32; ABREAST],
    ) {
        for first in (0..rows.len()).step_by(ABREAST) {
            let width = ABREAST.min(rows.len() - first);
            let few = std::array::from_fn(|i| self.row(rows.start + first + i.min(width - 1)));
            for (r, y) in y.chunks_exact_mut(rows.len()).enumerate() {
                y[first..first + width].copy_from_slice(&dots(few, r)[..width]);
            }
        }
    }

    /// Calls `multiply` for every tile of activations and panel of weights, whose rows it gets with the panel's first tile. Of
    /// the tile it gets the rows' numbers; the last is repeated to make them [`TALL`].
    fn in_panels(
        &self,
        rows: Range<usize>,
        n: usize,
        y: &mut [f32],
        mut multiply: impl FnMut(Option<&[&[u8]]>, [usize; TALL]) -> Products,
    ) {
        let n_rows = rows.len();
        for first in (0..n_rows).step_by(WIDE) {
            let width = WIDE.min(n_rows - first);
            let panel: [&[u8]; WIDE] =
                std::array::from_fn(|i| self.row(rows.start + (first + i).min(n_rows - 1)));
            for top in (0..n).step_by(TALL) {
                let tile = std::array::from_fn(|i| (top + i).min(n - 1));
                let products = multiply(Some(&panel[..width]).filter(|_| top == 0), tile);
                for (r, products) in (top..n).zip(products) {
                    y[r * n_rows + first..][..width].copy_from_slice(&products[..width]);
                }
            }
        }
    }
}
