//! Products of rows of activations with a packed weight matrix: row by row while there are few of them, else in panels
//! that are unpacked once for all.

use super::{
    ops::Matrix,
    panel::{FloatPanel, LevelPanel, TALL, WIDE},
};
use crate::{backend::Precision, quant::Unpacked};

/// From so many rows on, unpacking a panel pays.
const LEAST_FOR_PANELS: usize = 3;

/// Calls `put(r, i, products)` with `xs[r] · w[i..]` for all of them. Weights that are small integers are multiplied as such
/// where `precision` allows.
pub(super) fn multiply(
    matrix: &Matrix,
    xs: &[&[f32]], // [n, n_in]
    precision: Precision,
    mut put: impl FnMut(usize, usize, &[f32]),
) {
    let info = matrix.dtype.info();
    let levels = info.levels.as_ref().filter(|_| precision == Precision::Fast);
    let rows = levels.map(|levels| {
        let mut rows = levels.rows(matrix.n_in);
        xs.iter().for_each(|x| rows.push(x));
        rows
    });
    match (levels, &rows) {
        (Some(levels), Some(rows)) if xs.len() < LEAST_FOR_PANELS => {
            let mut scratch = Unpacked::default();
            each(matrix, xs.len(), put, |w, r| (levels.dot)(w, rows.row(r), &mut scratch));
        }
        (Some(levels), Some(rows)) => {
            let mut panel = LevelPanel::new(levels, matrix.n_in);
            for first in (0..matrix.n_out).step_by(WIDE) {
                panel.fill(levels, (first..matrix.n_out).map(|i| matrix.row(i)));
                let width = WIDE.min(matrix.n_out - first);
                tiles(xs.len(), |tile, n| {
                    let products = panel.multiply(tile.map(|r| rows.row(r)));
                    products[..n].iter().zip(tile).for_each(|(y, r)| put(r, first, &y[..width]));
                });
            }
        }
        _ if xs.len() < LEAST_FOR_PANELS => each(matrix, xs.len(), put, |w, r| info.dot(w, xs[r])),
        _ => {
            let mut panel = FloatPanel::default();
            for first in (0..matrix.n_out).step_by(WIDE) {
                panel.fill(info, matrix.n_in, (first..matrix.n_out).map(|i| matrix.row(i)));
                let width = WIDE.min(matrix.n_out - first);
                tiles(xs.len(), |tile, n| {
                    let products = panel.multiply(tile.map(|r| xs[r]));
                    products[..n].iter().zip(tile).for_each(|(y, r)| put(r, first, &y[..width]));
                });
            }
        }
    }
}

/// Every row of weights with every row of activations.
fn each(
    matrix: &Matrix,
    n: usize,
    mut put: impl FnMut(usize, usize, &[f32]),
    mut dot: impl FnMut(&[u8], usize) -> f32,
) {
    for i in 0..matrix.n_out {
        for r in 0..n {
            put(r, i, &[dot(matrix.row(i), r)]);
        }
    }
}

/// Calls `f` with the numbers of [`TALL`] rows and how many of them count: the last are repeated to make them so many.
fn tiles(n: usize, mut f: impl FnMut([usize; TALL], usize)) {
    for first in (0..n).step_by(TALL) {
        f(std::array::from_fn(|i| (first + i).min(n - 1)), TALL.min(n - first));
    }
}
