//! A [`Plan`] is a network as data: an ordered list of [`Step`]s over [`Value`]s, made once per model and
//! replayed for every token. It knows no device: the CPU backend interprets it, the GPU backend turns each
//! step into a dispatch with buffers made beforehand. It prints as a table ([`std::fmt::Display`]).

mod adapt;
mod builder;
mod display;
mod function;
mod fuse;
mod fused;
mod memory;
mod op;
mod run;

pub use adapt::{Adaptation, Addition, Replaced, adapt};
pub use builder::{Attention, Builder, Norm};
pub use function::Function;
pub use fuse::fuse;
pub use fused::{End, Linears, Place, Rotation};
pub use memory::{Slot, assign_slots};
pub use op::{AttentionShape, Index, Keys, NormKind, Op, RopeStyle, Routing};
pub use run::{Run, Sampling};

use std::rc::Rc;

use crate::{
    error::{Error, Result},
    quant::DType,
};

/// A handle to one array of a plan; `plan[value]` tells what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(pub(crate) u32);

/// Where a value's memory comes from and how long it lives.
#[derive(Debug, Clone)]
pub enum Storage {
    /// A matrix of the checkpoint, in the type that its file has: `[n_out, n_in]`, rows contiguous.
    Matrix {
        /// The type of its blocks.
        dtype: DType,
    },
    /// A vector of the checkpoint (norm weights, biases), widened to f32.
    Vector,
    /// Numbers computed when the plan was built, e.g. the rotation table of RoPE.
    Constant(Rc<[f32]>),
    /// f32 memory that outlives the plan and is shared by name with the model's other plans, e.g. the KV cache.
    State,
    /// Like [`Storage::State`], rounded to half precision: written by steps that fill a cache, read by attentions.
    Halves,
    /// Like [`Storage::Halves`], rounded to signed bytes: each 32 numbers of a row have a scale.
    Bytes,
    /// Like [`Storage::State`], of `u32`: token ids and counts.
    StateU32,
    /// f32 scratch that lives from its first to its last use within one run.
    Activation,
}

/// The precision in which keys and values are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)] // as llama.cpp writes it
pub enum KvCache {
    /// As they are computed.
    #[default]
    F32,
    /// In half the memory, which is half of what a long text makes a token read.
    F16,
    /// In 9 of 32 bits: bytes, and a scale for every 32 numbers of a head.
    Q8_0,
}

/// What a value is.
#[derive(Debug, Clone)]
pub struct ValueInfo {
    /// The tensor's name in the checkpoint for weights, the shared name for states, a label otherwise.
    pub name: String,
    /// Where it lives.
    pub storage: Storage,
    /// Rows: `n_out` of a matrix, the chunk's rows of an activation, positions of a cache.
    pub rows: usize,
    /// Numbers in a row.
    pub cols: usize,
}

impl ValueInfo {
    /// Bytes of a state on a device that packs what is rounded.
    pub fn state_bytes(&self) -> u64 {
        let numbers = self.rows as u64 * self.cols as u64;
        match self.storage {
            Storage::Halves => 2 * numbers,
            Storage::Bytes => numbers / 32 * 36,
            _ => 4 * numbers,
        }
    }

    /// Distance between rows in numbers. Activations are padded with zeros to whole groups of 32, the unit in
    /// which kernels read weights, so that a partial group multiplies zeros.
    pub fn stride(&self) -> usize {
        match self.storage {
            Storage::Activation => padded(self.cols),
            _ => self.cols,
        }
    }
}

impl KvCache {
    /// By the name that options have for it.
    ///
    /// # Errors
    /// [`Error::Input`] for any name but `f32`, `f16` and `q8_0`.
    pub fn named(name: &str) -> Result<KvCache> {
        match name {
            "f32" => Ok(KvCache::F32),
            "f16" => Ok(KvCache::F16),
            "q8_0" => Ok(KvCache::Q8_0),
            other => Err(Error::input("kv_cache", format!("`{other}` is not f32, f16 or q8_0"))),
        }
    }

    /// What it is to plans.
    pub fn storage(self) -> Storage {
        match self {
            KvCache::F32 => Storage::State,
            KvCache::F16 => Storage::Halves,
            KvCache::Q8_0 => Storage::Bytes,
        }
    }
}

/// Numbers that `n` of them take with the zeros behind them.
pub fn padded(n: usize) -> usize {
    n.next_multiple_of(32)
}

/// Parts of a plan that can be run alone: a prefill chunk that is not the last stops after the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// All layers; fills the KV cache.
    Body,
    /// Logits.
    Logits,
    /// Choose the next token.
    Sample,
}

/// One operation and the part of the plan it belongs to.
#[derive(Debug, Clone)]
pub struct Step {
    /// What is computed.
    pub op: Op,
    /// The part of the plan.
    pub stage: Stage,
}

/// The whole network, ready to be prepared by a backend.
#[derive(Debug, Clone)]
pub struct Plan {
    /// `decode`, `prefill`, …: for messages and profiles.
    pub name: String,
    /// The most rows (tokens) that one run takes.
    pub max_rows: usize,
    /// All arrays.
    pub values: Vec<ValueInfo>,
    /// All operations in order.
    pub steps: Vec<Step>,
}

impl std::ops::Index<Value> for Plan {
    type Output = ValueInfo;

    fn index(&self, value: Value) -> &ValueInfo {
        &self.values[value.0 as usize]
    }
}

impl Plan {
    /// The value called `name`, e.g. a state that is read back.
    pub fn find(&self, name: &str) -> Option<Value> {
        self.values.iter().position(|info| info.name == name).map(|i| Value(i as u32))
    }

    /// The same plan for a backend that has its constants already: they are found by name, like states.
    pub fn without_constants(&self) -> Plan {
        let mut plan = self.clone();
        for info in &mut plan.values {
            if let Storage::Constant(numbers) = &mut info.storage {
                *numbers = Rc::default();
            }
        }
        plan
    }

    /// Whether the weights of all its matrices are small integers with scales.
    pub fn is_of_integers(&self) -> bool {
        self.values.iter().all(|info| match info.storage {
            Storage::Matrix { dtype } => dtype.info().levels.is_some(),
            _ => true,
        })
    }

    /// Bytes of weights that one run reads: every matrix once, of a table the rows looked up, of experts those chosen.
    pub fn weight_bytes(&self, n_rows: usize) -> u64 {
        let bytes = |w: Value, rows: usize| match self[w].storage {
            Storage::Matrix { dtype } => rows as u64 * dtype.info().row_bytes(self[w].cols) as u64,
            _ => 0,
        };
        let read = |step: &Step| match step.op {
            Op::Embed { table, .. } => bytes(table, n_rows),
            Op::Linear { w, .. } => bytes(w, self[w].rows),
            Op::Linears(ref fused) => fused.layers.iter().map(|(w, _)| bytes(*w, self[*w].rows)).sum(),
            Op::ExpertLinear { w, experts, n_out, .. } => {
                bytes(w, (n_rows * self[experts].cols / 2 * n_out).min(self[w].rows))
            }
            _ => 0,
        };
        self.steps.iter().map(read).sum()
    }

    /// Bytes of keys and values that a run of one row reads where it sees `seen` rows of a cache: of a window, its own.
    pub fn cache_bytes(&self, seen: usize) -> u64 {
        let row_bytes = |value: Value| self[value].state_bytes() / self[value].rows.max(1) as u64;
        let read = |step: &Step| match step.op {
            Op::Attention { k, v, shape, keys: Keys::Causal, .. } => {
                shape.window.map_or(seen, |window| window.min(seen)) as u64 * (row_bytes(k) + row_bytes(v))
            }
            _ => 0,
        };
        self.steps.iter().map(read).sum()
    }
}
