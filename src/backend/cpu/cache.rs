//! Keys and values that are kept in less memory than f32 takes: see [`crate::plan::KvCache`].

use std::ops::Range;

use intab_kernels::{
    cache::{GROUP, from_bytes, from_halves, to_bytes, to_halves},
    quant::Half,
};

use super::{
    attention::Strided,
    ops::{Memory, room},
    out_of_memory,
};
use crate::{
    error::Result,
    plan::{Keys, Run, Storage, Value, ValueInfo},
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

    /// Appends the bytes of rows, `row_bytes` each: a row's numbers and then, where it has any, its scales.
    pub fn append_rows(&self, rows: Range<usize>, row_bytes: usize, to: &mut Vec<u8>) {
        match self {
            Packed::Halves(halves) => {
                let halves = &halves[rows.start * row_bytes / 2..rows.end * row_bytes / 2];
                to.extend(halves.iter().flat_map(|half| half.to_bytes()));
            }
            Packed::Bytes { levels, scales } => {
                let n_scales = n_scales(row_bytes);
                let all = levels.chunks_exact(n_scales * GROUP).zip(scales.chunks_exact(n_scales));
                for (levels, scales) in all.skip(rows.start).take(rows.len()) {
                    to.extend_from_slice(bytemuck::cast_slice(levels));
                    to.extend_from_slice(bytemuck::cast_slice(scales));
                }
            }
        }
    }

    /// Takes rows, from this one on, from such bytes.
    pub fn set_rows(&mut self, first: usize, bytes: &[u8], row_bytes: usize) {
        match self {
            Packed::Halves(halves) => {
                for (half, bytes) in halves[first * row_bytes / 2..].iter_mut().zip(bytes.as_chunks().0) {
                    *half = Half::from_bytes(*bytes);
                }
            }
            Packed::Bytes { levels, scales } => {
                let n_scales = n_scales(row_bytes);
                let rows = levels.chunks_exact_mut(n_scales * GROUP).zip(scales.chunks_exact_mut(n_scales));
                for ((levels, scales), row) in rows.skip(first).zip(bytes.chunks_exact(row_bytes)) {
                    let (own, rest) = row.split_at(levels.len());
                    levels.copy_from_slice(bytemuck::cast_slice(own));
                    bytemuck::cast_slice_mut(scales).copy_from_slice(rest);
                }
            }
        }
    }
}

impl Memory<'_> {
    /// Keeps a row in a slot of a cache, rounded as that wants it.
    pub fn keep(&mut self, cache: Value, slot: usize, row: &[f32]) {
        let info = &self.plan[cache];
        let start = slot * info.cols;
        match self.caches.get_mut(&info.name) {
            Some(packed) => packed.write(start, row),
            None => {
                let cells = self.floats.get_mut(&info.name).expect("prepared state");
                cells[start..][..row.len()].copy_from_slice(row);
            }
        }
    }

    /// Whether a cache is kept otherwise than as it is.
    pub fn is_packed(&self, value: Value) -> bool {
        self.caches.contains_key(&self.plan[value].name)
    }

    /// The rows of a cache that the run's first `n` rows see among them.
    pub fn seen(&self, keys: Keys, window: Option<usize>, n: usize, run: &Run) -> Range<usize> {
        match keys {
            Keys::Causal => {
                let pos = run.pos as usize;
                (pos + 1).saturating_sub(window.unwrap_or(usize::MAX))..pos + n
            }
            Keys::Table(table) => {
                let slots = (0..n).flat_map(|r| {
                    let row = self.words(table, r);
                    row[1..][..row[0] as usize].iter()
                });
                0..slots.max().map_or(0, |slot| *slot as usize + 1)
            }
            // These look at what is no cache.
            Keys::Spans(_) | Keys::All => 0..0,
        }
    }

    /// Keys and values as they are, or of packed ones these rows.
    pub fn unpacked<'s>(
        &'s self,
        kv: [Value; 2],
        rows: Range<usize>,
        spare: &'s mut Vec<f32>,
    ) -> [Strided<'s>; 2] {
        let [k, v] = kv.map(|value| self.caches.get(&self.plan[value].name));
        let (Some(k), Some(v)) = (k, v) else { return kv.map(|value| self.strided(value)) };
        let stride = self.plan[kv[0]].cols;
        let (keys, values) = room(spare, 2 * rows.len() * stride).split_at_mut(rows.len() * stride);
        k.read(rows.start * stride, keys);
        v.read(rows.start * stride, values);
        [keys, values].map(|numbers| Strided { numbers: &*numbers, stride })
    }
}

/// The scales of a row of bytes that has so many with them.
fn n_scales(row_bytes: usize) -> usize {
    row_bytes / (GROUP + 4)
}

fn filled<T: Copy>(with: T, n: usize, info: &ValueInfo) -> Result<Vec<T>> {
    let mut all = Vec::new();
    all.try_reserve_exact(n).map_err(|_| out_of_memory(&info.name, info.state_bytes()))?;
    all.resize(n, with);
    Ok(all)
}
