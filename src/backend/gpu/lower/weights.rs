//! Dispatches that read weight matrices: one for each part of the matrix.

use super::{
    super::shader::{DOTS, SUBGROUPS, has_levels},
    Binding, Dispatch, Grid, PartShape, Shapes, THREADS, Variant, read, write,
};
use crate::{
    backend::Precision,
    plan::{End, Index, Linears, Norm, Storage, Value, padded},
};

/// Rows and outputs of a tile in `matmul.wgsl`: of a large one, where there are as many, and of a small one.
const TILES: [usize; 2] = [64, 32];

/// Workgroups from which on threads take several outputs each: so many keep a device busy.
const BUSY: usize = 128;

/// What is computed with the weights.
pub struct Product {
    pub x: Value,
    pub norm: Option<Norm>,
    pub bias: Option<Binding>,
    pub y: Value,
    pub end: End,
    /// Where the first output goes in `y`.
    pub start: usize,
    /// For a gate, how many rows the second layer lies below the first.
    pub up: usize,
}

impl Product {
    pub fn plain(x: Value, bias: Option<Value>, y: Value, add: bool) -> Product {
        let end = if add { End::Add } else { End::Store };
        Product { x, norm: None, bias: bias.and_then(read), y, end, start: 0, up: 0 }
    }
}

/// Whether products of several rows with a matrix are those of integers.
fn are_integers(s: &Shapes, w: Value, x: Value) -> bool {
    let has_levels = matches!(s.plan[w].storage, Storage::Matrix { dtype } if has_levels(dtype));
    let may = s.how.tiers.dots && s.how.choice.dots.is_some() && s.how.precision == Precision::Fast;
    may && has_levels && s.plan[x].rows > 1
}

/// Where the integers of activations lie between two steps: three words of four for each group of 32.
fn integers_of(s: &Shapes, x: Value, write: bool) -> Binding {
    Binding::Between { len: s.plan[x].rows * s.cols(x).div_ceil(32) * 12, write }
}

/// The dispatch that makes integers of activations, if one of the matrices is multiplied with such.
pub fn integers(s: &Shapes, x: Value, matrices: impl IntoIterator<Item = Value>) -> Option<Dispatch> {
    if !matrices.into_iter().any(|w| are_integers(s, w, x)) {
        return None;
    }
    let groups = s.cols(x).div_ceil(32);
    let sizes = [("GROUPS", groups), ("X_STRIDE", s.stride(x) / 4)];
    let bindings = [read(x), Some(integers_of(s, x, true))];
    Some(Dispatch::new(Variant::plain("quantize"), bindings, &sizes, s.threads(x, groups)))
}

/// Layers that lie one below the other are one dispatch.
pub fn linears(s: &Shapes, fused: &Linears, parts: &dyn Fn(Value) -> Vec<PartShape>) -> Vec<Dispatch> {
    let Linears { x, norm, ref layers, y, end } = *fused;
    let mut dispatches: Vec<_> = integers(s, x, layers.iter().map(|(w, _)| *w)).into_iter().collect();
    let mut start = 0;
    let mut rest = &layers[..];
    while let Some((&(w, bias), others)) = rest.split_first() {
        let mut all = parts(w);
        let mut n = 1;
        let mut up = 0;
        for (other, _) in others {
            let (last, next) = (all[all.len() - 1], parts(*other));
            let follows =
                next.len() == 1 && next[0].store == last.store && next[0].at == last.at + last.n_rows;
            if !follows {
                break;
            }
            n += 1;
            match end {
                End::Gate(_) => up = last.n_rows,
                _ => all.last_mut().expect("a matrix has parts").n_rows += next[0].n_rows,
            }
        }
        let (these, behind) = rest.split_at(n);
        let bias = match these {
            [_] => bias.and_then(read),
            _ if these.iter().all(|(_, bias)| bias.is_none()) => None,
            _ => Some(Binding::Biases(these.to_vec())),
        };
        for (i, shape) in all.iter().enumerate() {
            let product = Product { x, norm, bias: bias.clone(), y, end, start, up };
            dispatches.push(Part { s, w, i, shape: *shape }.linear(&product));
        }
        start += these.iter().map(|(w, _)| s.plan[*w].rows).sum::<usize>();
        rest = behind;
    }
    dispatches
}

/// How many outputs, or runs of them, a workgroup of `matvec.wgsl` has, and how many threads share one: none where it is a
/// subgroup, however large.
struct Teams {
    teams: usize,
    lanes: Option<usize>,
}

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

    /// How the threads of a workgroup of `matvec.wgsl` share its outputs.
    fn teams(&self) -> Teams {
        let groups = self.groups();
        // Of threads that go on in step, at most a quarter should wait for others.
        let busy = |lanes: usize| 4 * groups >= 3 * lanes * groups.div_ceil(lanes);
        let subgroups = self.s.how.tiers.subgroups.filter(|_| self.s.how.choice.subgroups);
        if let Some([least, most]) = subgroups {
            let mut sizes = (least.ilog2()..=most.ilog2()).map(|bits| 1 << bits);
            if sizes.all(busy) {
                // So many that no subgroup is without work, and where that is unknown, few enough for many workgroups.
                let teams = if least == most { THREADS.div_ceil(least) } else { 4 };
                return Teams { teams, lanes: None };
            }
        }
        let lanes = [64, 32, 16, 8, 4, 2].into_iter().find(|lanes| busy(*lanes)).unwrap_or(1);
        Teams { teams: THREADS / lanes, lanes: Some(lanes) }
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
            ("W_START", self.shape.at),
            ("OUT_START", self.shape.first_row),
            ("Y_STRIDE", self.s.stride(y) / 4),
        ];
        Dispatch::new(variant, bindings, &sizes, self.s.threads(y, self.groups())).constant("OFFSET", offset)
    }

    /// Constants of `shaders/lib/linear.wgsl`.
    fn linear_sizes(&self, x: Value, y: Value, start: usize) -> [(&'static str, usize); 6] {
        [
            ("GROUPS", self.groups()),
            ("N_OUT", self.shape.n_rows),
            ("W_START", self.shape.at),
            ("OUT_START", start + self.shape.first_row),
            ("X_STRIDE", self.s.stride(x) / 4),
            ("Y_STRIDE", self.s.stride(y)),
        ]
    }

    /// The outputs of linear layers that the part has the weights of.
    pub fn linear(&self, product: &Product) -> Dispatch {
        let Product { x, norm, ref bias, y, end, start, up } = *product;
        let sizes = self.linear_sizes(x, y, start);
        let has_bias = bias.is_some();
        let bias_start = has_bias.then_some(self.shape.first_row as f64);
        let bindings = [self.quants(), self.scales(), read(x), write(y), bias.clone()];
        let outputs = self.shape.n_rows;
        if self.s.plan[y].rows > 1 {
            let integers = are_integers(self.s, self.w, x);
            let choice = self.s.how.choice;
            let largest = if integers { choice.dots.unwrap_or(choice.tile) } else { choice.tile };
            let is_large = outputs.min(self.s.plan[y].rows) >= TILES[0] && largest >= TILES[0];
            let tile = if is_large { TILES[0] } else { TILES[1] };
            let grid = Grid::each(outputs.div_ceil(tile), tile);
            let variant = self
                .variant("matmul")
                .when(has_bias, "bias")
                .when(is_large, "large")
                .when(end == End::Add, "add")
                .when(integers, DOTS);
            let mut bindings = bindings;
            if integers {
                bindings[2] = Some(integers_of(self.s, x, false));
            }
            return Dispatch::new(variant, bindings, &sizes, grid).constant("BIAS_START", bias_start);
        }
        let each_wide = if matches!(end, End::Gate(_)) { 2 } else { 4 };
        let Teams { teams, lanes } = self.teams();
        let is_wide = outputs / (teams * each_wide) >= BUSY && self.s.how.choice.wide;
        let grid = outputs.div_ceil(teams * if is_wide { each_wide } else { 1 });
        let variant = self
            .variant("matvec")
            .when(has_bias, "bias")
            .when(norm.is_some(), "norm")
            .when(is_wide, "wide")
            .when(lanes.is_none(), SUBGROUPS)
            .when(end == End::Add, "add");
        let (variant, parameter) = match end {
            End::Store | End::Add => (variant, None),
            End::Map(f) => (variant.with("map").with(f.name()), Some(f64::from(f.parameter()))),
            End::Gate(f) => (variant.with("gated").with(f.name()), Some(f64::from(f.parameter()))),
        };
        let weight = norm.and_then(|norm| norm.weight).and_then(read);
        let bindings = [&bindings[..], &[None, weight]].concat();
        let mut dispatch = Dispatch::new(variant, [], &sizes, self.s.groups(y, grid))
            .constant("TEAMS", teams as f64)
            .constant("LANES", lanes.map(|lanes| lanes as f64))
            .constant("BIAS_START", bias_start)
            .constant("PARAMETER", parameter)
            .constant("UP_START", matches!(end, End::Gate(_)).then_some(up as f64))
            .constant("N_IN", norm.map(|_| self.s.cols(self.w) as f64))
            .constant("EPS", norm.map(|norm| f64::from(norm.eps)));
        dispatch.bindings = bindings;
        dispatch
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
        let Teams { teams, lanes } = self.teams();
        let variant = self
            .variant("matvec")
            .when(bias.is_some(), "bias")
            .when(lanes.is_none(), SUBGROUPS)
            .with("experts");
        let bindings = [self.quants(), self.scales(), read(x), write(y), bias.and_then(read), read(experts)];
        let sizes = [
            ("TEAMS", teams),
            ("EXPERTS_STRIDE", self.s.stride(experts)),
            ("N_EACH", n_out),
            ("X_SLOT", if shared { 0 } else { padded(n_in) / 4 }),
            ("Y_SLOT", padded(n_out)),
        ];
        let sizes = [&self.linear_sizes(x, y, 0)[..], &sizes].concat();
        let each = padded(n_out).div_ceil(teams);
        Dispatch::new(variant, bindings, &sizes, self.s.groups(y, k * each))
            .constant("LANES", lanes.map(|lanes| lanes as f64))
            .constant("BIAS_START", bias.map(|_| self.shape.first_row as f64))
    }
}
