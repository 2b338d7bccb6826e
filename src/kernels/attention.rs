//! The sums of attention: queries by keys, and weights by values, for a few queries at a time that share the loads.

use std::array::from_fn;

use crate::lanes::{self, F32x4};

/// The most queries of one call.
pub const MOST_QUERIES: usize = 4;

/// Keys or values of one head among the rows of a cache.
pub struct Rows<'a> {
    /// All numbers.
    pub numbers: &'a [f32],
    /// From one row to the next.
    pub stride: usize,
    /// Where the head begins in a row.
    pub offset: usize,
    /// Which rows they are.
    pub places: Places<'a>,
}

/// Which rows.
#[derive(Clone, Copy)]
pub enum Places<'a> {
    /// One after the other, from this one on.
    From(usize),
    /// By number.
    Slots(&'a [u32]),
}

/// `scores[i][t] = q[i] · key(t)`, for one, two or four queries: `scores` is `[queries, keys]`.
///
/// # Panics
/// For another number of queries, or with rows that are not there.
pub fn products(queries: &[&[f32]], keys: &Rows, scores: &mut [f32]) {
    match queries {
        [q] => products_of([*q], keys, scores),
        [a, b] => products_of([*a, *b], keys, scores),
        [a, b, c, d] => products_of([*a, *b, *c, *d], keys, scores),
        _ => panic!("{} queries", queries.len()),
    }
}

/// `y[i] = Σ weights[i][t] value(t)`: `weights` is `[queries, values]`, `y` is `[queries, numbers of a value]`.
///
/// # Panics
/// As [`products`].
pub fn mix(n_queries: usize, weights: &[f32], values: &Rows, y: &mut [f32]) {
    match n_queries {
        1 => mix_of::<1>(weights, values, y),
        2 => mix_of::<2>(weights, values, y),
        4 => mix_of::<4>(weights, values, y),
        n => panic!("{n} queries"),
    }
}

/// To weights whose sum is one. A sink takes its part and is dropped.
pub fn softmax(x: &mut [f32], sink: Option<f32>) {
    let max = lanes::largest(x, sink.unwrap_or(f32::NEG_INFINITY), |x| x);
    lanes::map(x, |x| (x - F32x4::splat(max)).exp());
    let sum = lanes::sum(x) + sink.map_or(0.0, |sink| (sink - max).exp());
    let part = 1.0 / sum;
    x.iter_mut().for_each(|x| *x *= part);
}

/// Calls `f` with a way to find each row, made for how they lie.
macro_rules! with_rows {
    ($rows:expr, $d:expr, |$row:ident| $body:expr) => {{
        let (Rows { numbers, stride, offset, .. }, d) = ($rows, $d);
        match $rows.places {
            Places::From(first) => {
                let $row = |t: usize| &numbers[(first + t) * stride + offset..][..d];
                $body
            }
            Places::Slots(slots) => {
                let $row = |t: usize| &numbers[slots[t] as usize * stride + offset..][..d];
                $body
            }
        }
    }};
}

fn products_of<const T: usize>(qs: [&[f32]; T], keys: &Rows, scores: &mut [f32]) {
    with_rows!(keys, qs[0].len(), |key| multiply(qs, key, scores));
}

fn mix_of<const T: usize>(weights: &[f32], values: &Rows, ys: &mut [f32]) {
    with_rows!(values, ys.len() / T, |value| add::<T>(weights, value, ys));
}

/// Two keys at a time.
#[inline(always)]
fn multiply<'a, const T: usize>(qs: [&[f32]; T], key: impl Fn(usize) -> &'a [f32], scores: &mut [f32]) {
    let n = scores.len() / T;
    let qs = qs.map(|q| q.as_chunks::<4>());
    for t in (0..n).step_by(2) {
        let keys = [t, (t + 1).min(n - 1)].map(|t| key(t).as_chunks::<4>());
        let mut sums = [[F32x4::splat(0.0); 2]; T];
        for (c, (a, b)) in keys[0].0.iter().zip(keys[1].0).enumerate() {
            let (a, b) = (F32x4::load(a), F32x4::load(b));
            for (sums, (q, _)) in sums.iter_mut().zip(qs) {
                let q = F32x4::load(&q[c]);
                *sums = [sums[0] + q * a, sums[1] + q * b];
            }
        }
        for (i, (sums, (_, q_rest))) in sums.into_iter().zip(qs).enumerate() {
            for (j, (sum, (_, rest))) in sums.into_iter().zip(keys).enumerate().take(n - t) {
                let rest: f32 = q_rest.iter().zip(rest).map(|(q, k)| q * k).sum();
                scores[i * n + t + j] = sum.total() + rest;
            }
        }
    }
}

/// Eight numbers of a value at a time.
#[inline(always)]
fn add<'a, const T: usize>(weights: &[f32], value: impl Fn(usize) -> &'a [f32], ys: &mut [f32]) {
    let (n, d) = (weights.len() / T, ys.len() / T);
    let weights: [&[f32]; T] = from_fn(|i| &weights[i * n..][..n]);
    let whole = d / 8 * 8;
    for first in (0..whole).step_by(8) {
        let mut sums = [[F32x4::splat(0.0); 2]; T];
        for t in 0..n {
            let v = value(t)[first..first + 8].as_chunks::<4>().0;
            let v = [F32x4::load(&v[0]), F32x4::load(&v[1])];
            for (sums, weights) in sums.iter_mut().zip(weights) {
                let weight = F32x4::splat(weights[t]);
                *sums = [sums[0] + weight * v[0], sums[1] + weight * v[1]];
            }
        }
        for (i, sums) in sums.into_iter().enumerate() {
            let y = ys[i * d + first..][..8].as_chunks_mut::<4>().0.iter_mut();
            y.zip(sums).for_each(|(y, sum)| *y = sum.to_array());
        }
    }
    for (i, weights) in weights.into_iter().enumerate() {
        let rest = &mut ys[i * d + whole..(i + 1) * d];
        rest.fill(0.0);
        for (t, weight) in weights.iter().enumerate() {
            rest.iter_mut().zip(&value(t)[whole..]).for_each(|(y, v)| *y += weight * v);
        }
    }
}
