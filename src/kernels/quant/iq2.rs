//! What IQ2_XXS, IQ2_XS and IQ2_S share: eight weights at a time are a point of a grid and eight signs. A point's levels
//! 0, 1 and 2 stand for the magnitudes 8, 25 and 43.

use super::block::Half;

/// Eight weights: `levels` is the point, two bits a weight; `signs` has a bit a weight.
#[inline(always)]
pub fn unpack(weights: &mut [f32; 8], scale: f32, levels: u16, signs: u8) {
    for (i, w) in weights.iter_mut().enumerate() {
        let level = levels >> (2 * i) & 3;
        let magnitude = f32::from(8 + 17 * level + (level >> 1));
        *w = scale * if signs >> i & 1 == 1 { -magnitude } else { magnitude };
    }
}

/// Scale of a run of 16 weights in IQ2_XS and IQ2_S: two runs share a byte of `scales`, the first has the low nibble.
#[inline(always)]
pub fn scale(d: Half, scales: &[u8; 8], run: usize) -> f32 {
    let small = scales[run / 2] >> (4 * (run % 2)) & 15;
    d.to_f32() * (0.5 + f32::from(small)) * 0.25
}

/// The GPU's quants of 256 weights: for each half of them 32 bytes of levels, then a word for each of its four groups of
/// 32, which holds their signs. `levels` is asked for every eight weights, `signs` for every group.
pub fn repack(quants: &mut [u8], levels: impl Fn(usize) -> u16, signs: impl Fn(usize) -> u32) {
    for (half, quants) in quants.chunks_exact_mut(48).enumerate() {
        let (points, words) = quants.split_at_mut(32);
        for (i, bytes) in points.as_chunks_mut().0.iter_mut().enumerate() {
            *bytes = levels(16 * half + i).to_le_bytes();
        }
        for (g, bytes) in words.as_chunks_mut().0.iter_mut().enumerate() {
            *bytes = signs(4 * half + g).to_le_bytes();
        }
    }
}
