//! Vectors of 128 bits, for kernels that are written once: wasm's instructions where there are any (`wasm.rs`), SSE2 on
//! x86-64 (`x86.rs`), elsewhere plain arrays that compilers turn into those of the platform (`portable.rs`).

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use wasm::*;
#[cfg(target_arch = "x86_64")]
pub use x86::*;

#[cfg(not(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64")))]
mod portable;
#[cfg(not(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64")))]
pub use portable::*;

impl F32x4 {
    /// The sum of the four.
    #[inline(always)]
    pub fn total(self) -> f32 {
        let [a, b, c, d] = self.to_array();
        (a + b) + (c + d)
    }

    /// The largest of the four; NaN may be lost.
    #[inline(always)]
    pub fn largest(self) -> f32 {
        let larger = |a: f32, b: f32| if a < b { b } else { a };
        let [a, b, c, d] = self.to_array();
        larger(larger(a, b), larger(c, d))
    }

    /// Magnitudes.
    #[inline(always)]
    pub fn abs(self) -> F32x4 {
        self.max(F32x4::splat(0.0) - self)
    }

    /// `e` to the power of each, with a relative error below 2e-7; 0 below about -87, and never infinite: the largest
    /// power is that of 88.
    ///
    /// Cody and Waite, *Software Manual for the Elementary Functions* (1980), chapter 6: `exp(x) = 2^n exp(r)` with `r`
    /// within half of ln 2, and its Taylor polynomial.
    #[inline(always)]
    pub fn exp(self) -> F32x4 {
        const LN2_HIGH: f32 = 0.693_359_4; // nine bits, so that its product with n is exact
        const LN2_LOW: f32 = -2.121_944_4e-4;
        let x = self.max(F32x4::splat(-87.3)).min(F32x4::splat(88.0));
        let n = (x * F32x4::splat(std::f32::consts::LOG2_E)).nearest();
        let r = x - n * F32x4::splat(LN2_HIGH) - n * F32x4::splat(LN2_LOW);
        let mut sum = F32x4::splat(1.0 / 5040.0);
        for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
            sum = sum * r + F32x4::splat(c);
        }
        (sum * n.power_of_two()).zero_where_less(self, -87.3)
    }
}

/// The sum of many numbers.
#[inline(always)]
pub fn sum(x: &[f32]) -> f32 {
    let (fours, rest) = x.as_chunks();
    fours.iter().fold(F32x4::splat(0.0), |sum, x| sum + F32x4::load(x)).total() + rest.iter().sum::<f32>()
}

/// The largest of many numbers and of `least`; NaN may be lost.
#[inline(always)]
pub fn largest(x: &[f32], least: f32, f: impl Fn(F32x4) -> F32x4) -> f32 {
    let (fours, rest) = x.as_chunks();
    let mut last = [least; 4];
    last[..rest.len()].copy_from_slice(rest);
    fours.iter().fold(f(F32x4::load(&last)), |most, x| most.max(f(F32x4::load(x)))).largest()
}

/// Calls `f` on every four numbers; the rest of them are filled up with zeros for it.
#[inline(always)]
pub fn map(x: &mut [f32], f: impl Fn(F32x4) -> F32x4) {
    let (fours, rest) = x.as_chunks_mut();
    for four in fours {
        *four = f(F32x4::load(four)).to_array();
    }
    if !rest.is_empty() {
        let mut four = [0.0; 4];
        four[..rest.len()].copy_from_slice(rest);
        let four = f(F32x4::load(&four)).to_array();
        rest.copy_from_slice(&four[..rest.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_right_to_single_precision() {
        for i in -8700..=8800 {
            let x = i as f32 / 100.0;
            let truth = f64::from(x).exp();
            let [y, ..] = F32x4::splat(x).exp().to_array();
            assert!((f64::from(y) / truth - 1.0).abs() < 2e-7, "exp({x}) = {y}, not {truth}");
        }
        let ends = F32x4::load(&[f32::NEG_INFINITY, -1000.0, 0.0, 1000.0]).exp().to_array();
        assert_eq!(ends[..3], [0.0, 0.0, 1.0]);
        assert!(ends[3].is_finite());
        assert!(F32x4::splat(f32::NAN).exp().to_array()[0].is_nan());
    }

    #[test]
    fn products_of_neighbours_are_summed() {
        let a = I16x8::load(&[1, 2, 3, 4, 5, 6, i16::MAX, i16::MIN]);
        let b = I16x8::load_i8(&[1, -1, 2, -2, 3, -3, 127, -128]);
        assert_eq!(a.dot(b).to_array(), [-1, -2, -3, 32767 * 127 + 32768 * 128]);
        assert_eq!(a.dot(I16x8::splat_pair([2, 3])).to_array()[0], 8);
    }

    #[test]
    fn four_vectors_are_summed() {
        let vector = |x: [i16; 4]| {
            I16x8::load(&std::array::from_fn(|i| if i % 2 == 0 { x[i / 2] } else { 0 }))
                .dot(I16x8::splat_pair([1, 0]))
        };
        let totals =
            I32x4::totals([[1, 2, 3, 4], [10, 20, 30, 40], [-1, 1, -2, 2], [100, 0, 0, 7]].map(vector));
        assert_eq!(totals.to_array(), [10, 100, 0, 107]);
    }

    #[test]
    fn numbers_are_rounded_to_the_nearest_integers() {
        let mut integers = [0; 8];
        let (low, high) = ([1.4, -1.4, 1.6, -1.6], [32767.0, -32767.0, 0.0, 2.5]);
        I16x8::rounded(F32x4::load(&low), F32x4::load(&high)).store(&mut integers);
        assert_eq!(integers, [1, -1, 2, -2, 32767, -32767, 0, 2]);
    }

    #[test]
    fn pairs_are_transposed() {
        let rows = [0, 10, 20, 30].map(|i| I16x8::load(&std::array::from_fn(|j| i + j as i16)));
        let mut columns = [[0; 8]; 4];
        I16x8::transpose(rows).into_iter().zip(&mut columns).for_each(|(row, out)| row.store(out));
        assert_eq!(columns[0], [0, 1, 10, 11, 20, 21, 30, 31]);
        assert_eq!(columns[3], [6, 7, 16, 17, 26, 27, 36, 37]);
    }

    #[test]
    fn a_rest_of_fewer_than_four_is_mapped_too() {
        let mut x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        map(&mut x, |x| x * F32x4::splat(2.0));
        assert_eq!(x, [2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);
    }
}
