//! How the numbers of a value lie in its buffer.

use std::ops::Range;

use crate::plan::{Storage, ValueInfo};

/// See `shaders/lib/cache.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cells {
    /// Four bytes each.
    Numbers,
    /// Two in a word.
    Halves,
    /// Of rows with so many numbers: their bytes, and behind them a scale for every 32.
    Bytes(usize),
}

impl Cells {
    pub fn of(info: &ValueInfo) -> Cells {
        match info.storage {
            Storage::Halves => Cells::Halves,
            Storage::Bytes => Cells::Bytes(info.cols),
            _ => Cells::Numbers,
        }
    }

    /// The numbers as they lie from the value's beginning on; of rows, whole ones.
    pub fn encode(self, numbers: &[f32]) -> Vec<u8> {
        match self {
            Cells::Numbers => bytemuck::cast_slice(numbers).to_vec(),
            Cells::Halves => {
                numbers.iter().flat_map(|x| half::f16::from_f32(*x).to_bits().to_le_bytes()).collect()
            }
            Cells::Bytes(cols) => numbers.chunks_exact(cols).flat_map(encode_row).collect(),
        }
    }

    /// The bytes in which some of the numbers lie.
    pub fn place(self, numbers: Range<usize>) -> Range<u64> {
        let bytes = |n: usize, each: usize| (each * n) as u64;
        match self {
            Cells::Numbers => bytes(numbers.start, 4)..bytes(numbers.end, 4),
            Cells::Halves => bytes(numbers.start, 2)..bytes(numbers.end, 2),
            Cells::Bytes(cols) => {
                let row_bytes = cols / 32 * 36;
                bytes(numbers.start / cols, row_bytes)..bytes(numbers.end.div_ceil(cols), row_bytes)
            }
        }
    }

    /// The numbers that were asked for of what lies in [`Cells::place`].
    pub fn decode(self, bytes: &[u8], numbers: Range<usize>) -> Vec<f32> {
        match self {
            Cells::Numbers => bytemuck::pod_collect_to_vec(bytes),
            Cells::Halves => {
                let words: Vec<u16> = bytemuck::pod_collect_to_vec(bytes);
                words.into_iter().map(|bits| half::f16::from_bits(bits).to_f32()).collect()
            }
            Cells::Bytes(cols) => {
                let rows = bytes.chunks_exact(cols / 32 * 36).flat_map(|row| decode_row(row, cols));
                rows.skip(numbers.start % cols).take(numbers.len()).collect()
            }
        }
    }
}

fn encode_row(row: &[f32]) -> Vec<u8> {
    let scale = |block: &[f32]| block.iter().fold(0.0f32, |most, x| most.max(x.abs())) / 127.0;
    let bytes = row.chunks(32).flat_map(|block| {
        let scale = scale(block).max(1e-30);
        block.iter().map(move |x| (x / scale).round_ties_even() as i8 as u8)
    });
    let scales = row.chunks(32).flat_map(|block| scale(block).to_le_bytes());
    bytes.chain(scales).collect()
}

fn decode_row(row: &[u8], cols: usize) -> impl Iterator<Item = f32> {
    let (bytes, scales) = row.split_at(cols);
    let scales: Vec<f32> = bytemuck::pod_collect_to_vec(scales);
    bytes.iter().enumerate().map(move |(i, byte)| f32::from(*byte as i8) * scales[i / 32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_from_any_place() {
        let numbers: Vec<f32> = (0..256).map(|i| f32::from(i as i16 % 128 - 63)).collect();
        for (cells, within) in [(Cells::Numbers, 0.0), (Cells::Halves, 0.0), (Cells::Bytes(64), 0.3)] {
            let bytes = cells.encode(&numbers);
            for range in [0..256, 64..128, 70..75, 200..256] {
                let place = cells.place(range.clone());
                let part = &bytes[place.start as usize..place.end as usize];
                for (found, expected) in cells.decode(part, range.clone()).iter().zip(&numbers[range.clone()])
                {
                    assert!(
                        (found - expected).abs() <= within,
                        "{cells:?} {range:?}: {found} for {expected}"
                    );
                }
                assert_eq!(cells.decode(part, range.clone()).len(), range.len());
            }
        }
    }
}
