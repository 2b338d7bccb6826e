//! Operations that stand for several: what [`super::fuse`] makes of the plain ones of [`Op`](super::Op). Each computes
//! what its parts would, in one dispatch instead of many.

use super::{Function, Norm, RopeStyle, Value};

/// Linear layers of one input side by side, with what stands before and behind them.
#[derive(Debug, Clone)]
pub struct Linears {
    /// `[rows, n_in]`.
    pub x: Value,
    /// What `x` goes through first, whole rows at a time: a norm with a weight and no bias.
    pub norm: Option<Norm>,
    /// Matrices `[n_out, n_in]`, each with its bias.
    pub layers: Vec<(Value, Option<Value>)>,
    /// `[rows, Σ n_out]`; with [`End::Gate`], `[rows, n_out]`.
    pub y: Value,
    /// What becomes of the products.
    pub end: End,
}

/// What becomes of a product `p` of a linear layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    /// `y = p`.
    Store,
    /// `y += p`.
    Add,
    /// `y = f(p)`.
    Map(Function),
    /// `y = f(p) * p'` with the product `p'` of the second of two layers.
    Gate(Function),
}

/// Puts queries and keys into the form that they are compared in (norm, limit, rotation), and keys and values into the cache.
#[derive(Debug, Clone)]
pub struct Place {
    /// `[rows, (n_heads + 2 n_kv_heads) * head_dim]`: queries, keys and values side by side. Queries change in place.
    pub qkv: Value,
    /// Of the queries.
    pub n_heads: usize,
    /// Of the keys, and of the values.
    pub n_kv_heads: usize,
    /// Numbers in a head.
    pub head_dim: usize,
    /// Of queries and of keys, head by head; both or none, of one kind and eps, without biases.
    pub norms: Option<[Norm; 2]>,
    /// Then queries, keys and values are cut off at this magnitude.
    pub clip: Option<f32>,
    /// Then queries and keys are rotated.
    pub rope: Option<Rotation>,
    /// `[n_slots, n_kv_heads * head_dim]` each: the keys' and the values'.
    pub caches: [Value; 2],
    /// Slots of the cache, one for each row; none stands for `pos + r`.
    pub slots: Option<Value>,
}

/// How heads are rotated: see [`super::Op::Rope`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rotation {
    /// `[n, rope_dims]`.
    pub table: Value,
    /// Positions, one for each row.
    pub positions: Option<Value>,
    /// Which numbers form a pair.
    pub style: RopeStyle,
}

impl Linears {
    /// Everything that is read.
    pub fn reads(&self) -> Vec<Value> {
        let norm = self.norm.and_then(|norm| norm.weight);
        let layers = self.layers.iter().flat_map(|(w, bias)| [Some(*w), *bias]);
        let sum = (self.end == End::Add).then_some(self.y);
        [Some(self.x), norm, sum].into_iter().chain(layers).flatten().collect()
    }
}

impl Place {
    /// Everything that is read.
    pub fn reads(&self) -> Vec<Value> {
        let norms = self.norms.iter().flatten().map(|norm| norm.weight);
        let rope = self.rope.iter().flat_map(|rope| [Some(rope.table), rope.positions]);
        [Some(self.qkv), self.slots].into_iter().chain(norms).chain(rope).flatten().collect()
    }

    /// Everything that is written.
    pub fn writes(&self) -> Vec<Value> {
        vec![self.qkv, self.caches[0], self.caches[1]]
    }
}
