//! What the types' files share: the block as a struct over a file's bytes, and its half-precision scales.

use bytemuck::{AnyBitPattern, Pod, Zeroable};

/// A block of `LEN` weights as it lies in a file. All fields are bytes, so any position in a file is aligned.
pub trait Block<const LEN: usize>: AnyBitPattern {
    /// Its weights.
    fn dequantize(&self, weights: &mut [f32; LEN]);
}

/// The whole blocks in a row's bytes.
#[inline(always)]
pub fn blocks<B: AnyBitPattern>(bytes: &[u8]) -> impl Iterator<Item = &B> {
    const { assert!(align_of::<B>() == 1) }; // so that the view below exists wherever the bytes begin
    bytes.chunks_exact(size_of::<B>()).map(bytemuck::from_bytes)
}

/// Whole blocks to their weights.
pub fn dequantize<B: Block<LEN>, const LEN: usize>(bytes: &[u8], weights: &mut [f32]) {
    for (block, weights) in blocks::<B>(bytes).zip(weights.as_chunks_mut().0) {
        block.dequantize(weights);
    }
}

/// A block that this crate can also make.
pub trait Quantize<const LEN: usize>: Pod {
    /// The block that stands best for these weights, by llama.cpp's reference rules.
    fn quantize(weights: &[f32; LEN]) -> Self;
}

/// Weights to whole blocks.
pub fn quantize<B: Quantize<LEN>, const LEN: usize>(weights: &[f32], bytes: &mut [u8]) {
    for (weights, block) in weights.as_chunks().0.iter().zip(bytes.chunks_exact_mut(size_of::<B>())) {
        block.copy_from_slice(bytemuck::bytes_of(&B::quantize(weights)));
    }
}

/// An IEEE half in little-endian bytes.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
pub struct Half([u8; 2]);

impl Half {
    /// The half in these bytes.
    pub fn from_bytes(bytes: [u8; 2]) -> Half {
        Half(bytes)
    }

    /// Its bytes.
    pub fn to_bytes(self) -> [u8; 2] {
        self.0
    }

    /// Exactly the same number. Without branches, so that loops over it become vector code.
    #[inline(always)]
    pub fn to_f32(self) -> f32 {
        let bits = u32::from(u16::from_le_bytes(self.0));
        let sign = (bits & 0x8000) << 16;
        // In f32's places the exponent is too small by 127 - 15; the product corrects it, subnormals included.
        let magnitude = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits((127 + 112) << 23);
        let infinite = if bits & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
        f32::from_bits(magnitude.to_bits() | infinite | sign)
    }

    /// The nearest half, ties to even.
    pub fn from_f32(x: f32) -> Half {
        Half(half::f16::from_f32(x).to_le_bytes())
    }
}

/// `1 / d`, or 0 for a block of zeros.
pub fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

/// The number of largest magnitude, with its sign; the first of equals.
pub fn extreme(weights: &[f32]) -> f32 {
    weights.iter().fold(0.0, |most: f32, &w| if w.abs() > most.abs() { w } else { most })
}

/// Smallest and largest number.
pub fn range(weights: &[f32]) -> (f32, f32) {
    weights.iter().fold((f32::MAX, f32::MIN), |(low, high), &w| (low.min(w), high.max(w)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_widens_to_the_same_number() {
        for bits in 0..=u16::MAX {
            let (ours, truth) =
                (Half(bits.to_le_bytes()).to_f32(), half::f16::from_bits(bits).to_f32_const());
            assert!(ours.to_bits() == truth.to_bits() || ours.is_nan() && truth.is_nan(), "{bits:#06x}");
        }
    }
}
