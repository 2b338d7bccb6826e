//! Keys and values that are kept in less memory than f32 takes: see [`crate::plan::KvCache`].

use intab_kernels::{
    cache::{GROUP, from_bytes, from_halves, to_bytes, to_halves},
    quant::Half,
};

use super::out_of_memory;
use crate::{
    error::Result,
    plan::{Storage, ValueInfo},
};

/// The numbers of one cache, row after row.
pub(super) enum Packed {
    Halves(Vec<Half>),
    Bytes { levels: Vec<i8>, scales: Vec<f32> },
}

impl Packed {
    /// Zeros; none for a state that is kept as it is.
    pub fn new(info: &ValueInfo) -> Result<Option<Packed>> {
        let n = info.rows * info.cols;
        Ok(match info.storage {
            Storage::Halves => Some(Packed::Halves(filled(Half::from_bytes([0; 2]), n, info)?)),
            Storage::Bytes => Some(Packed::Bytes {
                levels: filled(0, n, info)?,
                scales: filled(0.0, n.div_ceil(GROUP), info)?,
            }),
            _ => None,
        })
    }

    /// Bytes of memory.
    pub fn n_bytes(&self) -> usize {
        match self {
            Packed::Halves(halves) => 2 * halves.len(),
            Packed::Bytes { levels, scales } => levels.len() + 4 * scales.len(),
        }
    }

    /// Rounds numbers and keeps them from number `start` on, where a group begins.
    pub fn write(&mut self, start: usize, numbers: &[f32]) {
        match self {
            Packed::Halves(halves) => to_halves(numbers, &mut halves[start..][..numbers.len()]),
            Packed::Bytes { levels, scales } => {
                to_bytes(numbers, &mut levels[start..][..numbers.len()], &mut scales[start / GROUP..]);
            }
        }
    }

    /// The numbers from `start` on, where a group begins.
    pub fn read(&self, start: usize, numbers: &mut [f32]) {
        match self {
            Packed::Halves(halves) => from_halves(&halves[start..][..numbers.len()], numbers),
            Packed::Bytes { levels, scales } => {
                from_bytes(&levels[start..][..numbers.len()], &scales[start / GROUP..], numbers);
            }
        }
    }
}

fn filled<T: Copy>(with: T, n: usize, info: &ValueInfo) -> Result<Vec<T>> {
    let mut all = Vec::new();
    all.try_reserve_exact(n).map_err(|_| out_of_memory(&info.name, info.state_bytes()))?;
    all.resize(n, with);
    Ok(all)
}
