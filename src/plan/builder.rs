//! Makes plans: declares values, appends steps, and checks shapes as it goes, so that a plan that was built fits together.

use std::rc::Rc;

use super::{AttentionShape, Op, Plan, RopeStyle, Stage, Step, Storage, Value, ValueInfo};
use crate::quant::DType;

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

    /// The weight vector `[n]` called `name` in the checkpoint.
    pub fn vector(&mut self, name: &str, n: usize) -> Value {
        self.value(name, Storage::Vector, 1, n)
    }

    /// Numbers known now.
    pub fn constant(&mut self, name: &str, numbers: Rc<[f32]>, cols: usize) -> Value {
        let rows = numbers.len() / cols;
        self.value(name, Storage::Constant(numbers), rows, cols)
    }

    /// f32 memory shared by name with the model's other plans.
    pub fn state(&mut self, name: &str, rows: usize, cols: usize) -> Value {
        self.value(name, Storage::State, rows, cols)
    }

    /// u32 memory shared by name with the model's other plans.
    pub fn state_u32(&mut self, name: &str, cols: usize) -> Value {
        self.value(name, Storage::StateU32, 1, cols)
    }

    /// Scratch that some step writes, then others read.
    pub fn activation(&mut self, name: &str, rows: usize, cols: usize) -> Value {
        self.value(name, Storage::Activation, rows, cols)
    }

    fn push(&mut self, op: Op) {
        self.plan.steps.push(Step { op, stage: self.stage });
    }

    /// Looks `ids` up in `table`.
    pub fn embed(&mut self, ids: Value, table: Value) -> Value {
        let y = self.activation("embedding", self.plan.max_rows, self.plan[table].cols);
        self.push(Op::Embed { ids, table, y });
        y
    }

    /// A normed copy of `x`.
    pub fn rms_norm(&mut self, x: Value, weight: Value, eps: f32) -> Value {
        let info = &self.plan[x];
        let (rows, cols) = (info.rows, info.cols);
        assert_eq!(cols % self.plan[weight].cols, 0, "norm width divides the row");
        let y = self.activation("normed", rows, cols);
        self.push(Op::RmsNorm { x, weight, y, eps });
        y
    }

    /// Norms each head of `x` in place.
    pub fn rms_norm_in_place(&mut self, x: Value, weight: Value, eps: f32) {
        assert_eq!(self.plan[x].cols % self.plan[weight].cols, 0, "norm width divides the row");
        self.push(Op::RmsNorm { x, weight, y: x, eps });
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
    pub fn rope(&mut self, x: Value, table: Value, head_dim: usize, style: RopeStyle) {
        assert!(self.plan[table].cols <= head_dim, "rope dims fit a head");
        self.push(Op::Rope { x, table, head_dim, style });
    }

    /// Appends the rows of `x` to a cache.
    pub fn cache_write(&mut self, x: Value, cache: Value) {
        assert_eq!(self.plan[x].cols, self.plan[cache].cols, "cache width");
        self.push(Op::CacheWrite { x, cache });
    }

    /// Causal attention over the cache.
    pub fn attention(&mut self, q: Value, k_cache: Value, v_cache: Value, shape: AttentionShape) -> Value {
        assert_eq!(self.plan[q].cols, shape.n_heads * shape.head_dim, "query width");
        assert_eq!(self.plan[k_cache].cols, shape.n_kv_heads * shape.head_dim, "cache width");
        let y = self.activation("attended", self.plan[q].rows, self.plan[q].cols);
        self.push(Op::Attention { q, k_cache, v_cache, y, shape });
        y
    }

    /// `gate = silu(gate) * up`.
    pub fn swiglu(&mut self, gate: Value, up: Value) {
        assert_eq!(self.plan[gate].cols, self.plan[up].cols, "gate and up width");
        self.push(Op::SwiGlu { gate, up });
    }

    /// The run's last row.
    pub fn last_row(&mut self, x: Value) -> Value {
        let y = self.activation("last row", 1, self.plan[x].cols);
        self.push(Op::LastRow { x, y });
        y
    }

    /// Penalties, then the draw; the token's id goes to `ids[0]`.
    pub fn sample(&mut self, logits: Value, counts: Value, ids: Value) {
        let y = self.activation("scores", 1, self.plan[logits].cols);
        self.push(Op::Penalize { logits, counts, y });
        self.push(Op::Sample { scores: y, counts, ids });
    }
}
