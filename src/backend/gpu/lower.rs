//! A step becomes dispatches: which kernel, which buffers in which order, and how many workgroups.

use super::shader::{Flags, Variant};
use crate::{
    plan::{Op, Plan, RopeStyle, Run, Step, Storage, Value},
    quant::DType,
};

/// What a binding names; the backend finds the buffer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Binding {
    /// A value that the kernel only reads.
    Read(Value),
    /// A value that it writes, or reads and writes.
    Write(Value),
    /// The packed weights of one part of a matrix.
    Quants(Value, usize),
    /// Their scales.
    Scales(Value, usize),
}

/// Workgroups of a dispatch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// Across a row.
    pub x: u32,
    /// Rows that one workgroup handles; `None` where the kernel looks at one row whatever the run has.
    pub rows_each: Option<u32>,
}

impl Grid {
    /// The three dimensions for a run; a wide `x` goes on in `z` (`group_index` in `shaders/lib/run.wgsl`).
    pub fn size(&self, run: &Run) -> [u32; 3] {
        const MOST: u32 = 65_535;
        let y = self.rows_each.map_or(1, |each| run.n_rows.div_ceil(each));
        [self.x.min(MOST), y, self.x.div_ceil(MOST)]
    }
}

/// One dispatch, before buffers and pipelines are made.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatch {
    /// The kernel's text.
    pub variant: Variant,
    /// Values of its `override` constants.
    pub constants: Vec<(&'static str, f64)>,
    /// Bindings from 1 on; 0 is the run.
    pub bindings: Vec<Binding>,
    /// Workgroups.
    pub grid: Grid,
}

/// A part of a weight matrix, as far as dispatches depend on it.
#[derive(Debug, Clone, Copy)]
pub struct PartShape {
    pub first_row: usize,
    pub n_rows: usize,
}

/// Threads in a workgroup of all kernels but `sample`.
const THREADS: usize = 64;
/// Rows and outputs of a tile in `matmul.wgsl`.
const TILE: usize = 32;

/// Dispatches of one step. `parts` tells how a weight matrix was split.
pub fn lower(plan: &Plan, step: &Step, parts: impl Fn(Value) -> Vec<PartShape>) -> Vec<Dispatch> {
    let cols = |v: Value| plan[v].cols;
    let stride = |v: Value| plan[v].stride();
    let dtype = |v: Value| match plan[v].storage {
        Storage::Matrix { dtype } => Some(dtype),
        _ => None::<DType>,
    };
    let threads = |n: usize| n.div_ceil(THREADS);
    let per_row = |x: usize| Grid { x: x as u32, rows_each: Some(1) };
    let once = |x: usize| Grid { x: x as u32, rows_each: None };
    let rows = |v: Value, x: usize| if plan[v].rows == 1 { once(x) } else { per_row(x) };

    match step.op {
        Op::Embed { ids, table, y } => parts(table)
            .into_iter()
            .enumerate()
            .map(|(i, part)| {
                let groups = cols(table).div_ceil(32);
                Dispatch {
                    variant: Variant { dtype: dtype(table), ..Variant::plain("embed") },
                    constants: vec![
                        ("GROUPS", groups as f64),
                        ("N_OUT", part.n_rows as f64),
                        ("OUT_START", part.first_row as f64),
                        ("Y_STRIDE", stride(y) as f64 / 4.0),
                    ],
                    bindings: vec![
                        Binding::Quants(table, i),
                        Binding::Scales(table, i),
                        Binding::Read(ids),
                        Binding::Write(y),
                    ],
                    grid: rows(y, threads(groups)),
                }
            })
            .collect(),
        Op::Linear { x, w, bias, y, add } => {
            let one_row = plan[y].rows == 1;
            let groups = cols(w).div_ceil(32);
            let flags = Flags { bias: bias.is_some(), add, ..Flags::default() };
            let kernel = if one_row { "matvec" } else { "matmul" };
            // As many threads on one output as there are groups to share, up to the workgroup.
            let lanes = groups.next_power_of_two().min(THREADS);
            let linear = |(i, part): (usize, PartShape)| {
                let mut constants = vec![
                    ("GROUPS", groups as f64),
                    ("N_OUT", part.n_rows as f64),
                    ("OUT_START", part.first_row as f64),
                    ("X_STRIDE", stride(x) as f64 / 4.0),
                    ("Y_STRIDE", stride(y) as f64),
                ];
                if one_row {
                    constants.push(("LANES", lanes as f64));
                }
                let mut bindings =
                    vec![Binding::Quants(w, i), Binding::Scales(w, i), Binding::Read(x), Binding::Write(y)];
                bindings.extend(bias.map(Binding::Read));
                let grid = match one_row {
                    true => once(part.n_rows.div_ceil(THREADS / lanes)),
                    false => Grid { x: part.n_rows.div_ceil(TILE) as u32, rows_each: Some(TILE as u32) },
                };
                Dispatch { variant: Variant { kernel, dtype: dtype(w), flags }, constants, bindings, grid }
            };
            parts(w).into_iter().enumerate().map(linear).collect()
        }
        Op::RmsNorm { x, weight, y, eps } => {
            let n = cols(weight);
            let flags = Flags { in_place: x == y, ..Flags::default() };
            let mut bindings = vec![Binding::Read(weight)];
            bindings.extend((x != y).then_some(Binding::Read(x)));
            bindings.push(Binding::Write(y));
            vec![Dispatch {
                variant: Variant { flags, ..Variant::plain("rms_norm") },
                constants: vec![("N", n as f64), ("STRIDE", stride(y) as f64), ("EPS", f64::from(eps))],
                bindings,
                grid: rows(y, cols(y) / n),
            }]
        }
        Op::Rope { x, table, head_dim, style } => {
            let dims = cols(table);
            let n_heads = cols(x) / head_dim;
            let flags = Flags { interleaved: style == RopeStyle::Interleaved, ..Flags::default() };
            vec![Dispatch {
                variant: Variant { flags, ..Variant::plain("rope") },
                constants: vec![
                    ("N_HEADS", n_heads as f64),
                    ("HEAD_DIM", head_dim as f64),
                    ("DIMS", dims as f64),
                    ("STRIDE", stride(x) as f64),
                ],
                bindings: vec![Binding::Read(table), Binding::Write(x)],
                grid: rows(x, threads(n_heads * dims / 2)),
            }]
        }
        Op::CacheWrite { x, cache } => vec![Dispatch {
            variant: Variant::plain("cache_write"),
            constants: vec![("N", cols(cache) as f64), ("X_STRIDE", stride(x) as f64)],
            bindings: vec![Binding::Read(x), Binding::Write(cache)],
            grid: rows(x, threads(cols(cache))),
        }],
        Op::Attention { q, k_cache, v_cache, y, shape } => vec![Dispatch {
            variant: Variant::plain("attention"),
            constants: vec![
                ("HEAD_DIM", shape.head_dim as f64),
                ("KV_DIM", cols(k_cache) as f64),
                ("HEADS_PER_KV", (shape.n_heads / shape.n_kv_heads) as f64),
                ("Q_STRIDE", stride(q) as f64),
                ("Y_STRIDE", stride(y) as f64),
                ("WINDOW", shape.window.unwrap_or(u32::MAX as usize) as f64),
                ("SCALE", f64::from(shape.scale)),
            ],
            bindings: vec![
                Binding::Read(q),
                Binding::Read(k_cache),
                Binding::Read(v_cache),
                Binding::Write(y),
            ],
            grid: rows(y, shape.n_heads),
        }],
        Op::SwiGlu { gate, up } => vec![Dispatch {
            variant: Variant::plain("swiglu"),
            constants: vec![("N", cols(gate) as f64), ("STRIDE", stride(gate) as f64)],
            bindings: vec![Binding::Read(up), Binding::Write(gate)],
            grid: rows(gate, threads(cols(gate))),
        }],
        Op::LastRow { x, y } => vec![Dispatch {
            variant: Variant::plain("last_row"),
            constants: vec![("STRIDE", stride(x) as f64)],
            bindings: vec![Binding::Read(x), Binding::Write(y)],
            grid: once(threads(stride(x))),
        }],
        Op::Penalize { logits, counts, y } => vec![Dispatch {
            variant: Variant::plain("penalize"),
            constants: vec![("N", cols(logits) as f64)],
            bindings: vec![Binding::Read(logits), Binding::Read(counts), Binding::Write(y)],
            grid: once(threads(cols(logits))),
        }],
        Op::Sample { scores, counts, ids } => vec![Dispatch {
            variant: Variant::plain("sample"),
            constants: vec![("N", cols(scores) as f64)],
            bindings: vec![Binding::Read(scores), Binding::Write(counts), Binding::Write(ids)],
            grid: once(1),
        }],
    }
}
