//! A step becomes dispatches: which kernel, which buffers in which order, and how many workgroups.

mod attention;
mod place;
mod weights;

use super::{
    device::Tiers,
    shader::{SUBGROUPS, Variant},
    tune::Choice,
};
use crate::{
    backend::Precision,
    plan::{NormKind, Op, Plan, RopeStyle, Routing, Run, Stage, Step, Storage, Value, padded},
};
use weights::{Part, Product, integers, linears};

/// What a binding names; the backend finds the buffer.
#[derive(Debug, Clone, PartialEq)]
pub enum Binding {
    /// A value that the kernel only reads.
    Read(Value),
    /// A value that it writes, or reads and writes.
    Write(Value),
    /// The packed weights of one part of a matrix.
    Quants(Value, usize),
    /// Their scales.
    Scales(Value, usize),
    /// The biases of layers, one behind the other; zeros where a layer has none.
    Biases(Vec<(Value, Option<Value>)>),
    /// So many numbers of memory that is used by a step and the next.
    Between { len: usize, write: bool },
}

/// Workgroups of a dispatch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// Across a row; of each split, where there are any.
    pub x: u32,
    /// How many of them there are for so many of the run's rows; `None` where the kernel looks at one row whatever the run has.
    pub rows: Option<(u32, u32)>,
    /// How the keys of an attention are split.
    pub splits: Option<Splits>,
}

/// An attention over runs of keys, so that its time grows less than their number: as many as the row sees, not as there
/// is room for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Splits {
    /// Keys that are seen at most, of the causal ones; none where all of [`Run::n_keys`] are.
    pub window: Option<u32>,
    /// Whether this is the step that joins them, which is none where there is one.
    pub merges: bool,
}

/// Keys of a split.
const SPLIT: usize = 128;

impl Splits {
    fn count(&self, run: &Run) -> u32 {
        let seen = self.window.map_or(run.n_keys, |window| (run.pos + 1).min(window));
        seen.div_ceil(SPLIT as u32).max(1)
    }
}

impl Grid {
    /// `x` workgroups whatever the run has.
    pub fn fixed(x: usize) -> Grid {
        Grid { x: x as u32, rows: None, splits: None }
    }

    /// `x` workgroups for each `rows` of the run.
    pub fn each(x: usize, rows: usize) -> Grid {
        Grid { rows: Some((1, rows as u32)), ..Grid::fixed(x) }
    }

    /// The three dimensions for a run, or none where there is nothing to do; a wide `x` goes on in `z` (`group_index` in
    /// `shaders/lib/run.wgsl`).
    pub fn size(&self, run: &Run) -> Option<[u32; 3]> {
        const MOST: u32 = 65_535;
        let y = self.rows.map_or(1, |(n, each)| (n * run.n_rows).div_ceil(each));
        let x = match self.splits {
            None => self.x,
            Some(splits) if splits.merges => return (splits.count(run) > 1).then_some([self.x, 1, 1]),
            Some(splits) => self.x * splits.count(run),
        };
        Some([x.min(MOST), y, x.div_ceil(MOST)])
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
    /// In the matrix.
    pub first_row: usize,
    pub n_rows: usize,
    /// Its first row in its buffer.
    pub at: usize,
    /// Tells buffers apart.
    pub store: usize,
}

/// Threads in a workgroup of all kernels but `sample`.
const THREADS: usize = 64;

/// What dispatches take from a plan, and what the device can do for them.
struct Shapes<'a> {
    plan: &'a Plan,
    how: How,
}

/// What decides between a kernel's variants besides the plan.
#[derive(Debug, Clone, Copy)]
pub struct How {
    pub tiers: Tiers,
    pub choice: Choice,
    pub precision: Precision,
}

impl Shapes<'_> {
    fn cols(&self, value: Value) -> usize {
        self.plan[value].cols
    }

    fn stride(&self, value: Value) -> usize {
        self.plan[value].stride()
    }

    /// A variant that lets subgroups work together where there are any.
    fn in_subgroups(&self, variant: Variant) -> Variant {
        variant.when(self.how.tiers.subgroups.is_some(), SUBGROUPS)
    }

    /// A variant for the way in which a cache's numbers lie.
    fn of_cache(&self, variant: Variant, cache: Value) -> Variant {
        match self.plan[cache].storage {
            Storage::Halves => variant.with("f16"),
            Storage::Bytes => variant.with("q8"),
            _ => variant,
        }
    }

    /// `x` workgroups for each of the run's rows.
    fn groups(&self, value: Value, x: usize) -> Grid {
        let one_row = self.plan[value].rows == 1;
        if one_row { Grid::fixed(x) } else { Grid::each(x, 1) }
    }

    /// `n` threads for each of the run's rows.
    fn threads(&self, value: Value, n: usize) -> Grid {
        self.groups(value, n.div_ceil(THREADS))
    }
}

/// Dispatches of one step. `parts` tells how a weight matrix was split.
pub fn lower(plan: &Plan, step: &Step, how: How, parts: &dyn Fn(Value) -> Vec<PartShape>) -> Vec<Dispatch> {
    // What the head puts out is compared as it is; of a prompt it has one row, which costs nothing to compute exactly.
    let precision = if step.stage == Stage::Body { how.precision } else { Precision::Exact };
    let s = &Shapes { plan, how: How { precision, ..how } };
    let (cols, stride) = (|v| s.cols(v), |v| s.stride(v));
    let each = |w| parts(w).into_iter().zip(0..).map(move |(shape, i)| Part { s, w, i, shape });
    let dispatch = match step.op {
        Op::Embed { index, table, y, add } => {
            return each(table).map(|part| part.embed(index, y, add)).collect();
        }
        Op::Linear { x, w, bias, y, add } => {
            let product = Product::plain(x, bias, y, add);
            return integers(s, x, [w])
                .into_iter()
                .chain(each(w).map(|part| part.linear(&product)))
                .collect();
        }
        Op::Linears(ref fused) => return linears(s, fused, parts),
        Op::Place(ref fused) => place::place(s, fused),
        Op::ExpertLinear { x, w, bias, experts, y, n_out } => {
            return each(w).map(|part| part.expert_linear(x, bias, experts, y, n_out)).collect();
        }
        Op::Norm { kind, x, weight, bias, y, group, eps } => {
            let variant = Variant::plain("norm")
                .with(if kind == NormKind::Layer { "layer" } else { "rms" })
                .when(x == y, "in_place")
                .when(weight.is_some(), "weight")
                .when(bias.is_some(), "bias");
            let variant = s.in_subgroups(variant);
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
            let variant = s.of_cache(Variant::plain("cache_write").when(slots.is_some(), "slots"), cache);
            let sizes = [("N", cols(cache)), ("X_STRIDE", stride(x))];
            let bindings = [read(x), write(cache), slots.and_then(read)];
            let copied = match plan[cache].storage {
                Storage::Halves => 2,
                Storage::Bytes => 32,
                _ => 1,
            };
            Dispatch::new(variant, bindings, &sizes, s.threads(x, cols(cache) / copied))
        }
        Op::Attention { .. } => return attention::attention(s, &step.op),
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
                ("UP_STRIDE", if matches!(plan[up].storage, Storage::Vector) { 0 } else { stride(up) }),
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
        Op::Mask { logits, bias, allowed, y } => {
            let bindings = [read(logits), read(bias), read(allowed), write(y)];
            let sizes = [("N", cols(logits))];
            Dispatch::new(Variant::plain("mask"), bindings, &sizes, s.threads(y, cols(logits)))
        }
        Op::Penalize { logits, counts, y } => {
            let bindings = [read(logits), read(counts), write(y)];
            let sizes = [("N", cols(logits))];
            Dispatch::new(Variant::plain("penalize"), bindings, &sizes, s.threads(y, cols(logits)))
        }
        Op::Sample { scores, counts, ids } => {
            let bindings = [read(scores), write(counts), write(ids)];
            let variant = s.in_subgroups(Variant::plain("sample"));
            Dispatch::new(variant, bindings, &[("N", cols(scores))], Grid::fixed(1))
        }
    };
    vec![dispatch]
}
