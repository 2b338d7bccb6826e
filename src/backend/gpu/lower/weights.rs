//! Dispatches that read weight matrices: one for each part of the matrix.

use super::{Binding, Dispatch, Grid, PartShape, Shapes, THREADS, Variant, read, write};
use crate::plan::{Index, Storage, Value, padded};

/// Rows and outputs of a tile in `matmul.wgsl`.
const TILE: usize = 32;

/// A matrix, or one part of it.
pub struct Part<'a> {
    pub s: &'a Shapes<'a>,
    pub w: Value,
    /// Which part it is.
    pub i: usize,
    pub shape: PartShape,
}

impl Part<'_> {
    fn quants(&self) -> Option<Binding> {
        Some(Binding::Quants(self.w, self.i))
    }

    fn scales(&self) -> Option<Binding> {
        Some(Binding::Scales(self.w, self.i))
    }

    /// Groups of 32 numbers in a row.
    fn groups(&self) -> usize {
        self.s.cols(self.w).div_ceil(32)
    }

    /// As many threads on one output of `matvec.wgsl` as there are groups to share, up to the workgroup.
    fn lanes(&self) -> usize {
        self.groups().next_power_of_two().min(THREADS)
    }

    fn variant(&self, kernel: &'static str) -> Variant {
        let dtype = match self.s.plan[self.w].storage {
            Storage::Matrix { dtype } => Some(dtype),
            _ => None,
        };
        Variant::plain(kernel).of(dtype)
    }

    /// `y[r] = w[index(r)]`, for the rows that the part has.
    pub fn embed(&self, index: Index, y: Value, add: bool) -> Dispatch {
        let (ids, offset) = match index {
            Index::State(ids) => (Some(ids), None),
            Index::Position(offset) => (None, Some(offset as f64)),
        };
        let variant = self.variant("embed").when(ids.is_some(), "ids").when(add, "add");
        let bindings = [self.quants(), self.scales(), write(y), ids.and_then(read)];
        let sizes = [
            ("GROUPS", self.groups()),
            ("N_ROWS", self.s.plan[self.w].rows),
            ("N_OUT", self.shape.n_rows),
            ("OUT_START", self.shape.first_row),
            ("Y_STRIDE", self.s.stride(y) / 4),
        ];
        Dispatch::new(variant, bindings, &sizes, self.s.threads(y, self.groups())).constant("OFFSET", offset)
    }

    /// Constants of `shaders/lib/linear.wgsl`.
    fn linear_sizes(&self, x: Value, y: Value) -> [(&'static str, usize); 5] {
        [
            ("GROUPS", self.groups()),
            ("N_OUT", self.shape.n_rows),
            ("OUT_START", self.shape.first_row),
            ("X_STRIDE", self.s.stride(x) / 4),
            ("Y_STRIDE", self.s.stride(y)),
        ]
    }

    /// The outputs of a linear layer that the part has the weights of.
    pub fn linear(&self, x: Value, bias: Option<Value>, y: Value, add: bool) -> Dispatch {
        let one_row = self.s.plan[y].rows == 1;
        let outputs = self.shape.n_rows;
        let (kernel, lanes, grid) = match one_row {
            true => {
                let x = outputs.div_ceil(THREADS / self.lanes());
                ("matvec", Some(self.lanes() as f64), self.s.groups(y, x))
            }
            false => {
                ("matmul", None, Grid { x: outputs.div_ceil(TILE) as u32, rows_each: Some(TILE as u32) })
            }
        };
        let variant = self.variant(kernel).when(bias.is_some(), "bias").when(add, "add");
        let bindings = [self.quants(), self.scales(), read(x), write(y), bias.and_then(read)];
        Dispatch::new(variant, bindings, &self.linear_sizes(x, y), grid).constant("LANES", lanes)
    }

    /// The same for the experts of each row.
    pub fn expert_linear(
        &self,
        x: Value,
        bias: Option<Value>,
        experts: Value,
        y: Value,
        n_out: usize,
    ) -> Dispatch {
        let (k, n_in) = (self.s.cols(experts) / 2, self.s.cols(self.w));
        let shared = self.s.cols(x) == n_in;
        let variant = self.variant("matvec").when(bias.is_some(), "bias").with("experts");
        let bindings = [self.quants(), self.scales(), read(x), write(y), bias.and_then(read), read(experts)];
        let sizes = [
            ("LANES", self.lanes()),
            ("EXPERTS_STRIDE", self.s.stride(experts)),
            ("N_EACH", n_out),
            ("X_SLOT", if shared { 0 } else { padded(n_in) / 4 }),
            ("Y_SLOT", padded(n_out)),
        ];
        let sizes = [&self.linear_sizes(x, y)[..], &sizes].concat();
        let each = padded(n_out).div_ceil(THREADS / self.lanes());
        Dispatch::new(variant, bindings, &sizes, self.s.groups(y, k * each))
    }
}
