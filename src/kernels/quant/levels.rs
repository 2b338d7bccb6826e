//! Weights as small integers: what most quantized types are, so that products with activations can be integers too.

use super::{
    CHUNK,
    block::blocks,
    rows::{QuantizedRow, Rows},
};
use crate::lanes::{F32x4, I16x8, I32x4};
use bytemuck::AnyBitPattern;

/// A block whose weights are levels of 8 bits with a scale, and in some types a minimum, for every `G` of them:
/// `w = scale * level - min`.
pub trait Grouped<const LEN: usize, const G: usize>: AnyBitPattern {
    /// Whether there are minima.
    const MINS: bool = false;
    /// The levels in order.
    fn levels(&self, levels: &mut [i8; LEN]);
    /// Scale and minimum of group `g`.
    fn scale(&self, g: usize) -> (f32, f32);
}

/// Up to [`CHUNK`] weights of a row.
pub struct Unpacked {
    /// The levels.
    pub levels: [i8; CHUNK],
    /// The groups' scales.
    pub scales: [f32; CHUNK / 16],
    /// The groups' minima.
    pub mins: [f32; CHUNK / 16],
}

impl Default for Unpacked {
    fn default() -> Self {
        Unpacked { levels: [0; CHUNK], scales: [0.0; CHUNK / 16], mins: [0.0; CHUNK / 16] }
    }
}

/// How a type is [`Grouped`], for code that knows the types by [`super::TypeInfo`] alone.
#[derive(Debug)]
pub struct Levels {
    /// Weights of a group: 16 or 32.
    pub group: usize,
    /// Whether any group has a minimum.
    pub has_mins: bool,
    /// Whole blocks, at most [`CHUNK`] weights of them.
    pub unpack: fn(bytes: &[u8], unpacked: &mut Unpacked),
    /// The dot product of one packed row with a row of activations, which was quantized for this type. `scratch` is memory
    /// to work in.
    pub dot: fn(row: &[u8], x: QuantizedRow, scratch: &mut Unpacked) -> f32,
}

impl Levels {
    /// Of a block.
    pub const fn of<B: Grouped<LEN, G>, const LEN: usize, const G: usize>() -> Levels {
        Levels { group: G, has_mins: B::MINS, unpack: unpack::<B, LEN, G>, dot: dot::<B, LEN, G> }
    }

    /// Room for rows of activations of `n_in` numbers, made for this type.
    pub fn rows(&self, n_in: usize) -> Rows {
        Rows::new(n_in, self.group)
    }
}

/// Whole blocks to their weights.
pub fn dequantize<B: Grouped<LEN, G>, const LEN: usize, const G: usize>(bytes: &[u8], weights: &mut [f32]) {
    let mut levels = [0; LEN];
    for (block, weights) in blocks::<B>(bytes).zip(weights.as_chunks_mut::<LEN>().0) {
        block.levels(&mut levels);
        for (g, (weights, levels)) in
            weights.as_chunks_mut::<G>().0.iter_mut().zip(levels.as_chunks::<G>().0).enumerate()
        {
            let (scale, min) = block.scale(g);
            *weights = levels.map(|level| scale * f32::from(level) - min);
        }
    }
}

#[inline(always)]
fn unpack<B: Grouped<LEN, G>, const LEN: usize, const G: usize>(bytes: &[u8], unpacked: &mut Unpacked) {
    let levels = unpacked.levels.as_chunks_mut().0;
    let scales = unpacked.scales.chunks_exact_mut(LEN / G).zip(unpacked.mins.chunks_exact_mut(LEN / G));
    for ((block, levels), (scales, mins)) in blocks::<B>(bytes).zip(levels).zip(scales) {
        block.levels(levels);
        for (g, (scale, min)) in scales.iter_mut().zip(mins).enumerate() {
            let group = block.scale(g);
            *scale = group.0;
            if B::MINS {
                *min = group.1;
            }
        }
    }
}

fn dot<B: Grouped<LEN, G>, const LEN: usize, const G: usize>(
    row: &[u8],
    x: QuantizedRow,
    unpacked: &mut Unpacked,
) -> f32 {
    let (mut sum, mut mins) = (F32x4::splat(0.0), 0.0);
    let chunks = row.chunks(CHUNK / LEN * size_of::<B>()).zip(x.levels.chunks(CHUNK));
    for (c, (bytes, x_levels)) in chunks.enumerate() {
        unpack::<B, LEN, G>(bytes, unpacked);
        let mut part = F32x4::splat(0.0);
        let groups = unpacked.levels.as_chunks::<G>().0.iter().zip(x_levels.as_chunks::<G>().0);
        for ((levels, x), scale) in groups.zip(&unpacked.scales) {
            let mut products = I32x4::zero();
            for (w, x) in levels.as_chunks().0.iter().zip(x.as_chunks().0) {
                products = products + I16x8::load_i8(w).dot(I16x8::load(x));
            }
            part = part + products.to_f32() * F32x4::splat(*scale);
        }
        sum = sum + part * F32x4::splat(x.scales[c]);
        if B::MINS {
            let sums = &x.sums[c * (CHUNK / G)..];
            mins += unpacked.mins.iter().zip(sums).take(CHUNK / G).map(|(min, sum)| min * sum).sum::<f32>();
        }
    }
    sum.total() - mins
}
