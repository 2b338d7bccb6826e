//! Weights as small integers: what most quantized types are, so that products with activations can be integers too.

use std::array::from_fn;

use super::{
    CHUNK,
    block::{Half, blocks},
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
    /// The same where the block has them as they are.
    #[inline(always)]
    fn plain_levels(&self) -> Option<&[i8; LEN]> {
        None
    }
    /// Scale and minimum of group `g`.
    fn scale(&self, g: usize) -> (f32, f32);
    /// Scales and minima of all groups of a few blocks.
    #[inline(always)]
    fn scales(blocks: &[Self], scales: &mut PerGroup, mins: &mut PerGroup) {
        let places = scales.chunks_exact_mut(LEN / G).zip(mins.chunks_exact_mut(LEN / G));
        for (block, (scales, mins)) in blocks.iter().zip(places) {
            for (g, (scale, min)) in scales.iter_mut().zip(mins).enumerate() {
                let group = block.scale(g);
                *scale = group.0;
                if Self::MINS {
                    *min = group.1;
                }
            }
        }
    }
}

/// A number for each group of [`CHUNK`] weights.
pub type PerGroup = [f32; CHUNK / 16];

/// One half of each block as floats; of a whole [`CHUNK`] of blocks with 32 weights all at once.
#[inline(always)]
pub fn widen<B>(blocks: &[B], half: impl Fn(&B) -> Half, floats: &mut PerGroup) {
    match <&[B; CHUNK / 32]>::try_from(blocks) {
        Ok(blocks) => {
            let halves: [Half; CHUNK / 32] = from_fn(|i| half(&blocks[i]));
            floats[..CHUNK / 32].copy_from_slice(&halves.map(Half::to_f32));
        }
        Err(_) => floats.iter_mut().zip(blocks).for_each(|(x, block)| *x = half(block).to_f32()),
    }
}

/// Up to [`CHUNK`] weights of a row.
pub struct Unpacked {
    /// The levels.
    pub levels: [i8; CHUNK],
    /// The groups' scales.
    pub scales: PerGroup,
    /// The groups' minima.
    pub mins: PerGroup,
}

impl Default for Unpacked {
    fn default() -> Self {
        Unpacked { levels: [0; CHUNK], scales: [0.0; CHUNK / 16], mins: [0.0; CHUNK / 16] }
    }
}

/// Rows of weights that share the loads of activations: one for each number of a vector.
pub const ABREAST: usize = 4;

/// How a type is [`Grouped`], for code that knows the types by [`super::TypeInfo`] alone.
#[derive(Debug)]
pub struct Levels {
    /// Weights of a group: 16 or 32.
    pub group: usize,
    /// Whether any group has a minimum.
    pub has_mins: bool,
    /// Whole blocks, at most [`CHUNK`] weights of them.
    pub unpack: fn(bytes: &[u8], unpacked: &mut Unpacked),
    /// The dot products of packed rows with a row of activations, which was quantized for this type.
    pub dots: fn(rows: [&[u8]; ABREAST], x: QuantizedRow) -> [f32; ABREAST],
}

impl Levels {
    /// Of a block.
    pub const fn of<B: Grouped<LEN, G>, const LEN: usize, const G: usize>() -> Levels {
        Levels { group: G, has_mins: B::MINS, unpack: unpack::<B, LEN, G>, dots: dots::<B, LEN, G> }
    }

    /// Room for `n` rows of activations of `n_in` numbers, made for this type.
    pub fn rows(&self, n: usize, n_in: usize) -> Rows {
        Rows::new(n, n_in, self.group)
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

fn unpack<B: Grouped<LEN, G>, const LEN: usize, const G: usize>(bytes: &[u8], unpacked: &mut Unpacked) {
    for (block, levels) in blocks::<B>(bytes).zip(unpacked.levels.as_chunks_mut().0) {
        block.levels(levels);
    }
    B::scales(bytemuck::cast_slice(bytes), &mut unpacked.scales, &mut unpacked.mins);
}

/// The same sums in the same order as in a panel's tile, so that a row of activations has the same products alone and among
/// others.
fn dots<B: Grouped<LEN, G>, const LEN: usize, const G: usize>(
    rows: [&[u8]; ABREAST],
    x: QuantizedRow,
) -> [f32; ABREAST] {
    let (mut sums, mut mins) = (F32x4::splat(0.0), F32x4::splat(0.0));
    let (mut scales, mut minima) = ([PerGroup::default(); ABREAST], [PerGroup::default(); ABREAST]);
    let mut room = [[0; LEN]; ABREAST];
    let rows = rows.map(bytemuck::cast_slice::<u8, B>);
    for (c, xs) in x.levels.chunks(CHUNK).enumerate() {
        let blocks = rows.map(|row| &row[c * (CHUNK / LEN)..][..xs.len() / LEN]);
        for ((blocks, scales), minima) in blocks.iter().zip(&mut scales).zip(&mut minima) {
            B::scales(blocks, scales, minima);
        }
        let (scales, minima) = (abreast::<G>(&scales), abreast::<G>(&minima));
        let x_scale = F32x4::splat(x.scales[c]);
        for (b, xs) in xs.as_chunks::<LEN>().0.iter().enumerate() {
            let mut rooms = room.iter_mut();
            let levels = blocks.map(|blocks| levels_in(&blocks[b], rooms.next()));
            for (g, xs) in xs.as_chunks::<G>().0.iter().enumerate() {
                let levels = levels.map(|levels| levels.as_chunks::<G>().0[g].as_chunks::<8>().0);
                let mut products = [I32x4::zero(); ABREAST];
                for (j, x) in xs.as_chunks().0.iter().enumerate() {
                    let x = I16x8::load(x);
                    products = from_fn(|r| products[r] + I16x8::load_i8(&levels[r][j]).dot(x));
                }
                let group = b * (LEN / G) + g;
                sums = sums + I32x4::totals(products).to_f32() * (scales[group] * x_scale);
                if B::MINS {
                    let x_sum = F32x4::splat(x.sums[c * (CHUNK / G) + group]);
                    mins = mins + minima[group] * x_sum;
                }
            }
        }
    }
    if B::MINS { sums - mins } else { sums }.to_array()
}

/// The rows' numbers of each group side by side, for groups of `G`.
#[inline(always)]
fn abreast<const G: usize>(rows: &[PerGroup; ABREAST]) -> [F32x4; CHUNK / 16] {
    let mut groups = [F32x4::splat(0.0); CHUNK / 16];
    for (q, groups) in groups.as_chunks_mut().0.iter_mut().enumerate().take(CHUNK / G / 4) {
        *groups = F32x4::transpose(from_fn(|r| F32x4::load(&rows[r].as_chunks().0[q])));
    }
    groups
}

/// A block's levels, put into `room` if they lie nowhere else.
#[inline(always)]
fn levels_in<'a, B: Grouped<LEN, G>, const LEN: usize, const G: usize>(
    block: &'a B,
    room: Option<&'a mut [i8; LEN]>,
) -> &'a [i8; LEN] {
    match (block.plain_levels(), room) {
        (Some(levels), _) => levels,
        (None, Some(room)) => {
            block.levels(room);
            room
        }
        (None, None) => unreachable!("each row has room"),
    }
}
