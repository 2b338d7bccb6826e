//! Attention by its formula, a few queries at a time.

use std::ops::Range;

use intab_kernels::{
    attention::{MOST_QUERIES, Places, Rows, mix, products, softmax},
    row,
};

use crate::plan::AttentionShape;

/// Numbers in rows, between which others may lie.
#[derive(Debug, Clone, Copy)]
pub struct Strided<'a, T = f32> {
    /// All of them.
    pub numbers: &'a [T],
    /// From one row to the next.
    pub stride: usize,
}

impl<'a, T> Strided<'a, T> {
    /// The first numbers of row `r`.
    pub fn row(&self, r: usize, cols: usize) -> &'a [T] {
        &self.numbers[r * self.stride..][..cols]
    }

    /// The rows from this one on.
    pub fn from_row(&self, r: usize) -> Strided<'a, T> {
        self.behind(r * self.stride)
    }

    /// The same rows without so many numbers at their beginning.
    pub fn behind(&self, cols: usize) -> Strided<'a, T> {
        Strided { numbers: &self.numbers[cols..], stride: self.stride }
    }
}

/// `[first, end]` of a row's span.
pub(super) fn span(words: &[u32]) -> (usize, usize) {
    (words[0] as usize, words[1] as usize)
}

/// Which keys a row sees: see [`crate::plan::Keys`].
#[derive(Clone, Copy)]
pub(super) enum Sight<'a> {
    /// Row `r` is at position `pos + r` and sees the positions up to it; the keys at hand begin with position `first`.
    Causal { pos: usize, first: usize },
    /// How many, and then their numbers.
    Table(Strided<'a, u32>),
    /// The first and the end.
    Spans(Strided<'a, u32>),
    /// So many.
    All(usize),
}

/// What an attention reads: see [`crate::plan::Op::Attention`].
pub(super) struct Attention<'a> {
    pub shape: AttentionShape,
    pub q: Strided<'a>,
    pub k: Strided<'a>,
    pub v: Strided<'a>,
    pub sight: Sight<'a>,
    /// A row of so many numbers for each head.
    pub bias: Option<(Strided<'a>, usize)>,
    /// A number for each head.
    pub sinks: Option<&'a [f32]>,
}

/// A row to compute.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Where it lies among the queries and the results.
    pub at: usize,
    /// Which of the run's rows it is.
    pub row: usize,
}

/// The keys that a row sees.
enum Seen<'a> {
    /// Rows of `k` that follow each other.
    Rows(Range<usize>),
    /// Rows by number.
    Slots(&'a [u32]),
}

/// One head of one row.
#[derive(Clone, Copy)]
struct Query {
    place: Place,
    head: usize,
}

impl<'a> Attention<'a> {
    /// `y = softmax(scale q k + bias) v` for these rows and every head.
    pub fn attend(&self, places: &[Place], y: &mut [f32], y_stride: usize) {
        let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        let group = n_heads / n_kv_heads;
        let mut tile = Tile { attention: self, scores: Vec::new(), output: Vec::new() };
        for kv_head in 0..n_kv_heads {
            let query = |i: usize| Query { place: places[i / group], head: kv_head * group + i % group };
            let n = places.len() * group;
            // Queries of different rows with lists of slots have no keys in common.
            let alike = if matches!(self.sight, Sight::Table(_)) { group } else { n };
            let together = if alike >= 3 { MOST_QUERIES } else { alike };
            let starts = (0..n).step_by(alike.max(1));
            let tiles = starts.flat_map(|start| (start..start + alike).step_by(together.max(1)));
            for first in tiles {
                let end = (first / alike + 1) * alike;
                // The last is repeated to make them so many.
                let queries: Vec<Query> = (first..first + together).map(|i| query(i.min(end - 1))).collect();
                let outputs = tile.attend(&queries, kv_head).chunks_exact(head_dim);
                for (Query { place, head }, output) in queries.iter().zip(outputs) {
                    y[place.at * y_stride + head * head_dim..][..head_dim].copy_from_slice(output);
                }
            }
        }
    }

    /// The keys that row `r` sees, and how far the first is from the row's own place, which may be negative.
    fn visible(&self, r: usize) -> (Seen<'a>, isize) {
        let window = self.shape.window.unwrap_or(usize::MAX);
        match self.sight {
            Sight::Causal { pos, first } => {
                let end = pos + r + 1;
                let start = end.saturating_sub(window);
                (Seen::Rows(start - first..end - first), start as isize + 1 - end as isize)
            }
            Sight::Table(table) => {
                let end = table.row(r, 1)[0] as usize;
                let first = end.saturating_sub(window);
                (Seen::Slots(&table.row(r, 1 + end)[1 + first..]), first as isize + 1 - end as isize)
            }
            Sight::Spans(spans) => {
                let (first, end) = span(spans.row(r, 2));
                let first = first.max((r + 1).saturating_sub(window));
                let end = end.min(r.saturating_add(window)).max(first);
                (Seen::Rows(first..end), first as isize - r as isize)
            }
            Sight::All(n) => (Seen::Rows(0..n), 0),
        }
    }

    /// Products with keys to the weights of a query's values; the first key is `distance` from its own place.
    fn weigh(&self, head: usize, distance: isize, scores: &mut [f32]) {
        row::scale(scores, self.shape.scale);
        if let Some(cap) = self.shape.softcap {
            scores.iter_mut().for_each(|score| *score = cap * (*score / cap).tanh());
        }
        if let Some((bias, n)) = self.bias {
            let own = match self.sight {
                Sight::Causal { .. } | Sight::Table(_) => n - 1,
                Sight::Spans(_) | Sight::All(_) => (n - 1) / 2,
            };
            row::add(scores, &bias.row(head, n)[own.saturating_add_signed(distance)..]);
        }
        softmax(scores, self.sinks.map(|sinks| sinks[head]));
    }
}

/// A few queries at a time: they share the loads of their keys and values.
struct Tile<'a> {
    attention: &'a Attention<'a>,
    scores: Vec<f32>, // [queries, keys]
    output: Vec<f32>, // [queries, head_dim]
}

impl Tile<'_> {
    fn attend(&mut self, queries: &[Query], kv_head: usize) -> &[f32] {
        let attention = self.attention;
        let d = attention.shape.head_dim;
        let n_queries = queries.len();
        let seen: Vec<_> = queries.iter().map(|query| attention.visible(query.place.row)).collect();
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
        let [keys, values] = [attention.k, attention.v].map(|Strided { numbers, stride }| Rows {
            numbers,
            stride,
            offset: kv_head * d,
            places,
        });
        let row = |query: &Query| &attention.q.row(query.place.at, (query.head + 1) * d)[query.head * d..];
        let qs: Vec<&[f32]> = queries.iter().map(row).collect();
        self.scores.resize(n_queries * n, 0.0);
        products(&qs, &keys, &mut self.scores);
        for (i, (own, query)) in own.into_iter().zip(queries).enumerate() {
            let scores = &mut self.scores[i * n..][..n];
            scores[..own.start].fill(0.0);
            scores[own.end..].fill(0.0);
            attention.weigh(query.head, seen[i].1, &mut scores[own]);
        }
        self.output.resize(n_queries * d, 0.0);
        mix(n_queries, &self.scores, &values, &mut self.output);
        &self.output
    }
}
