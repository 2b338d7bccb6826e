//! Attention by its formula, a few queries at a time.

use std::{array::from_fn, ops::Range};

use super::ops::Memory;
use crate::{
    lanes::{self, F32x4},
    plan::{AttentionShape, Keys, Run, Value},
};

/// What an attention reads: see [`crate::plan::Op::Attention`].
pub(super) struct Inputs {
    pub q: Value,
    pub k: Value,
    pub v: Value,
    pub shape: AttentionShape,
    pub keys: Keys,
    pub bias: Option<Value>,
    pub sinks: Option<Value>,
}

/// `[first, end]` of a row's span.
pub(super) fn span(words: &[u32]) -> (usize, usize) {
    (words[0] as usize, words[1] as usize)
}

/// The keys that a row sees.
enum Seen<'a> {
    /// Rows of `k` that follow each other.
    Rows(Range<usize>),
    /// Rows by number.
    Slots(&'a [u32]),
}

/// The keys that row `r` sees, and how far the first is from the row's own place, which may be negative.
fn visible<'a>(m: &'a Memory, inputs: &Inputs, run: &Run, r: usize) -> (Seen<'a>, isize) {
    let window = inputs.shape.window.unwrap_or(usize::MAX);
    match inputs.keys {
        Keys::Causal => {
            let end = run.pos as usize + r + 1;
            let first = end.saturating_sub(window);
            (Seen::Rows(first..end), first as isize + 1 - end as isize)
        }
        Keys::Table(table) => {
            let row = m.words(table, r);
            let end = row[0] as usize;
            let first = end.saturating_sub(window);
            (Seen::Slots(&row[1 + first..1 + end]), first as isize + 1 - end as isize)
        }
        Keys::Spans(spans) => {
            let (first, end) = span(m.words(spans, r));
            let first = first.max((r + 1).saturating_sub(window));
            let end = end.min(r.saturating_add(window)).max(first);
            (Seen::Rows(first..end), first as isize - r as isize)
        }
        Keys::All => (Seen::Rows(0..run.n_keys as usize), 0),
    }
}

/// `y = softmax(scale q k + bias) v` for every row and head.
pub(super) fn attend(m: &Memory, inputs: &Inputs, run: &Run, n_rows: usize, y: &mut [f32], y_stride: usize) {
    let shape = &inputs.shape;
    let group = shape.n_heads / shape.n_kv_heads;
    let mut tile = Tile { m, inputs, run, y, y_stride, scores: Vec::new(), output: Vec::new() };
    for kv_head in 0..shape.n_kv_heads {
        let query = |i: usize| Query { row: i / group, head: kv_head * group + i % group };
        let n = n_rows * group;
        // Queries of different rows with lists of slots have no keys in common.
        let most = if matches!(inputs.keys, Keys::Table(_)) { 1 } else { n };
        match most {
            1 => (0..n).for_each(|i| tile.attend([query(i)], kv_head)),
            2 => (0..n).step_by(2).for_each(|i| tile.attend([i, i + 1].map(query), kv_head)),
            _ => {
                for first in (0..n).step_by(4) {
                    tile.attend(from_fn::<_, 4, _>(|i| query((first + i).min(n - 1))), kv_head);
                }
            }
        }
    }
}

/// One head of one row.
#[derive(Clone, Copy)]
struct Query {
    row: usize,
    head: usize,
}

/// A few queries at a time: they share the loads of their keys and values.
struct Tile<'a> {
    m: &'a Memory<'a>,
    inputs: &'a Inputs,
    run: &'a Run,
    y: &'a mut [f32],
    y_stride: usize,
    scores: Vec<f32>, // [queries, keys]
    output: Vec<f32>, // [queries, head_dim]
}

impl Tile<'_> {
    fn attend<const T: usize>(&mut self, queries: [Query; T], kv_head: usize) {
        let d = self.inputs.shape.head_dim;
        let (k, v) = (self.m.floats(self.inputs.k), self.m.floats(self.inputs.v));
        let strides = [self.inputs.k, self.inputs.v].map(|value| self.m.plan[value].stride());
        let qs = queries.map(|query| &self.m.row(self.inputs.q, query.row)[query.head * d..][..d]);
        let seen = queries.map(|query| visible(self.m, self.inputs, self.run, query.row));
        let mut ys = std::mem::take(&mut self.output);
        ys.resize(T * d, 0.0);
        match &seen[0].0 {
            Seen::Slots(slots) => {
                let place = |t: usize, stride: usize| slots[t] as usize * stride + kv_head * d;
                self.scores.resize(slots.len(), 0.0);
                products(qs, |t| &k[place(t, strides[0])..][..d], &mut self.scores);
                self.weigh(queries[0], 0..slots.len(), seen[0].1);
                mix::<T>(&self.scores, |t| &v[place(t, strides[1])..][..d], &mut ys);
            }
            Seen::Rows(_) => {
                let ranges = seen.each_ref().map(|(seen, _)| match seen {
                    Seen::Rows(rows) => rows.clone(),
                    Seen::Slots(_) => 0..0, // all rows of a run see alike
                });
                let first = ranges.iter().map(|rows| rows.start).min().unwrap_or(0);
                let n = ranges.iter().map(|rows| rows.end).max().unwrap_or(0) - first;
                let place = |t: usize, stride: usize| (first + t) * stride + kv_head * d;
                self.scores.resize(T * n, 0.0);
                products(qs, |t| &k[place(t, strides[0])..][..d], &mut self.scores);
                for (i, (rows, query)) in ranges.into_iter().zip(queries).enumerate() {
                    let own = i * n + rows.start - first..i * n + rows.end - first;
                    self.scores[i * n..own.start].fill(0.0);
                    self.scores[own.end..(i + 1) * n].fill(0.0);
                    self.weigh(query, own, seen[i].1);
                }
                mix::<T>(&self.scores, |t| &v[place(t, strides[1])..][..d], &mut ys);
            }
        }
        for (query, y) in queries.into_iter().zip(ys.chunks_exact(d)) {
            self.y[query.row * self.y_stride + query.head * d..][..d].copy_from_slice(y);
        }
        self.output = ys;
    }

    /// Products in `own` of the scores to the weights of a query's values; the first key is `distance` from its own place.
    fn weigh(&mut self, query: Query, own: Range<usize>, distance: isize) {
        let Inputs { shape, keys, bias, sinks, .. } = self.inputs;
        let scores = &mut self.scores[own];
        scores.iter_mut().for_each(|score| *score *= shape.scale);
        if let Some(cap) = shape.softcap {
            scores.iter_mut().for_each(|score| *score = cap * (*score / cap).tanh());
        }
        if let Some(bias) = *bias {
            let row = self.m.row(bias, query.head);
            let own = match keys {
                Keys::Causal | Keys::Table(_) => row.len() - 1,
                Keys::Spans(_) | Keys::All => (row.len() - 1) / 2,
            };
            let first = own.saturating_add_signed(distance);
            scores.iter_mut().zip(&row[first..]).for_each(|(score, bias)| *score += bias);
        }
        softmax(scores, sinks.map(|sinks| self.m.row(sinks, 0)[query.head]));
    }
}

/// `scores[i][t] = q[i] · key(t)`, two keys at a time.
#[inline(always)]
fn products<'a, const T: usize>(qs: [&[f32]; T], key: impl Fn(usize) -> &'a [f32], scores: &mut [f32]) {
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

/// `y[i] = Σ weights[i][t] value(t)`, eight numbers of a value at a time.
#[inline(always)]
fn mix<'a, const T: usize>(weights: &[f32], value: impl Fn(usize) -> &'a [f32], ys: &mut [f32]) {
    let (n, d) = (weights.len() / T, ys.len() / T);
    let weights: [&[f32]; T] = from_fn(|i| &weights[i * n..][..n]);
    for first in (0..d / 8 * 8).step_by(8) {
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
        let rest = &mut ys[i * d + d / 8 * 8..(i + 1) * d];
        rest.fill(0.0);
        for (t, weight) in weights.iter().enumerate() {
            rest.iter_mut().zip(&value(t)[d / 8 * 8..]).for_each(|(y, v)| *y += weight * v);
        }
    }
}

/// A sink takes its part and is dropped.
fn softmax(x: &mut [f32], sink: Option<f32>) {
    let max = lanes::largest(x, sink.unwrap_or(f32::NEG_INFINITY), |x| x);
    lanes::map(x, |x| (x - F32x4::splat(max)).exp());
    let sum = lanes::sum(x) + sink.map_or(0.0, |sink| (sink - max).exp());
    let part = 1.0 / sum;
    x.iter_mut().for_each(|x| *x *= part);
}
