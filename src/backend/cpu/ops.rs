//! One function per operation, written as plainly as its formula.

use std::collections::HashMap;

use super::{Cells, Scratch, sample};
use crate::{
    plan::{AttentionShape, Op, Plan, RopeStyle, Run, Storage, Value},
    quant::{DType, dot_f32},
};

/// A weight matrix as its file has it: rows of blocks.
pub(super) struct Matrix {
    pub dtype: DType,
    pub n_out: usize,
    pub n_in: usize,
    pub bytes: Vec<u8>,
}

impl Matrix {
    fn row(&self, i: usize) -> &[u8] {
        let n = self.dtype.info().row_bytes(self.n_in);
        &self.bytes[i * n..(i + 1) * n]
    }
}

/// All memory that a plan's steps read and write.
pub(super) struct Memory<'a> {
    pub plan: &'a Plan,
    pub matrices: &'a HashMap<String, Matrix>,
    pub floats: &'a mut HashMap<String, Cells>,
    pub words: &'a mut HashMap<String, Vec<u32>>,
    pub scratch: &'a mut Scratch,
}

impl Memory<'_> {
    fn matrix(&self, value: Value) -> &Matrix {
        &self.matrices[&self.plan[value].name]
    }

    fn floats(&self, value: Value) -> &[f32] {
        match self.plan[value].storage {
            Storage::Activation => self.scratch.get(value),
            _ => &self.floats[&self.plan[value].name],
        }
    }

    /// Lends a value's cells out for writing, so that others can be read meanwhile; [`Memory::put`] gives them back.
    fn take(&mut self, value: Value) -> Cells {
        std::mem::take(match self.plan[value].storage {
            Storage::Activation => self.scratch.get_mut(value),
            // `prepare` made every state of the plan.
            _ => self.floats.get_mut(&self.plan[value].name).expect("prepared state"),
        })
    }

    fn put(&mut self, value: Value, cells: Cells) {
        match self.plan[value].storage {
            Storage::Activation => *self.scratch.get_mut(value) = cells,
            _ => *self.floats.get_mut(&self.plan[value].name).expect("prepared state") = cells,
        }
    }

    /// Row `r` of a value, without its padding.
    fn row(&self, value: Value, r: usize) -> &[f32] {
        let info = &self.plan[value];
        &self.floats(value)[r * info.stride()..][..info.cols]
    }

    /// Rows of `value` that this run has.
    fn n_rows(&self, value: Value, run: &Run) -> usize {
        self.plan[value].rows.min(run.n_rows as usize)
    }

    /// Calls `f(r, row of y)` for each of the run's rows, with `y` lent out of `self`.
    fn each_row(&mut self, y: Value, run: &Run, mut f: impl FnMut(&Self, usize, &mut [f32])) {
        let (stride, cols) = (self.plan[y].stride(), self.plan[y].cols);
        let n = self.n_rows(y, run);
        let mut cells = self.take(y);
        for r in 0..n {
            f(self, r, &mut cells[r * stride..][..cols]);
        }
        self.put(y, cells);
    }

    pub fn step(&mut self, op: &Op, run: &Run) {
        let pos = run.pos as usize;
        match *op {
            Op::Embed { ids, table, y } => self.each_row(y, run, |m, r, row| {
                let table = m.matrix(table);
                let id = (m.words[&m.plan[ids].name][r] as usize).min(table.n_out - 1);
                table.dtype.info().dequantize_row(table.row(id), row);
            }),
            Op::RmsNorm { x, weight, y, eps } => {
                let in_place = x == y;
                self.each_row(y, run, |m, r, row| {
                    if !in_place {
                        row.copy_from_slice(m.row(x, r));
                    }
                    let weight = m.row(weight, 0);
                    row.chunks_exact_mut(weight.len()).for_each(|group| rms_norm(group, weight, eps));
                });
            }
            Op::Linear { x, w, bias, y, add } => self.linear(x, w, bias, y, add, run),
            Op::Rope { x, table, head_dim, style } => self.each_row(x, run, |m, r, row| {
                let angles = m.row(table, pos + r);
                row.chunks_exact_mut(head_dim).for_each(|head| rotate(head, angles, style));
            }),
            Op::CacheWrite { x, cache } => {
                let n = self.n_rows(x, run);
                let cols = self.plan[cache].cols;
                let mut cells = self.take(cache);
                for r in 0..n {
                    cells[(pos + r) * cols..][..cols].copy_from_slice(self.row(x, r));
                }
                self.put(cache, cells);
            }
            Op::Attention { q, k_cache, v_cache, y, shape } => self.each_row(y, run, |m, r, row| {
                attention(row, m.row(q, r), m.floats(k_cache), m.floats(v_cache), pos + r, &shape);
            }),
            Op::SwiGlu { gate, up } => self.each_row(gate, run, |m, r, row| {
                row.iter_mut().zip(m.row(up, r)).for_each(|(gate, up)| *gate = silu(*gate) * up);
            }),
            Op::LastRow { x, y } => {
                let last = run.n_rows as usize - 1;
                self.each_row(y, run, |m, _, row| row.copy_from_slice(m.row(x, last)));
            }
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
        }
    }

    /// `y = x wᵀ (+ bias)` or `y += …`. Several rows share the work of unpacking a weight row.
    fn linear(&mut self, x: Value, w: Value, bias: Option<Value>, y: Value, add: bool, run: &Run) {
        let n = self.n_rows(y, run);
        let stride = self.plan[y].stride();
        let mut cells = self.take(y);
        let matrix = self.matrix(w);
        let info = matrix.dtype.info();
        let mut unpacked = vec![0.0; if n > 1 { matrix.n_in } else { 0 }];
        for i in 0..matrix.n_out {
            let packed = matrix.row(i);
            if n > 1 {
                info.dequantize_row(packed, &mut unpacked);
            }
            for r in 0..n {
                let x = self.row(x, r);
                let product = if n > 1 { dot_f32(&unpacked, x) } else { (info.dot)(packed, x) };
                let before = if add { cells[r * stride + i] } else { 0.0 };
                let bias = bias.map_or(0.0, |bias| self.row(bias, 0)[i]);
                cells[r * stride + i] = before + product + bias;
            }
        }
        self.put(y, cells);
    }

    fn words_mut(&mut self, value: Value) -> &mut [u32] {
        self.words.get_mut(&self.plan[value].name).expect("prepared state")
    }
}

fn rms_norm(x: &mut [f32], weight: &[f32], eps: f32) {
    let mean = x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32;
    let scale = 1.0 / (mean + eps).sqrt();
    x.iter_mut().zip(weight).for_each(|(x, w)| *x *= scale * w);
}

/// `angles` holds cosine and sine by turns for each pair.
fn rotate(head: &mut [f32], angles: &[f32], style: RopeStyle) {
    let half = angles.len() / 2;
    for (i, angle) in angles.chunks_exact(2).enumerate() {
        let (a, b) = match style {
            RopeStyle::Interleaved => (2 * i, 2 * i + 1),
            RopeStyle::Halves => (i, i + half),
        };
        let (cos, sin) = (angle[0], angle[1]);
        (head[a], head[b]) = (head[a] * cos - head[b] * sin, head[a] * sin + head[b] * cos);
    }
}

/// One query row at position `pos` against the cache's positions up to it.
fn attention(
    y: &mut [f32],   // [n_heads * head_dim]
    q: &[f32],       // [n_heads * head_dim]
    k_cache: &[f32], // [n_ctx, n_kv_heads * head_dim]
    v_cache: &[f32], // [n_ctx, n_kv_heads * head_dim]
    pos: usize,
    shape: &AttentionShape,
) {
    let d = shape.head_dim;
    let kv_dim = shape.n_kv_heads * d;
    let group = shape.n_heads / shape.n_kv_heads;
    let first = shape.window.map_or(0, |window| (pos + 1).saturating_sub(window));
    let mut weights = vec![0.0; pos + 1 - first];
    for (h, y) in y.chunks_exact_mut(d).enumerate() {
        let q = &q[h * d..][..d];
        let offset = h / group * d;
        for (weight, t) in weights.iter_mut().zip(first..) {
            *weight = dot_f32(q, &k_cache[t * kv_dim + offset..][..d]) * shape.scale;
        }
        softmax(&mut weights);
        y.fill(0.0);
        for (weight, t) in weights.iter().zip(first..) {
            let v = &v_cache[t * kv_dim + offset..][..d];
            y.iter_mut().zip(v).for_each(|(y, v)| *y += weight * v);
        }
    }
}

fn softmax(x: &mut [f32]) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    x.iter_mut().for_each(|x| *x = (*x - max).exp());
    let sum: f32 = x.iter().sum();
    x.iter_mut().for_each(|x| *x /= sum);
}

fn silu(x: f32) -> f32 {
    x / (1.0 + (-x).exp())
}
