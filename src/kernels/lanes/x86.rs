//! The vectors as SSE2, which every x86-64 processor has.

use core::arch::x86_64::*;
use std::ops::{Add, Mul, Sub};

/// Intrinsics are unsafe where a processor may lack them.
macro_rules! sse {
    ($expression:expr) => {
        // SAFETY: x86-64 has SSE2; what is loaded or stored is as long as its reference, and may lie anywhere.
        unsafe { $expression }
    };
}

/// Four floats.
#[derive(Clone, Copy)]
pub struct F32x4(__m128);

/// Four integers of 32 bits.
#[derive(Clone, Copy)]
pub struct I32x4(__m128i);

/// Eight integers of 16 bits.
#[derive(Clone, Copy)]
pub struct I16x8(__m128i);

/// Two integers of 64 bits.
#[derive(Clone, Copy)]
pub struct U64x2(__m128i);

/// What the table has for each index below 16.
#[inline(always)]
pub fn look_up(table: &[i8; 16], indices: &[u8; 16]) -> [i8; 16] {
    indices.map(|i| table[usize::from(i & 15)])
}

impl F32x4 {
    /// Four times the same.
    #[inline(always)]
    pub fn splat(x: f32) -> Self {
        sse!(F32x4(_mm_set1_ps(x)))
    }

    /// From memory.
    #[inline(always)]
    pub fn load(x: &[f32; 4]) -> Self {
        sse!(F32x4(_mm_loadu_ps(x.as_ptr())))
    }

    /// The numbers.
    #[inline(always)]
    pub fn to_array(self) -> [f32; 4] {
        let mut x = [0.0; 4];
        sse!(_mm_storeu_ps(x.as_mut_ptr(), self.0));
        x
    }

    /// The larger of each pair; NaN if the first is.
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        // The instruction gives its second operand where either is NaN.
        sse!(F32x4(_mm_max_ps(other.0, self.0)))
    }

    /// The smaller of each pair; NaN if the first is.
    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        sse!(F32x4(_mm_min_ps(other.0, self.0)))
    }

    /// The nearest whole numbers, of magnitudes below 2^31.
    #[inline(always)]
    pub fn nearest(self) -> Self {
        sse!(F32x4(_mm_cvtepi32_ps(_mm_cvtps_epi32(self.0))))
    }

    /// The quotients.
    #[inline(always)]
    pub fn over(self, other: Self) -> Self {
        sse!(F32x4(_mm_div_ps(self.0, other.0)))
    }

    /// Two to the power of each of these whole numbers from -126 to 127.
    #[inline(always)]
    pub fn power_of_two(self) -> Self {
        let biased = sse!(_mm_add_epi32(_mm_cvttps_epi32(self.0), _mm_set1_epi32(127)));
        sse!(F32x4(_mm_castsi128_ps(_mm_slli_epi32::<23>(biased))))
    }

    /// Zero where `x` is less than `least`.
    #[inline(always)]
    pub fn zero_where_less(self, x: Self, least: f32) -> Self {
        sse!(F32x4(_mm_andnot_ps(_mm_cmplt_ps(x.0, _mm_set1_ps(least)), self.0)))
    }
}

impl F32x4 {
    /// Number `j` of vector `i` becomes number `i` of vector `j`.
    #[inline(always)]
    pub fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        let (ab_low, ab_high) = sse!((_mm_unpacklo_ps(a.0, b.0), _mm_unpackhi_ps(a.0, b.0)));
        let (cd_low, cd_high) = sse!((_mm_unpacklo_ps(c.0, d.0), _mm_unpackhi_ps(c.0, d.0)));
        [
            sse!(F32x4(_mm_movelh_ps(ab_low, cd_low))),
            sse!(F32x4(_mm_movehl_ps(cd_low, ab_low))),
            sse!(F32x4(_mm_movelh_ps(ab_high, cd_high))),
            sse!(F32x4(_mm_movehl_ps(cd_high, ab_high))),
        ]
    }
}

impl Add for F32x4 {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        sse!(F32x4(_mm_add_ps(self.0, other.0)))
    }
}

impl Sub for F32x4 {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        sse!(F32x4(_mm_sub_ps(self.0, other.0)))
    }
}

impl Mul for F32x4 {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        sse!(F32x4(_mm_mul_ps(self.0, other.0)))
    }
}

impl I32x4 {
    /// Zeros.
    #[inline(always)]
    pub fn zero() -> Self {
        sse!(I32x4(_mm_setzero_si128()))
    }

    /// The numbers.
    #[cfg(test)]
    pub fn to_array(self) -> [i32; 4] {
        let mut x = [0; 4];
        sse!(_mm_storeu_si128(x.as_mut_ptr().cast(), self.0));
        x
    }

    /// As floats.
    #[inline(always)]
    pub fn to_f32(self) -> F32x4 {
        sse!(F32x4(_mm_cvtepi32_ps(self.0)))
    }

    /// The sum of each of four vectors.
    #[inline(always)]
    pub fn totals([a, b, c, d]: [Self; 4]) -> Self {
        let halves = |a: Self, b: Self| {
            sse!(_mm_add_epi32(_mm_unpacklo_epi32(a.0, b.0), _mm_unpackhi_epi32(a.0, b.0)))
        };
        let (ab, cd) = (halves(a, b), halves(c, d));
        sse!(I32x4(_mm_add_epi32(_mm_unpacklo_epi64(ab, cd), _mm_unpackhi_epi64(ab, cd))))
    }
}

impl Add for I32x4 {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        sse!(I32x4(_mm_add_epi32(self.0, other.0)))
    }
}

impl U64x2 {
    /// Zeros.
    #[inline(always)]
    pub fn zero() -> Self {
        sse!(U64x2(_mm_setzero_si128()))
    }

    /// Of little-endian bytes.
    #[inline(always)]
    pub fn load(x: &[u8; 16]) -> Self {
        sse!(U64x2(_mm_loadu_si128(x.as_ptr().cast())))
    }

    /// The numbers.
    #[inline(always)]
    pub fn to_array(self) -> [u64; 2] {
        let mut x = [0; 2];
        sse!(_mm_storeu_si128(x.as_mut_ptr().cast(), self.0));
        x
    }
}

/// Modulo 2^64.
impl Add for U64x2 {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        sse!(U64x2(_mm_add_epi64(self.0, other.0)))
    }
}

impl I16x8 {
    /// From memory.
    #[inline(always)]
    pub fn load(x: &[i16; 8]) -> Self {
        sse!(I16x8(_mm_loadu_si128(x.as_ptr().cast())))
    }

    /// Integers of 8 bits from memory, widened.
    #[inline(always)]
    pub fn load_i8(x: &[i8; 8]) -> Self {
        let x = sse!(_mm_loadl_epi64(x.as_ptr().cast()));
        // Each byte in the upper half of its place, shifted down with its sign.
        sse!(I16x8(_mm_srai_epi16::<8>(_mm_unpacklo_epi8(x, x))))
    }

    /// The nearest integers of eight numbers, within the range of 16 bits.
    #[inline(always)]
    pub fn rounded(low: F32x4, high: F32x4) -> Self {
        I16x8(sse!(_mm_packs_epi32(_mm_cvtps_epi32(low.0), _mm_cvtps_epi32(high.0))))
    }

    /// Four times the same pair.
    #[inline(always)]
    pub fn splat_pair(x: [i16; 2]) -> Self {
        sse!(I16x8(_mm_set1_epi32((x[0] as u16 as u32 | (x[1] as u32) << 16) as i32)))
    }

    /// Products of numbers, each two neighbours' added.
    #[inline(always)]
    pub fn dot(self, other: Self) -> I32x4 {
        sse!(I32x4(_mm_madd_epi16(self.0, other.0)))
    }

    /// To memory.
    #[inline(always)]
    pub fn store(self, x: &mut [i16; 8]) {
        sse!(_mm_storeu_si128(x.as_mut_ptr().cast(), self.0));
    }

    /// The pairs of four vectors, transposed: pair `j` of vector `i` becomes pair `i` of vector `j`.
    #[inline(always)]
    pub fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        let (ab_low, ab_high) = sse!((_mm_unpacklo_epi32(a.0, b.0), _mm_unpackhi_epi32(a.0, b.0)));
        let (cd_low, cd_high) = sse!((_mm_unpacklo_epi32(c.0, d.0), _mm_unpackhi_epi32(c.0, d.0)));
        [
            sse!(I16x8(_mm_unpacklo_epi64(ab_low, cd_low))),
            sse!(I16x8(_mm_unpackhi_epi64(ab_low, cd_low))),
            sse!(I16x8(_mm_unpacklo_epi64(ab_high, cd_high))),
            sse!(I16x8(_mm_unpackhi_epi64(ab_high, cd_high))),
        ]
    }
}
