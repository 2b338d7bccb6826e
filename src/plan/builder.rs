//! Makes plans: declares values, appends steps, and checks shapes as it goes, so that a plan that was built fits together.

use std::rc::Rc;

use super::{
    AttentionShape, Function, Index, Keys, KvCache, NormKind, Op, Plan, RopeStyle, Routing, Stage, Step,
    Storage, Value, ValueInfo, padded,
};
use crate::quant::DType;

/// A norm's weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norm {
    /// What is divided by.
    pub kind: NormKind,
    /// Factors, or none where they are all one.
    pub weight: Option<Value>,
    /// What is added, or none.
    pub bias: Option<Value>,
    /// Keeps the root from zero.
    pub eps: f32,
}

/// How an attention looks at its keys.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Heads and scale.
    pub shape: AttentionShape,
    /// What each row sees.
    pub keys: Keys,
    /// Added to scores by distance: see [`Op::Attention`].
    pub bias: Option<Value>,
    /// Scores of keys without values.
    pub sinks: Option<Value>,
}

/// Appends steps to a [`Plan`]. Methods that compute return the value they made. Shapes are the model
/// builder's duty; a mismatch is a bug there and panics when the plan is built, never when it runs.
pub struct Builder {
    plan: Plan,
    stage: Stage,
}

impl Builder {
    /// A plan whose runs take up to `max_rows` rows.
    pub fn new(name: &str, max_rows: usize) -> Self {
        let plan = Plan { name: name.into(), max_rows, values: Vec::new(), steps: Vec::new() };
        Builder { plan, stage: Stage::Body }
    }

    /// Steps from here on belong to `stage`.
    pub fn stage(&mut self, stage: Stage) {
        self.stage = stage;
    }

    /// The finished plan.
    pub fn finish(self) -> Plan {
        self.plan
    }

    fn value(&mut self, name: &str, storage: Storage, rows: usize, cols: usize) -> Value {
        self.plan.values.push(ValueInfo { name: name.into(), storage, rows, cols });
        Value(self.plan.values.len() as u32 - 1)
    }

    /// The weight matrix `[n_out, n_in]` called `name` in the checkpoint. Naming it twice gives the same value.
    pub fn matrix(&mut self, name: &str, dtype: DType, n_out: usize, n_in: usize) -> Value {
        match self.plan.find(name) {
            Some(value) => value,
            None => self.value(name, Storage::Matrix { dtype }, n_out, n_in),
        }
    }

    /// The weight vector `[n]` called `name` in the checkpoint. Naming it twice gives the same value.
    pub fn vector(&mut self, name: &str, n: usize) -> Value {
        match self.plan.find(name) {
            Some(value) => value,
            None => self.value(name, Storage::Vector, 1, n),
        }
    }

    /// Numbers known now. Naming them twice gives the same value.
    pub fn constant(&mut self, name: &str, numbers: Rc<[f32]>, cols: usize) -> Value {
        match self.plan.find(name) {
            Some(value) => value,
            None => {
                let rows = numbers.len() / cols;
                self.value(name, Storage::Constant(numbers), rows, cols)
            }
        }
    }

    /// f32 memory shared by name with the model's other plans.
    pub fn state(&mut self, name: &str, rows: usize, cols: usize) -> Value {
        self.value(name, Storage::State, rows, cols)
    }

    /// A cache of keys or values.
    pub fn cache(&mut self, name: &str, rows: usize, cols: usize, precision: KvCache) -> Value {
        self.value(name, precision.storage(), rows, cols)
    }

    /// u32 memory shared by name with the model's other plans.
    pub fn state_u32(&mut self, name: &str, rows: usize, cols: usize) -> Value {
        self.value(name, Storage::StateU32, rows, cols)
    }

    /// Scratch that some step writes, then others read.
    pub fn activation(&mut self, name: &str, rows: usize, cols: usize) -> Value {
        self.value(name, Storage::Activation, rows, cols)
    }

    fn push(&mut self, op: Op) {
        self.plan.steps.push(Step { op, stage: self.stage });
    }

    /// An activation of as many rows as `like` has.
    fn beside(&mut self, like: Value, name: &str, cols: usize) -> Value {
        self.activation(name, self.plan[like].rows, cols)
    }

    /// Rows of `value`.
    pub fn rows(&self, value: Value) -> usize {
        self.plan[value].rows
    }

    /// Numbers in a row of `value`.
    pub fn cols(&self, value: Value) -> usize {
        self.plan[value].cols
    }

    /// Rows of `table` by `index`.
    pub fn embed(&mut self, index: Index, table: Value) -> Value {
        let y = self.activation("embedding", self.plan.max_rows, self.plan[table].cols);
        self.push(Op::Embed { index, table, y, add: false });
        y
    }

    /// `sum[r] += table[index(r)]`.
    pub fn embed_add(&mut self, index: Index, table: Value, sum: Value) {
        assert_eq!(self.plan[table].cols, self.plan[sum].cols, "embedding width");
        self.push(Op::Embed { index, table, y: sum, add: true });
    }

    /// A normed copy of `x`, each `group` of numbers by itself.
    pub fn norm(&mut self, x: Value, norm: Norm, group: usize) -> Value {
        let y = self.beside(x, "normed", self.plan[x].cols);
        self.norm_to(x, norm, group, y);
        y
    }

    /// Norms `x` into `y`, which may be `x` itself.
    pub fn norm_to(&mut self, x: Value, norm: Norm, group: usize, y: Value) {
        let Norm { kind, weight, bias, eps } = norm;
        let cols = self.plan[x].cols;
        assert_eq!(cols % group, 0, "norm groups divide the row");
        for value in [weight, bias].into_iter().flatten() {
            assert!([group, cols].contains(&self.plan[value].cols), "norm {}", self.plan[value].name);
        }
        self.push(Op::Norm { kind, x, weight, bias, y, group, eps });
    }

    /// `x wᵀ (+ bias)`.
    pub fn linear(&mut self, x: Value, w: Value, bias: Option<Value>, name: &str) -> Value {
        let y = self.activation(name, self.plan[x].rows, self.plan[w].rows);
        self.linear_to(x, w, bias, y, false);
        y
    }

    /// `sum += x wᵀ (+ bias)`: the end of a residual branch.
    pub fn linear_add(&mut self, x: Value, w: Value, bias: Option<Value>, sum: Value) {
        self.linear_to(x, w, bias, sum, true);
    }

    /// `y = x wᵀ (+ bias)`, or `y += …`, into a given value.
    pub fn linear_to(&mut self, x: Value, w: Value, bias: Option<Value>, y: Value, add: bool) {
        assert_eq!(self.plan[x].cols, self.plan[w].cols, "linear {}: n_in", self.plan[w].name);
        assert_eq!(self.plan[y].cols, self.plan[w].rows, "linear {}: n_out", self.plan[w].name);
        self.push(Op::Linear { x, w, bias, y, add });
    }

    /// Rotates the heads of `x` in place.
    pub fn rope(
        &mut self,
        x: Value,
        table: Value,
        positions: Option<Value>,
        head_dim: usize,
        style: RopeStyle,
    ) {
        assert!(self.plan[table].cols <= head_dim, "rope dims fit a head");
        self.push(Op::Rope { x, table, positions, head_dim, style });
    }

    /// Writes the rows of `x` to a cache.
    pub fn cache_write(&mut self, x: Value, cache: Value, slots: Option<Value>) {
        assert_eq!(self.plan[x].cols, self.plan[cache].cols, "cache width");
        self.push(Op::CacheWrite { x, cache, slots });
    }

    /// Attention of `q` over keys and values.
    pub fn attention(&mut self, q: Value, k: Value, v: Value, how: Attention) -> Value {
        let Attention { shape, keys, bias, sinks } = how;
        assert_eq!(self.plan[q].cols, shape.q_dim(), "query width");
        assert_eq!(self.plan[k].cols, shape.kv_dim(), "key width");
        let y = self.beside(q, "attended", self.plan[q].cols);
        self.push(Op::Attention { q, k, v, y, shape, keys, bias, sinks });
        y
    }

    /// `x = f(x)`.
    pub fn map(&mut self, x: Value, f: Function) {
        self.push(Op::Map { x, f });
    }

    /// `gate = f(gate) * up`, where `up` may be one number a row.
    pub fn gate(&mut self, gate: Value, up: Value, f: Function) {
        assert!([1, self.plan[gate].cols].contains(&self.plan[up].cols), "gate and up width");
        self.push(Op::Gate { gate, up, f });
    }

    /// `sum += x`.
    pub fn add(&mut self, x: Value, sum: Value) {
        assert_eq!(self.plan[x].cols, self.plan[sum].cols, "sum width");
        self.push(Op::Add { x, y: sum });
    }

    /// The mean of each row's span.
    pub fn mean(&mut self, x: Value, spans: Value) -> Value {
        let y = self.beside(x, "mean", self.plan[x].cols);
        self.push(Op::Mean { x, spans, y });
        y
    }

    /// The numbers and weights of each row's `k` best experts.
    pub fn route(&mut self, scores: Value, k: usize, routing: Routing) -> Value {
        let experts = self.beside(scores, "experts", 2 * k);
        self.push(Op::Route { scores, experts, routing });
        experts
    }

    /// A layer of `n_out` outputs of each row's experts.
    pub fn expert_linear(
        &mut self,
        x: Value,
        w: Value,
        bias: Option<Value>,
        experts: Value,
        n_out: usize,
    ) -> Value {
        let (k, n_in) = (self.plan[experts].cols / 2, self.plan[w].cols);
        assert!([n_in, k * padded(n_in)].contains(&self.plan[x].cols), "expert {}", self.plan[w].name);
        let y = self.beside(x, "expert", k * padded(n_out));
        self.push(Op::ExpertLinear { x, w, bias, experts, y, n_out });
        y
    }

    /// `sum += ` the experts' outputs by their weights.
    pub fn combine(&mut self, x: Value, experts: Value, sum: Value) {
        self.push(Op::Combine { x, experts, y: sum });
    }

    /// The run's last row: `x` itself where runs have one.
    pub fn last_row(&mut self, x: Value) -> Value {
        if self.plan[x].rows == 1 {
            return x;
        }
        let y = self.activation("last row", 1, self.plan[x].cols);
        self.push(Op::Copy { x, y, last: true });
        y
    }

    /// `y = x`.
    pub fn copy(&mut self, x: Value, y: Value) {
        assert_eq!(self.plan[x].cols, self.plan[y].cols, "copy width");
        self.push(Op::Copy { x, y, last: false });
    }

    /// What the logits of tokens become that may come: see [`Op::Mask`].
    pub fn mask(&mut self, logits: Value, bias: Value, allowed: Value) -> Value {
        let n = self.plan[logits].cols;
        assert_eq!(self.plan[bias].cols, n, "bias width");
        assert_eq!(self.plan[allowed].cols, n.div_ceil(32), "mask width");
        let y = self.activation("allowed", 1, n);
        self.push(Op::Mask { logits, bias, allowed, y });
        y
    }

    /// Penalties, then the draw; the token's id goes to `ids[0]`.
    pub fn sample(&mut self, logits: Value, counts: Value, ids: Value) {
        let y = self.activation("scores", 1, self.plan[logits].cols);
        self.push(Op::Penalize { logits, counts, y });
        self.push(Op::Sample { scores: y, counts, ids });
    }
}
