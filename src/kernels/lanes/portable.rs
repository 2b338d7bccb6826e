//! The vectors as arrays.

use std::{
    array::from_fn,
    ops::{Add, Mul, Sub},
};

/// Four floats.
#[derive(Clone, Copy)]
pub struct F32x4([f32; 4]);

/// Four integers of 32 bits.
#[derive(Clone, Copy)]
pub struct I32x4([i32; 4]);

/// Eight integers of 16 bits.
#[derive(Clone, Copy)]
pub struct I16x8([i16; 8]);

/// Two integers of 64 bits.
#[derive(Clone, Copy)]
pub struct U64x2([u64; 2]);

/// What the table has for each index below 16.
#[inline(always)]
pub fn look_up(table: &[i8; 16], indices: &[u8; 16]) -> [i8; 16] {
    indices.map(|i| table[usize::from(i & 15)])
}

impl F32x4 {
    /// Four times the same.
    #[inline(always)]
    pub fn splat(x: f32) -> Self {
        F32x4([x; 4])
    }

    /// From memory.
    #[inline(always)]
    pub fn load(x: &[f32; 4]) -> Self {
        F32x4(*x)
    }

    /// The numbers.
    #[inline(always)]
    pub fn to_array(self) -> [f32; 4] {
        self.0
    }

    /// The larger of each pair; NaN if the first is.
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        F32x4(from_fn(|i| if self.0[i] < other.0[i] { other.0[i] } else { self.0[i] }))
    }

    /// The smaller of each pair; NaN if the first is.
    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        F32x4(from_fn(|i| if self.0[i] > other.0[i] { other.0[i] } else { self.0[i] }))
    }

    /// The nearest whole numbers, of magnitudes below 2^22.
    #[inline(always)]
    pub fn nearest(self) -> Self {
        // So large that the sum has no room for a fraction; rounded as all sums are, it is a vector instruction everywhere.
        const LARGE: f32 = 12_582_912.0; // 1.5 * 2^23
        F32x4(self.0.map(|x| (x + LARGE) - LARGE))
    }

    /// The quotients.
    #[inline(always)]
    pub fn over(self, other: Self) -> Self {
        F32x4(from_fn(|i| self.0[i] / other.0[i]))
    }

    /// Two to the power of each of these whole numbers from -126 to 127.
    #[inline(always)]
    pub fn power_of_two(self) -> Self {
        F32x4(self.0.map(|n| f32::from_bits(((n as i32 + 127) << 23) as u32)))
    }

    /// Zero where `x` is less than `least`.
    #[inline(always)]
    pub fn zero_where_less(self, x: Self, least: f32) -> Self {
        F32x4(from_fn(|i| if x.0[i] < least { 0.0 } else { self.0[i] }))
    }
}

impl F32x4 {
    /// Number `j` of vector `i` becomes number `i` of vector `j`.
    #[inline(always)]
    pub fn transpose(rows: [Self; 4]) -> [Self; 4] {
        from_fn(|j| F32x4(rows.map(|row| row.0[j])))
    }
}

impl Add for F32x4 {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        F32x4(from_fn(|i| self.0[i] + other.0[i]))
    }
}

impl Sub for F32x4 {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        F32x4(from_fn(|i| self.0[i] - other.0[i]))
    }
}

impl Mul for F32x4 {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        F32x4(from_fn(|i| self.0[i] * other.0[i]))
    }
}

impl I32x4 {
    /// Zeros.
    #[inline(always)]
    pub fn zero() -> Self {
        I32x4([0; 4])
    }

    /// The numbers.
    #[cfg(test)]
    pub fn to_array(self) -> [i32; 4] {
        self.0
    }

    /// As floats.
    #[inline(always)]
    pub fn to_f32(self) -> F32x4 {
        F32x4(self.0.map(|x| x as f32))
    }

    /// The sum of each of four vectors.
    #[inline(always)]
    pub fn totals(vectors: [Self; 4]) -> Self {
        I32x4(vectors.map(|x| x.0.into_iter().fold(0, i32::wrapping_add)))
    }
}

impl Add for I32x4 {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        I32x4(from_fn(|i| self.0[i].wrapping_add(other.0[i])))
    }
}

impl U64x2 {
    /// Zeros.
    #[inline(always)]
    pub fn zero() -> Self {
        U64x2([0; 2])
    }

    /// Of little-endian bytes.
    #[inline(always)]
    pub fn load(x: &[u8; 16]) -> Self {
        let (words, _) = x.as_chunks();
        U64x2(from_fn(|i| u64::from_le_bytes(words[i])))
    }

    /// The numbers.
    #[inline(always)]
    pub fn to_array(self) -> [u64; 2] {
        self.0
    }
}

/// Modulo 2^64.
impl Add for U64x2 {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        U64x2(from_fn(|i| self.0[i].wrapping_add(other.0[i])))
    }
}

impl I16x8 {
    /// From memory.
    #[inline(always)]
    pub fn load(x: &[i16; 8]) -> Self {
        I16x8(*x)
    }

    /// Integers of 8 bits from memory, widened.
    #[inline(always)]
    pub fn load_i8(x: &[i8; 8]) -> Self {
        I16x8(x.map(i16::from))
    }

    /// The nearest integers of eight numbers, within the range of 16 bits.
    #[inline(always)]
    pub fn rounded(low: F32x4, high: F32x4) -> Self {
        let integers = [low.nearest().0, high.nearest().0];
        I16x8(from_fn(|i| integers[i / 4][i % 4] as i16))
    }

    /// Four times the same pair.
    #[inline(always)]
    pub fn splat_pair(x: [i16; 2]) -> Self {
        I16x8(from_fn(|i| x[i % 2]))
    }

    /// Products of numbers, each two neighbours' added.
    #[inline(always)]
    pub fn dot(self, other: Self) -> I32x4 {
        let product = |i: usize| i32::from(self.0[i]) * i32::from(other.0[i]);
        I32x4(from_fn(|i| product(2 * i).wrapping_add(product(2 * i + 1))))
    }

    /// To memory.
    #[inline(always)]
    pub fn store(self, x: &mut [i16; 8]) {
        *x = self.0;
    }

    /// The pairs of four vectors, transposed: pair `j` of vector `i` becomes pair `i` of vector `j`.
    #[inline(always)]
    pub fn transpose(rows: [Self; 4]) -> [Self; 4] {
        from_fn(|j| I16x8(from_fn(|i| rows[i / 2].0[2 * j + i % 2])))
    }
}
