//! The vectors as wasm's `simd128` instructions.

use core::arch::wasm32::*;
use std::ops::{Add, Mul, Sub};

/// Four floats.
#[derive(Clone, Copy)]
pub struct F32x4(v128);

/// Four integers of 32 bits.
#[derive(Clone, Copy)]
pub struct I32x4(v128);

/// Eight integers of 16 bits.
#[derive(Clone, Copy)]
pub struct I16x8(v128);

/// Two integers of 64 bits.
#[derive(Clone, Copy)]
pub struct U64x2(v128);

/// What the table has for each index below 16.
#[inline(always)]
pub fn look_up(table: &[i8; 16], indices: &[u8; 16]) -> [i8; 16] {
    let mut found = [0; 16];
    // SAFETY: the references cover 16 bytes each, and the instructions take any alignment.
    unsafe {
        let (table, indices) = (v128_load(table.as_ptr().cast()), v128_load(indices.as_ptr().cast()));
        v128_store(found.as_mut_ptr().cast(), i8x16_swizzle(table, indices));
    }
    found
}

impl F32x4 {
    /// Four times the same.
    #[inline(always)]
    pub fn splat(x: f32) -> Self {
        F32x4(f32x4_splat(x))
    }

    /// From memory.
    #[inline(always)]
    pub fn load(x: &[f32; 4]) -> Self {
        // SAFETY: the reference covers the 16 bytes, and the instruction takes any alignment.
        F32x4(unsafe { v128_load(x.as_ptr().cast()) })
    }

    /// The numbers.
    #[inline(always)]
    pub fn to_array(self) -> [f32; 4] {
        let mut x = [0.0; 4];
        // SAFETY: the reference covers the 16 bytes, and the instruction takes any alignment.
        unsafe { v128_store(x.as_mut_ptr().cast(), self.0) };
        x
    }

    /// The larger of each pair; NaN if either is.
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        F32x4(f32x4_max(self.0, other.0))
    }

    /// The smaller of each pair; NaN if either is.
    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        F32x4(f32x4_min(self.0, other.0))
    }

    /// The nearest whole numbers.
    #[inline(always)]
    pub fn nearest(self) -> Self {
        F32x4(f32x4_nearest(self.0))
    }

    /// The quotients.
    #[inline(always)]
    pub fn over(self, other: Self) -> Self {
        F32x4(f32x4_div(self.0, other.0))
    }

    /// Two to the power of each of these whole numbers from -126 to 127.
    #[inline(always)]
    pub fn power_of_two(self) -> Self {
        let biased = i32x4_add(i32x4_trunc_sat_f32x4(self.0), i32x4_splat(127));
        F32x4(i32x4_shl(biased, 23))
    }

    /// Zero where `x` is less than `least`.
    #[inline(always)]
    pub fn zero_where_less(self, x: Self, least: f32) -> Self {
        F32x4(v128_andnot(self.0, f32x4_lt(x.0, f32x4_splat(least))))
    }
}

impl F32x4 {
    /// Number `j` of vector `i` becomes number `i` of vector `j`.
    #[inline(always)]
    pub fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        let low = |a: v128, b: v128| i32x4_shuffle::<0, 4, 1, 5>(a, b);
        let high = |a: v128, b: v128| i32x4_shuffle::<2, 6, 3, 7>(a, b);
        let (ab_low, ab_high, cd_low, cd_high) =
            (low(a.0, b.0), high(a.0, b.0), low(c.0, d.0), high(c.0, d.0));
        [
            F32x4(i64x2_shuffle::<0, 2>(ab_low, cd_low)),
            F32x4(i64x2_shuffle::<1, 3>(ab_low, cd_low)),
            F32x4(i64x2_shuffle::<0, 2>(ab_high, cd_high)),
            F32x4(i64x2_shuffle::<1, 3>(ab_high, cd_high)),
        ]
    }
}

impl Add for F32x4 {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        F32x4(f32x4_add(self.0, other.0))
    }
}

impl Sub for F32x4 {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        F32x4(f32x4_sub(self.0, other.0))
    }
}

impl Mul for F32x4 {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        F32x4(f32x4_mul(self.0, other.0))
    }
}

impl I32x4 {
    /// Zeros.
    #[inline(always)]
    pub fn zero() -> Self {
        I32x4(i32x4_splat(0))
    }

    /// The numbers.
    #[cfg(test)]
    pub fn to_array(self) -> [i32; 4] {
        let mut x = [0; 4];
        // SAFETY: the reference covers the 16 bytes, and the instruction takes any alignment.
        unsafe { v128_store(x.as_mut_ptr().cast(), self.0) };
        x
    }

    /// As floats.
    #[inline(always)]
    pub fn to_f32(self) -> F32x4 {
        F32x4(f32x4_convert_i32x4(self.0))
    }

    /// The sum of each of four vectors.
    #[inline(always)]
    pub fn totals([a, b, c, d]: [Self; 4]) -> Self {
        let halves = |a: Self, b: Self| {
            i32x4_add(i32x4_shuffle::<0, 4, 1, 5>(a.0, b.0), i32x4_shuffle::<2, 6, 3, 7>(a.0, b.0))
        };
        let (ab, cd) = (halves(a, b), halves(c, d));
        I32x4(i32x4_add(i64x2_shuffle::<0, 2>(ab, cd), i64x2_shuffle::<1, 3>(ab, cd)))
    }
}

impl Add for I32x4 {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        I32x4(i32x4_add(self.0, other.0))
    }
}

impl U64x2 {
    /// Zeros.
    #[inline(always)]
    pub fn zero() -> Self {
        U64x2(u64x2_splat(0))
    }

    /// Of little-endian bytes.
    #[inline(always)]
    pub fn load(x: &[u8; 16]) -> Self {
        // SAFETY: the reference covers the 16 bytes, and the instruction takes any alignment.
        U64x2(unsafe { v128_load(x.as_ptr().cast()) })
    }

    /// The numbers.
    #[inline(always)]
    pub fn to_array(self) -> [u64; 2] {
        [u64x2_extract_lane::<0>(self.0), u64x2_extract_lane::<1>(self.0)]
    }
}

/// Modulo 2^64.
impl Add for U64x2 {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        U64x2(u64x2_add(self.0, other.0))
    }
}

impl I16x8 {
    /// From memory.
    #[inline(always)]
    pub fn load(x: &[i16; 8]) -> Self {
        // SAFETY: the reference covers the 16 bytes, and the instruction takes any alignment.
        I16x8(unsafe { v128_load(x.as_ptr().cast()) })
    }

    /// Integers of 8 bits from memory, widened.
    #[inline(always)]
    pub fn load_i8(x: &[i8; 8]) -> Self {
        // SAFETY: the reference covers the 8 bytes, and the instruction takes any alignment.
        I16x8(unsafe { i16x8_load_extend_i8x8(x.as_ptr()) })
    }

    /// The nearest integers of eight numbers, within the range of 16 bits.
    #[inline(always)]
    pub fn rounded(low: F32x4, high: F32x4) -> Self {
        // The lowest bit of a float as large as this counts ones: the sum is rounded to them, and its bits are integers. What
        // wasm has for it takes a dozen instructions on x86.
        let large = f32x4_splat(12_582_912.0);
        let integers = |x: F32x4| i32x4_sub(f32x4_add(x.0, large), large);
        I16x8(i16x8_narrow_i32x4(integers(low), integers(high)))
    }

    /// Four times the same pair.
    #[inline(always)]
    pub fn splat_pair(x: [i16; 2]) -> Self {
        I16x8(i32x4_splat((x[0] as u16 as u32 | (x[1] as u32) << 16) as i32))
    }

    /// Products of numbers, each two neighbours' added.
    #[inline(always)]
    pub fn dot(self, other: Self) -> I32x4 {
        I32x4(i32x4_dot_i16x8(self.0, other.0))
    }

    /// To memory.
    #[inline(always)]
    pub fn store(self, x: &mut [i16; 8]) {
        // SAFETY: the reference covers the 16 bytes, and the instruction takes any alignment.
        unsafe { v128_store(x.as_mut_ptr().cast(), self.0) };
    }

    /// The pairs of four vectors, transposed: pair `j` of vector `i` becomes pair `i` of vector `j`.
    #[inline(always)]
    pub fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        let (ab_low, ab_high) =
            (i32x4_shuffle::<0, 4, 1, 5>(a.0, b.0), i32x4_shuffle::<2, 6, 3, 7>(a.0, b.0));
        let (cd_low, cd_high) =
            (i32x4_shuffle::<0, 4, 1, 5>(c.0, d.0), i32x4_shuffle::<2, 6, 3, 7>(c.0, d.0));
        [
            I16x8(i64x2_shuffle::<0, 2>(ab_low, cd_low)),
            I16x8(i64x2_shuffle::<1, 3>(ab_low, cd_low)),
            I16x8(i64x2_shuffle::<0, 2>(ab_high, cd_high)),
            I16x8(i64x2_shuffle::<1, 3>(ab_high, cd_high)),
        ]
    }
}
