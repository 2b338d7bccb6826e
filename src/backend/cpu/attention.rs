//! Attention by its formula, a few queries at a time.

use std::ops::Range;

use intab_kernels::{
    attention::{MOST_QUERIES, Places, Rows, mix, products, softmax},
    row,
};

use super::ops::Memory;
use crate::plan::{AttentionShape, Keys, Run, Value};

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
        let together = if most >= 3 { MOST_QUERIES } else { most };
        for first in (0..n).step_by(together.max(1)) {
            // The last is repeated to make them so many.
            let queries: Vec<Query> = (first..first + together).map(|i| query(i.min(n - 1))).collect();
            tile.attend(&queries, kv_head);
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
    fn attend(&mut self, queries: &[Query], kv_head: usize) {
        let d = self.inputs.shape.head_dim;
        let n_queries = queries.len();
        let seen: Vec<_> =
            queries.iter().map(|query| visible(self.m, self.inputs, self.run, query.row)).collect();
        // What all of them see together, and which part of it each sees.
        let (places, n, own): (Places, usize, Vec<Range<usize>>) = match seen[0].0 {
            Seen::Slots(slots) => (Places::Slots(slots), slots.len(), vec![0..slots.len(); n_queries]),
            Seen::Rows(_) => {
                let ranges = seen.iter().filter_map(|(seen, _)| match seen {
                    Seen::Rows(rows) => Some(rows.clone()),
                    Seen::Slots(_) => None,
                });
                let first = ranges.clone().map(|rows| rows.start).min().unwrap_or(0);
                let end = ranges.clone().map(|rows| rows.end).max().unwrap_or(0);
                let own = ranges.map(|rows| rows.start - first..rows.end - first).collect();
                (Places::From(first), end - first, own)
            }
        };
        let rows = |value: Value| {
            let (numbers, stride) = (self.m.floats(value), self.m.plan[value].stride());
            Rows { numbers, stride, offset: kv_head * d, places }
        };
        let (keys, values) = (rows(self.inputs.k), rows(self.inputs.v));
        let row = |query: &Query| &self.m.row(self.inputs.q, query.row)[query.head * d..][..d];
        let qs: Vec<&[f32]> = queries.iter().map(row).collect();
        self.scores.resize(n_queries * n, 0.0);
        products(&qs, &keys, &mut self.scores);
        for (i, (own, query)) in own.into_iter().zip(queries).enumerate() {
            self.scores[i * n..i * n + own.start].fill(0.0);
            self.scores[i * n + own.end..(i + 1) * n].fill(0.0);
            self.weigh(*query, i * n + own.start..i * n + own.end, seen[i].1);
        }
        self.output.resize(n_queries * d, 0.0);
        mix(n_queries, &self.scores, &values, &mut self.output);
        for (query, y) in queries.iter().zip(self.output.chunks_exact(d)) {
            self.y[query.row * self.y_stride + query.head * d..][..d].copy_from_slice(y);
        }
    }

    /// Products in `own` of the scores to the weights of a query's values; the first key is `distance` from its own place.
    fn weigh(&mut self, query: Query, own: Range<usize>, distance: isize) {
        let Inputs { shape, keys, bias, sinks, .. } = self.inputs;
        let scores = &mut self.scores[own];
        row::scale(scores, shape.scale);
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
            row::add(scores, &row[first..]);
        }
        softmax(scores, sinks.map(|sinks| self.m.row(sinks, 0)[query.head]));
    }
}
