//! Attention of one row, by its formula.

use super::ops::Memory;
use crate::{
    lanes::{self, F32x4},
    plan::{AttentionShape, Keys, Run, Value},
    quant::dot_f32,
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

/// The keys that row `r` sees, as rows of `k`, and how far the first is from the row's own place, which may be negative.
fn visible(m: &Memory, inputs: &Inputs, run: &Run, r: usize) -> (Vec<usize>, isize) {
    let window = inputs.shape.window.unwrap_or(usize::MAX);
    match inputs.keys {
        Keys::Causal => {
            let end = run.pos as usize + r + 1;
            let first = end.saturating_sub(window);
            ((first..end).collect(), first as isize + 1 - end as isize)
        }
        Keys::Table(table) => {
            let row = m.words(table, r);
            let end = row[0] as usize;
            let first = end.saturating_sub(window);
            let slots = row[1 + first..1 + end].iter().map(|slot| *slot as usize);
            (slots.collect(), first as isize + 1 - end as isize)
        }
        Keys::Spans(spans) => {
            let (first, end) = span(m.words(spans, r));
            let first = first.max((r + 1).saturating_sub(window));
            let end = end.min(r.saturating_add(window));
            ((first..end).collect(), first as isize - r as isize)
        }
        Keys::All => ((0..run.n_keys as usize).collect(), 0),
    }
}

/// Row `r`: `y = softmax(scale q k + bias) v` head by head. `scores` is memory to work in.
#[inline(never)]
pub(super) fn attend(
    m: &Memory,
    inputs: &Inputs,
    run: &Run,
    r: usize,
    scores: &mut Vec<f32>,
    y: &mut [f32], // [n_heads * head_dim]
) {
    let shape = &inputs.shape;
    let d = shape.head_dim;
    let group = shape.n_heads / shape.n_kv_heads;
    let (keys, distance) = visible(m, inputs, run, r);
    let (k, v) = (m.floats(inputs.k), m.floats(inputs.v));
    let (k_stride, v_stride) = (m.plan[inputs.k].stride(), m.plan[inputs.v].stride());
    let q = m.row(inputs.q, r);
    for (h, y) in y.chunks_exact_mut(d).enumerate() {
        let q = &q[h * d..][..d];
        let offset = h / group * d;
        scores.clear();
        scores.extend(keys.iter().map(|t| dot_f32(q, &k[t * k_stride + offset..][..d]) * shape.scale));
        if let Some(cap) = shape.softcap {
            scores.iter_mut().for_each(|score| *score = cap * (*score / cap).tanh());
        }
        if let Some(bias) = inputs.bias {
            let row = m.row(bias, h);
            let own = match inputs.keys {
                Keys::Causal | Keys::Table(_) => row.len() - 1,
                Keys::Spans(_) | Keys::All => (row.len() - 1) / 2,
            };
            let first = own.saturating_add_signed(distance);
            scores.iter_mut().zip(&row[first..]).for_each(|(score, bias)| *score += bias);
        }
        let sink = inputs.sinks.map(|sinks| m.row(sinks, 0)[h]);
        softmax(scores, sink);
        y.fill(0.0);
        for (weight, t) in scores.iter().zip(&keys) {
            let v = &v[t * v_stride + offset..][..d];
            y.iter_mut().zip(v).for_each(|(y, v)| *y += weight * v);
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
