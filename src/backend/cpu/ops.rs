//! One function per operation, written as plainly as its formula.

use std::{collections::HashMap, ops::Range};

use intab_kernels::{function, row};

use super::{
    Cells, Packed, Scratch,
    attention::{self, Attention, Sight, Strided},
    experts,
    matrices::{Matrices, Product},
    sample,
};
use crate::{
    backend::Precision,
    plan::{Function, Index, Keys, NormKind, Op, Plan, RopeStyle, Run, Step, Storage, Value, padded},
};

/// All memory that a plan's steps read and write.
pub(super) struct Memory<'a> {
    pub plan: &'a Plan,
    pub matrices: &'a Matrices,
    pub floats: &'a mut HashMap<String, Cells>,
    pub caches: &'a mut HashMap<String, Packed>,
    pub words: &'a mut HashMap<String, Vec<u32>>,
    pub scratch: &'a mut Scratch,
    /// Memory for products on their way.
    pub spare: &'a mut Vec<f32>,
    pub precision: Precision,
}

impl Memory<'_> {
    /// All products of the same rows, one after the other: see [`Product`].
    pub fn multiply(&self, parts: &[(Value, Range<usize>)], xs: &[&[f32]], mut y: &mut [f32]) {
        let mut products = Vec::with_capacity(parts.len());
        for (w, rows) in parts {
            let (own, rest) = y.split_at_mut(xs.len() * rows.len());
            products.push(Product { w: &self.plan[*w].name, rows: rows.clone(), y: own });
            y = rest;
        }
        self.matrices.multiply(&mut products, xs, self.precision == Precision::Fast);
    }

    pub fn floats(&self, value: Value) -> &[f32] {
        match self.plan[value].storage {
            Storage::Activation => self.scratch.get(value),
            _ => &self.floats[&self.plan[value].name],
        }
    }

    /// Lends a value's cells out for writing, so that others can be read meanwhile; [`Memory::put`] gives them back.
    pub fn take(&mut self, value: Value) -> Cells {
        std::mem::take(match self.plan[value].storage {
            Storage::Activation => self.scratch.get_mut(value),
            // `prepare` made every state of the plan.
            _ => self.floats.get_mut(&self.plan[value].name).expect("prepared state"),
        })
    }

    pub fn put(&mut self, value: Value, cells: Cells) {
        match self.plan[value].storage {
            Storage::Activation => *self.scratch.get_mut(value) = cells,
            _ => *self.floats.get_mut(&self.plan[value].name).expect("prepared state") = cells,
        }
    }

    /// Row `r` of a `u32` state.
    pub fn words(&self, value: Value, r: usize) -> &[u32] {
        let info = &self.plan[value];
        &self.words[&info.name][r * info.cols..][..info.cols]
    }

    pub fn strided(&self, value: Value) -> Strided<'_> {
        Strided { numbers: self.floats(value), stride: self.plan[value].stride() }
    }

    fn strided_words(&self, value: Value) -> Strided<'_, u32> {
        let info = &self.plan[value];
        Strided { numbers: &self.words[&info.name], stride: info.cols }
    }

    /// Entry `r` of a list with one for each row, or else the row's position.
    pub fn place_of(&self, list: Option<Value>, r: usize, run: &Run) -> usize {
        match list {
            Some(list) => self.words[&self.plan[list].name][r] as usize,
            None => run.pos as usize + r,
        }
    }

    /// Row `r` of a value, without its padding.
    pub fn row(&self, value: Value, r: usize) -> &[f32] {
        let info = &self.plan[value];
        &self.floats(value)[r * info.stride()..][..info.cols]
    }

    /// Rows of `value` that this run has.
    fn n_rows(&self, value: Value, run: &Run) -> usize {
        self.plan[value].rows.min(run.n_rows as usize)
    }

    /// Calls `f(r, row of y)` for each of the run's rows, with `y` lent out of `self`.
    pub fn each_row(&mut self, y: Value, run: &Run, mut f: impl FnMut(&Self, usize, &mut [f32])) {
        let (stride, cols) = (self.plan[y].stride(), self.plan[y].cols);
        let n = self.n_rows(y, run);
        let mut cells = self.take(y);
        for r in 0..n {
            f(self, r, &mut cells[r * stride..][..cols]);
        }
        self.put(y, cells);
    }

    /// Runs the first of these steps, and the products that follow it if they are of the same rows; tells how many.
    pub fn steps(&mut self, steps: &[Step], run: &Run) -> usize {
        let Op::Linear { x, .. } = steps[0].op else {
            self.step(&steps[0].op, run);
            return 1;
        };
        let of_x = |step: &&Step| matches!(step.op, Op::Linear { x: other, y, .. } if other == x && y != x);
        let n = steps.iter().take_while(of_x).count().max(1);
        self.linear(x, &steps[..n], run);
        n
    }

    fn step(&mut self, op: &Op, run: &Run) {
        match *op {
            Op::Embed { index, table, y, add } => {
                let mut unpacked = vec![0.0; self.plan[table].cols];
                self.each_row(y, run, |m, r, row| {
                    let i = match index {
                        Index::State(ids) => m.place_of(Some(ids), r, run),
                        Index::Position(offset) => m.place_of(None, r, run) + offset,
                    };
                    let table = &m.plan[table];
                    m.matrices.unpack_row(&table.name, i.min(table.rows - 1), &mut unpacked);
                    match add {
                        true => row::add(row, &unpacked),
                        false => row.copy_from_slice(&unpacked),
                    }
                });
            }
            Op::Norm { kind, x, weight, bias, y, group, eps } => {
                let in_place = x == y;
                self.each_row(y, run, |m, r, row| {
                    if !in_place {
                        row.copy_from_slice(m.row(x, r));
                    }
                    row.chunks_exact_mut(group).for_each(|group| normalize(group, kind, eps));
                    if let Some(weight) = weight {
                        let weight = m.row(weight, 0); // the row's, or the same for each group
                        row.chunks_mut(weight.len()).for_each(|part| row::multiply(part, weight));
                    }
                    if let Some(bias) = bias {
                        let bias = m.row(bias, 0);
                        row.chunks_mut(bias.len()).for_each(|part| row::add(part, bias));
                    }
                });
            }
            Op::Linear { .. } => unreachable!("products are run together"),
            Op::Rope { x, table, positions, head_dim, style } => self.each_row(x, run, |m, r, row| {
                let angles = m.row(table, run.rope_start as usize + m.place_of(positions, r, run));
                row.chunks_exact_mut(head_dim).for_each(|head| rotate(head, angles, style));
            }),
            Op::CacheWrite { x, cache, slots } => {
                let (stride, cols) = (self.plan[x].stride(), self.plan[x].cols);
                let rows = self.take(x);
                for (r, row) in rows.chunks(stride).take(self.n_rows(x, run)).enumerate() {
                    self.keep(cache, self.place_of(slots, r, run), &row[..cols]);
                }
                self.put(x, rows);
            }
            Op::Attention { q, k, v, y, shape, keys, bias, sinks } => {
                let (n, stride) = (self.n_rows(y, run), self.plan[y].stride());
                let mut cells = self.take(y);
                let mut spare = std::mem::take(self.spare);
                let seen = self.seen(keys, shape.window, n, run);
                let first = if self.is_packed(k) { seen.start } else { 0 };
                let [k, v] = self.unpacked([k, v], seen, &mut spare);
                let attention = Attention {
                    shape,
                    q: self.strided(q),
                    k,
                    v,
                    sight: match keys {
                        Keys::Causal => Sight::Causal { pos: run.pos as usize, first },
                        Keys::Table(table) => Sight::Table(self.strided_words(table)),
                        Keys::Spans(spans) => Sight::Spans(self.strided_words(spans)),
                        Keys::All => Sight::All(run.n_keys as usize),
                    },
                    bias: bias.map(|bias| (self.strided(bias), self.plan[bias].cols)),
                    sinks: sinks.map(|sinks| self.row(sinks, 0)),
                };
                self.matrices.attend(&attention, n, &mut cells, stride);
                *self.spare = spare;
                self.put(y, cells);
            }
            Op::Map { x, f } => {
                self.each_row(x, run, |_, _, row| apply(f, row));
            }
            Op::Gate { gate, up, f } => self.each_row(gate, run, |m, r, row| {
                apply(f, row);
                let is_weight = matches!(m.plan[up].storage, Storage::Vector);
                match m.row(up, if is_weight { 0 } else { r }) {
                    [up] => row.iter_mut().for_each(|gate| *gate *= up),
                    up => row::multiply(row, up),
                }
            }),
            Op::Add { x, y } => self.each_row(y, run, |m, r, row| {
                row::add(row, m.row(x, r));
            }),
            Op::Mean { x, spans, y } => self.each_row(y, run, |m, r, row| {
                let (first, end) = attention::span(m.words(spans, r));
                row.fill(0.0);
                for i in first..end {
                    row.iter_mut().zip(m.row(x, i)).for_each(|(y, x)| *y += x / (end - first) as f32);
                }
            }),
            Op::Route { scores, experts, routing } => self.each_row(experts, run, |m, r, row| {
                experts::route(m.row(scores, r), routing, row);
            }),
            Op::ExpertLinear { x, w, bias, experts, y, n_out } => self.each_row(y, run, |m, r, row| {
                let n_in = m.plan[w].cols;
                let chosen = m.row(experts, r);
                let x = m.row(x, r);
                let shared = x.len() == n_in;
                for (j, y) in row.chunks_exact_mut(padded(n_out)).enumerate() {
                    let start = if shared { 0 } else { j * padded(n_in) };
                    let rows = chosen[j] as usize * n_out..(chosen[j] as usize + 1) * n_out;
                    m.multiply(&[(w, rows.clone())], &[&x[start..start + n_in]], &mut y[..n_out]);
                    if let Some(bias) = bias {
                        row::add(y, &m.row(bias, 0)[rows]);
                    }
                    y[n_out..].fill(0.0);
                }
            }),
            Op::Combine { x, experts, y } => self.each_row(y, run, |m, r, row| {
                let weights = &m.row(experts, r)[m.plan[experts].cols / 2..];
                for (x, weight) in m.row(x, r).chunks_exact(padded(row.len())).zip(weights) {
                    row.iter_mut().zip(x).for_each(|(y, x)| *y += weight * x);
                }
            }),
            Op::Copy { x, y, last } => {
                let from = |r| if last { run.n_rows as usize - 1 } else { r };
                self.each_row(y, run, |m, r, row| row.copy_from_slice(m.row(x, from(r))));
            }
            Op::Mask { logits, bias, allowed, y } => self.each_row(y, run, |m, _, row| {
                row.copy_from_slice(m.row(logits, 0));
                row::add(row, m.row(bias, 0));
                sample::mask(row, &m.words[&m.plan[allowed].name]);
            }),
            Op::Penalize { logits, counts, y } => self.each_row(y, run, |m, _, row| {
                row.copy_from_slice(m.row(logits, 0));
                sample::penalize(row, &m.words[&m.plan[counts].name], &run.sampling);
            }),
            Op::Sample { scores, counts, ids } => {
                let id = sample::pick(self.row(scores, 0), run);
                if let Some(count) = id.and_then(|id| self.words_mut(counts).get_mut(id as usize)) {
                    *count += 1;
                }
                self.words_mut(ids)[0] = id.unwrap_or(Run::NOT_FINITE);
            }
            Op::Linears(ref fused) => self.linears(fused, run),
            Op::Place(ref fused) => self.place(fused, run),
        }
    }

    /// `y = x wᵀ (+ bias)` or `y += …` for each of the steps.
    fn linear(&mut self, x: Value, steps: &[Step], run: &Run) {
        let mut spare = std::mem::take(self.spare);
        let n = match steps[0].op {
            Op::Linear { y, .. } => self.n_rows(y, run),
            _ => 0,
        };
        let rows: Vec<&[f32]> = (0..n).map(|r| self.row(x, r)).collect();
        let parts: Vec<(Value, Range<usize>)> = steps
            .iter()
            .filter_map(|step| match step.op {
                Op::Linear { w, y, .. } => Some((w, 0..self.plan[y].cols)),
                _ => None,
            })
            .collect();
        let n_out: usize = parts.iter().map(|(_, rows)| rows.len()).sum();
        self.multiply(&parts, &rows, room(&mut spare, n * n_out));
        let mut products = &spare[..n * n_out];
        for step in steps {
            let Op::Linear { bias, y, add, .. } = step.op else { continue };
            let n_out = self.plan[y].cols;
            self.each_row(y, run, |m, r, row| {
                let products = &products[r * n_out..][..n_out];
                match add {
                    true => row::add(row, products),
                    false => row.copy_from_slice(products),
                }
                if let Some(bias) = bias {
                    row::add(row, m.row(bias, 0));
                }
            });
            products = &products[n * n_out..];
        }
        *self.spare = spare;
    }

    fn words_mut(&mut self, value: Value) -> &mut [u32] {
        self.words.get_mut(&self.plan[value].name).expect("prepared state")
    }
}

/// The first numbers of `spare`, whatever they are, which grows to have them.
pub(super) fn room(spare: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if spare.len() < len {
        spare.resize(len, 0.0);
    }
    &mut spare[..len]
}

/// To a mean square of one; [`NormKind::Layer`] also to a mean of zero.
pub(super) fn normalize(x: &mut [f32], kind: NormKind, eps: f32) {
    row::normalize(x, kind == NormKind::Layer, eps);
}

/// `angles` holds cosine and sine by turns for each pair.
pub(super) fn rotate(head: &mut [f32], angles: &[f32], style: RopeStyle) {
    row::rotate(head, angles, style == RopeStyle::Interleaved);
}

/// `x = f(x)`, number by number.
pub(super) fn apply(f: Function, x: &mut [f32]) {
    match f {
        Function::Silu => function::silu(x),
        Function::Sigmoid => function::sigmoid(x),
        Function::QuickGelu => function::quick_gelu(x),
        Function::GeluTanh => function::gelu_tanh(x),
        _ => x.iter_mut().for_each(|x| *x = f.apply(*x)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_get_what_single_numbers_get() {
        let all = [
            Function::Silu,
            Function::Gelu,
            Function::GeluTanh,
            Function::QuickGelu,
            Function::Relu,
            Function::Tanh,
            Function::Sigmoid,
            Function::SoftCap(30.0),
        ];
        for f in all {
            let x: Vec<f32> = (-500..=500).map(|i| i as f32 / 20.0).chain([-200.0, 200.0]).collect();
            let mut y = x.clone();
            apply(f, &mut y);
            for (x, y) in x.into_iter().zip(y) {
                let truth = f.apply(x);
                assert!((y - truth).abs() <= 4e-7 * x.abs().max(1.0), "{f:?}({x}) = {y}, not {truth}");
            }
        }
        let mut nan = [f32::NAN];
        apply(Function::Silu, &mut nan);
        assert!(nan[0].is_nan());
    }
}
