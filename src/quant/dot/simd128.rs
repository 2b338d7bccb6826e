//! Dot products in wasm's 128-bit vectors.

use core::arch::wasm32::*;

use super::Sum;
use crate::quant::{
    block::{Half, blocks},
    q4_0::Q4_0,
    q4_k::{Q4K, scale_and_min},
    q6_k::Q6K,
    q8_0::Q8_0,
};

/// [`Sum`] in four vectors of four.
pub struct Lanes([v128; 4]);

impl Sum for Lanes {
    #[inline(always)]
    fn zero() -> Self {
        Lanes([f32x4_splat(0.0); 4])
    }

    #[inline(always)]
    fn add(&mut self, a: &[f32; 16], b: &[f32; 16]) {
        for ((lane, a), b) in self.0.iter_mut().zip(a.as_chunks().0).zip(b.as_chunks().0) {
            *lane = f32x4_add(*lane, f32x4_mul(floats(a), floats(b)));
        }
    }

    #[inline(always)]
    fn total(self) -> f32 {
        let [a, b, c, d] = self.0;
        lanes_total(f32x4_add(f32x4_add(a, b), f32x4_add(c, d)))
    }
}

/// Q8_0 row by `x`.
pub fn q8_0(row: &[u8], x: &[f32]) -> f32 {
    let mut sum = f32x4_splat(0.0);
    for (block, x) in blocks::<Q8_0>(row).zip(x.as_chunks::<32>().0) {
        let [x0, x1] = halves(x);
        let [q0, q1] = bytes32(&block.qs);
        sum = add_scaled(sum, block.d, f32x4_add(dot_i8(q0, x0), dot_i8(q1, x1)));
    }
    lanes_total(sum)
}

/// Q4_0 row by `x`.
pub fn q4_0(row: &[u8], x: &[f32]) -> f32 {
    let eight = i8x16_splat(8);
    let mut sum = f32x4_splat(0.0);
    for (block, x) in blocks::<Q4_0>(row).zip(x.as_chunks::<32>().0) {
        let [x0, x1] = halves(x);
        let q = bytes(&block.qs);
        let low = dot_i8(i8x16_sub(low_nibbles(q), eight), x0);
        let high = dot_i8(i8x16_sub(u8x16_shr(q, 4), eight), x1);
        sum = add_scaled(sum, block.d, f32x4_add(low, high));
    }
    lanes_total(sum)
}

/// Q4_K row by `x`: `Σ (d q - m) x = d Σ q x - m Σ x` in every group of 32.
pub fn q4_k(row: &[u8], x: &[f32]) -> f32 {
    let (mut sum, mut mins) = (f32x4_splat(0.0), f32x4_splat(0.0));
    for (block, x) in blocks::<Q4K>(row).zip(x.as_chunks::<256>().0) {
        let (d, dmin) = (block.d.to_f32(), block.dmin.to_f32());
        for (c, (qs, x)) in block.qs.as_chunks().0.iter().zip(x.as_chunks::<64>().0).enumerate() {
            let [q0, q1] = bytes32(qs);
            let quants = [[low_nibbles(q0), low_nibbles(q1)], [u8x16_shr(q0, 4), u8x16_shr(q1, 4)]];
            for (odd, ([q0, q1], x)) in quants.into_iter().zip(x.as_chunks().0).enumerate() {
                let (scale, min) = scale_and_min(&block.scales, 2 * c + odd);
                let [x0, x1] = halves(x);
                let products = f32x4_add(dot_i8(q0, x0), dot_i8(q1, x1));
                sum = f32x4_add(sum, f32x4_mul(f32x4_splat(d * f32::from(scale)), products));
                let total = f32x4_add(add16(x0), add16(x1));
                mins = f32x4_add(mins, f32x4_mul(f32x4_splat(dmin * f32::from(min)), total));
            }
        }
    }
    lanes_total(f32x4_sub(sum, mins))
}

/// Q6_K row by `x`.
pub fn q6_k(row: &[u8], x: &[f32]) -> f32 {
    let (two_bits, bias) = (u8x16_splat(3), i8x16_splat(32));
    let mut sum = f32x4_splat(0.0);
    for (block, x) in blocks::<Q6K>(row).zip(x.as_chunks::<256>().0) {
        let d = block.d.to_f32();
        for (i, x) in x.as_chunks::<16>().0.iter().enumerate() {
            // Sixteen weights: half `h` of the block, its quarter `j`, that quarter's part `p`.
            let (h, j, p) = (i / 8, i / 2 % 4, i % 2);
            let low = bytes(&block.ql.as_chunks().0[4 * h + 2 * (j % 2) + p]);
            let low = if j < 2 { low_nibbles(low) } else { u8x16_shr(low, 4) };
            let high = v128_and(u8x16_shr(bytes(&block.qh.as_chunks().0[2 * h + p]), 2 * j as u32), two_bits);
            let q = i8x16_sub(v128_or(low, u8x16_shl(high, 4)), bias);
            let scale = f32x4_splat(d * f32::from(block.scales[i]));
            sum = f32x4_add(sum, f32x4_mul(scale, dot_i8(q, x)));
        }
    }
    lanes_total(sum)
}

/// Sixteen small integers by sixteen floats, into four lanes.
#[inline(always)]
fn dot_i8(q: v128, x: &[f32; 16]) -> v128 {
    let (low, high) = (i16x8_extend_low_i8x16(q), i16x8_extend_high_i8x16(q));
    let quads = [
        i32x4_extend_low_i16x8(low),
        i32x4_extend_high_i16x8(low),
        i32x4_extend_low_i16x8(high),
        i32x4_extend_high_i16x8(high),
    ];
    let mut sum = [f32x4_splat(0.0); 4];
    for ((sum, q), x) in sum.iter_mut().zip(quads).zip(x.as_chunks().0) {
        *sum = f32x4_mul(f32x4_convert_i32x4(q), floats(x));
    }
    f32x4_add(f32x4_add(sum[0], sum[1]), f32x4_add(sum[2], sum[3]))
}

/// Sixteen floats added into four lanes.
#[inline(always)]
fn add16(x: &[f32; 16]) -> v128 {
    let [a, b, c, d] = [0, 1, 2, 3].map(|i| floats(&x.as_chunks().0[i]));
    f32x4_add(f32x4_add(a, b), f32x4_add(c, d))
}

#[inline(always)]
fn add_scaled(sum: v128, scale: Half, products: v128) -> v128 {
    f32x4_add(sum, f32x4_mul(f32x4_splat(scale.to_f32()), products))
}

#[inline(always)]
fn low_nibbles(q: v128) -> v128 {
    v128_and(q, u8x16_splat(15))
}

#[inline(always)]
fn lanes_total(v: v128) -> f32 {
    (f32x4_extract_lane::<0>(v) + f32x4_extract_lane::<1>(v))
        + (f32x4_extract_lane::<2>(v) + f32x4_extract_lane::<3>(v))
}

#[inline(always)]
fn halves(x: &[f32; 32]) -> [&[f32; 16]; 2] {
    let (halves, _) = x.as_chunks();
    [&halves[0], &halves[1]]
}

#[inline(always)]
fn bytes32(q: &[u8; 32]) -> [v128; 2] {
    let (halves, _) = q.as_chunks();
    [bytes(&halves[0]), bytes(&halves[1])]
}

#[inline(always)]
fn floats(x: &[f32; 4]) -> v128 {
    // SAFETY: the reference covers the 16 bytes, and the instruction takes any alignment.
    unsafe { v128_load(x.as_ptr().cast()) }
}

#[inline(always)]
fn bytes(q: &[u8; 16]) -> v128 {
    // SAFETY: as above.
    unsafe { v128_load(q.as_ptr().cast()) }
}
