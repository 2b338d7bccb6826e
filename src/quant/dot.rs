//! Dot products of a packed row with f32 activations on the CPU: unpack a few hundred weights to the stack, then
//! multiply and add in several lanes, in vector registers where the platform has them.
//!
//! Four common types have a way of their own in wasm SIMD (`simd128.rs`), which never writes the weights down.

use super::block::{Block, dequantize};

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use simd128::{Lanes, q4_0, q4_k, q6_k, q8_0};

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub use portable::*;

/// The ways that every platform has, under the names of the faster ones.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod portable {
    use super::{super::*, blocks};

    pub use super::ScalarLanes as Lanes;

    pub fn q4_0(row: &[u8], x: &[f32]) -> f32 {
        blocks::<q4_0::Q4_0, 32>(row, x)
    }
    pub fn q4_k(row: &[u8], x: &[f32]) -> f32 {
        blocks::<q4_k::Q4K, 256>(row, x)
    }
    pub fn q6_k(row: &[u8], x: &[f32]) -> f32 {
        blocks::<q6_k::Q6K, 256>(row, x)
    }
    pub fn q8_0(row: &[u8], x: &[f32]) -> f32 {
        blocks::<q8_0::Q8_0, 32>(row, x)
    }
}

/// Weights that are unpacked at a time: a multiple of every block's length.
pub const CHUNK: usize = 256;

/// Running sums of products. Sixteen at once: rounding errors stay small and additions need not wait for each other.
pub trait Sum {
    fn zero() -> Self;
    fn add(&mut self, a: &[f32; 16], b: &[f32; 16]);
    fn total(self) -> f32;

    /// Adds the products of two slices of one length.
    #[inline(always)]
    fn add_all(&mut self, a: &[f32], b: &[f32]) {
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks(), b.as_chunks());
        a.iter().zip(b).for_each(|(a, b)| self.add(a, b));
        if !a_rest.is_empty() {
            let (mut a, mut b) = ([0.0; 16], [0.0; 16]);
            a[..a_rest.len()].copy_from_slice(a_rest);
            b[..b_rest.len()].copy_from_slice(b_rest);
            self.add(&a, &b);
        }
    }
}

/// [`Sum`] in plain Rust.
pub struct ScalarLanes([f32; 16]);

impl Sum for ScalarLanes {
    #[inline(always)]
    fn zero() -> Self {
        ScalarLanes([0.0; 16])
    }

    #[inline(always)]
    fn add(&mut self, a: &[f32; 16], b: &[f32; 16]) {
        for (i, lane) in self.0.iter_mut().enumerate() {
            *lane += a[i] * b[i];
        }
    }

    fn total(mut self) -> f32 {
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                self.0[i] += self.0[i + half];
            }
        }
        self.0[0]
    }
}

/// The dot product of two slices of one length.
pub fn dot_f32(a: &[f32], b: &[f32]) -> f32 {
    let mut sum = Lanes::zero();
    sum.add_all(a, b);
    sum.total()
}

/// The dot product of a packed row with `x` for any type with a [`Block`].
pub fn blocks<B: Block<LEN>, const LEN: usize>(row: &[u8], x: &[f32]) -> f32 {
    unpacked::<Lanes>(dequantize::<B, LEN>, CHUNK / LEN * size_of::<B>(), row, x)
}

/// The dot product of a packed row with `x`, where `chunk_bytes` bytes hold [`CHUNK`] weights.
#[inline(always)]
pub fn unpacked<S: Sum>(
    dequantize: impl Fn(&[u8], &mut [f32]),
    chunk_bytes: usize,
    row: &[u8],
    x: &[f32],
) -> f32 {
    let mut sum = S::zero();
    let mut weights = [0.0; CHUNK];
    for (bytes, x) in row.chunks(chunk_bytes).zip(x.chunks(CHUNK)) {
        let weights = &mut weights[..x.len()];
        dequantize(bytes, weights);
        sum.add_all(weights, x);
    }
    sum.total()
}
