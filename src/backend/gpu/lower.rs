//! A step becomes dispatches: which kernel, which buffers in which order, and how many workgroups.

mod weights;

use super::shader::Variant;
use crate::plan::{Keys, NormKind, Op, Plan, RopeStyle, Routing, Run, Step, Value, padded};
use weights::Part;

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
    /// Bindings from 1 on, 0 being the run; the text has no binding where there is `None`.
    pub bindings: Vec<Option<Binding>>,
    /// Workgroups.
    pub grid: Grid,
}

impl Dispatch {
    fn new<const N: usize>(
        variant: Variant,
        bindings: [Option<Binding>; N],
        sizes: &[(&'static str, usize)],
        grid: Grid,
    ) -> Dispatch {
        let constants = sizes.iter().map(|(name, size)| (*name, *size as f64)).collect();
        Dispatch { variant, constants, bindings: bindings.into(), grid }
    }

    /// The same with a constant where there is a value for it.
    fn constant(mut self, name: &'static str, value: impl Into<Option<f64>>) -> Dispatch {
        self.constants.extend(value.into().map(|value| (name, value)));
        self
    }
}

fn read(value: Value) -> Option<Binding> {
    Some(Binding::Read(value))
}

fn write(value: Value) -> Option<Binding> {
    Some(Binding::Write(value))
}

/// A part of a weight matrix, as far as dispatches depend on it.
#[derive(Debug, Clone, Copy)]
pub struct PartShape {
    pub first_row: usize,
    pub n_rows: usize,
}

/// Threads in a workgroup of all kernels but `sample`.
const THREADS: usize = 64;
/// A window that hides nothing: more than any context, and small enough to be added to a position.
const NO_WINDOW: usize = 1 << 30;

/// What dispatches take from a plan.
struct Shapes<'a> {
    plan: &'a Plan,
}

impl Shapes<'_> {
    fn cols(&self, value: Value) -> usize {
        self.plan[value].cols
    }

    fn stride(&self, value: Value) -> usize {
        self.plan[value].stride()
    }

    /// `x` workgroups for each of the run's rows.
    fn groups(&self, value: Value, x: usize) -> Grid {
        let one_row = self.plan[value].rows == 1;
        Grid { x: x as u32, rows_each: (!one_row).then_some(1) }
    }

    /// `n` threads for each of the run's rows.
    fn threads(&self, value: Value, n: usize) -> Grid {
        self.groups(value, n.div_ceil(THREADS))
    }
}

/// Dispatches of one step. `parts` tells how a weight matrix was split.
pub fn lower(plan: &Plan, step: &Step, parts: impl Fn(Value) -> Vec<PartShape>) -> Vec<Dispatch> {
    let s = &Shapes { plan };
    let (cols, stride) = (|v| s.cols(v), |v| s.stride(v));
    let each = |w| parts(w).into_iter().zip(0..).map(move |(shape, i)| Part { s, w, i, shape });
    let dispatch = match step.op {
        Op::Embed { index, table, y, add } => {
            return each(table).map(|part| part.embed(index, y, add)).collect();
        }
        Op::Linear { x, w, bias, y, add } => {
            return each(w).map(|part| part.linear(x, bias, y, add)).collect();
        }
        Op::ExpertLinear { x, w, bias, experts, y, n_out } => {
            return each(w).map(|part| part.expert_linear(x, bias, experts, y, n_out)).collect();
        }
        Op::Norm { kind, x, weight, bias, y, group, eps } => {
            let variant = Variant::plain("norm")
                .with(if kind == NormKind::Layer { "layer" } else { "rms" })
                .when(x == y, "in_place")
                .when(weight.is_some(), "weight")
                .when(bias.is_some(), "bias");
            let x_binding = if x == y { None } else { read(x) };
            let bindings = [write(y), x_binding, weight.and_then(read), bias.and_then(read)];
            let sizes = [("N", group), ("X_STRIDE", stride(x)), ("Y_STRIDE", stride(y))];
            Dispatch::new(variant, bindings, &sizes, s.groups(y, cols(y) / group))
                .constant("WEIGHTS", weight.map(|weight| cols(weight) as f64))
                .constant("BIASES", bias.map(|bias| cols(bias) as f64))
                .constant("EPS", f64::from(eps))
        }
        Op::Rope { x, table, positions, head_dim, style } => {
            let variant = Variant::plain("rope")
                .when(style == RopeStyle::Interleaved, "interleaved")
                .when(positions.is_some(), "positions");
            let (n_heads, dims) = (cols(x) / head_dim, cols(table));
            let sizes = [("N_HEADS", n_heads), ("HEAD_DIM", head_dim), ("DIMS", dims), ("STRIDE", stride(x))];
            let bindings = [read(table), write(x), positions.and_then(read)];
            Dispatch::new(variant, bindings, &sizes, s.threads(x, n_heads * dims / 2))
        }
        Op::CacheWrite { x, cache, slots } => {
            let variant = Variant::plain("cache_write").when(slots.is_some(), "slots");
            let sizes = [("N", cols(cache)), ("X_STRIDE", stride(x))];
            let bindings = [read(x), write(cache), slots.and_then(read)];
            Dispatch::new(variant, bindings, &sizes, s.threads(x, cols(cache)))
        }
        Op::Attention { q, k, v, y, shape, keys, bias, sinks } => {
            // The column of a bias that stands for the row itself, of how many there are.
            let own = |span: usize| match keys {
                Keys::Causal | Keys::Table(_) => span - 1,
                Keys::Spans(_) | Keys::All => (span - 1) / 2,
            };
            let (condition, list, window) = match keys {
                Keys::Causal => ("causal", None, Some(shape.window)),
                Keys::Table(list) => ("table", Some(list), Some(shape.window)),
                Keys::Spans(list) => ("spans", Some(list), Some(shape.window)),
                Keys::All => ("all", None, None),
            };
            let variant = Variant::plain("attention")
                .with(condition)
                .when(shape.softcap.is_some(), "softcap")
                .when(bias.is_some(), "bias")
                .when(sinks.is_some(), "sinks");
            let optional = [list, bias, sinks].map(|value| value.and_then(read));
            let bindings = [read(q), read(k), read(v), write(y), optional[0], optional[1], optional[2]];
            let sizes = [
                ("HEAD_DIM", shape.head_dim),
                ("HEADS_PER_KV", shape.n_heads / shape.n_kv_heads),
                ("Q_STRIDE", stride(q)),
                ("K_STRIDE", stride(k)),
                ("V_STRIDE", stride(v)),
                ("Y_STRIDE", stride(y)),
            ];
            let size = |n: usize| n as f64;
            Dispatch::new(variant, bindings, &sizes, s.groups(y, shape.n_heads))
                .constant("SCALE", f64::from(shape.scale))
                .constant("SOFTCAP", shape.softcap.map(f64::from))
                .constant("WINDOW", window.map(|window| size(window.unwrap_or(NO_WINDOW).min(NO_WINDOW))))
                .constant("LIST_STRIDE", list.map(|list| size(stride(list))))
                .constant("BIAS_STRIDE", bias.map(|bias| size(stride(bias))))
                .constant("BIAS_OWN", bias.map(|bias| size(own(cols(bias)))))
        }
        Op::Map { x, f } => {
            let sizes = [("N", cols(x)), ("STRIDE", stride(x))];
            let variant = Variant::plain("map").with(f.name());
            Dispatch::new(variant, [write(x)], &sizes, s.threads(x, cols(x)))
                .constant("PARAMETER", f64::from(f.parameter()))
        }
        Op::Gate { gate, up, f } => {
            let sizes = [
                ("N", cols(gate)),
                ("STRIDE", stride(gate)),
                ("UP_COLS", cols(up)),
                ("UP_STRIDE", stride(up)),
            ];
            let variant = Variant::plain("gate").with(f.name());
            Dispatch::new(variant, [read(up), write(gate)], &sizes, s.threads(gate, cols(gate)))
                .constant("PARAMETER", f64::from(f.parameter()))
        }
        Op::Add { x, y } => {
            let sizes = [("N", cols(y)), ("X_STRIDE", stride(x)), ("Y_STRIDE", stride(y))];
            Dispatch::new(Variant::plain("add"), [read(x), write(y)], &sizes, s.threads(y, cols(y)))
        }
        Op::Mean { x, spans, y } => {
            let sizes = [("N", cols(y)), ("X_STRIDE", stride(x)), ("Y_STRIDE", stride(y))];
            let bindings = [read(x), read(spans), write(y)];
            Dispatch::new(Variant::plain("mean"), bindings, &sizes, s.threads(y, cols(y)))
        }
        Op::Route { scores, experts, routing } => {
            let variant = Variant::plain("route").when(routing == Routing::Normalized, "normalized");
            let sizes = [
                ("N", cols(scores)),
                ("K", cols(experts) / 2),
                ("SCORES_STRIDE", stride(scores)),
                ("STRIDE", stride(experts)),
            ];
            Dispatch::new(variant, [read(scores), write(experts)], &sizes, s.groups(experts, 1))
        }
        Op::Combine { x, experts, y } => {
            let sizes = [
                ("N", cols(y)),
                ("K", cols(experts) / 2),
                ("SLOT", padded(cols(y))),
                ("X_STRIDE", stride(x)),
                ("EXPERTS_STRIDE", stride(experts)),
                ("Y_STRIDE", stride(y)),
            ];
            let bindings = [read(x), read(experts), write(y)];
            Dispatch::new(Variant::plain("combine"), bindings, &sizes, s.threads(y, cols(y)))
        }
        Op::Copy { x, y, last } => {
            let sizes = [("N", cols(y)), ("X_STRIDE", stride(x)), ("Y_STRIDE", stride(y))];
            let variant = Variant::plain("copy").when(last, "last");
            Dispatch::new(variant, [read(x), write(y)], &sizes, s.threads(y, cols(y)))
        }
        Op::Penalize { logits, counts, y } => {
            let bindings = [read(logits), read(counts), write(y)];
            let sizes = [("N", cols(logits))];
            Dispatch::new(Variant::plain("penalize"), bindings, &sizes, s.threads(y, cols(logits)))
        }
        Op::Sample { scores, counts, ids } => {
            let bindings = [read(scores), write(counts), write(ids)];
            Dispatch::new(
                Variant::plain("sample"),
                bindings,
                &[("N", cols(scores))],
                Grid { x: 1, rows_each: None },
            )
        }
    };
    vec![dispatch]
}
