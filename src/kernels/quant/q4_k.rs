//! Q4_K: 256 weights of 4 bits in eight groups of 32; each group has a scale and a minimum of 6 bits, which are
//! multiples of two halves. `w = d s q - dmin m`. 4.5 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    fit,
    levels::{self, Grouped, Levels},
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q4_K,
    name: "Q4_K",
    ggml_id: 12,
    block_len: 256,
    block_bytes: size_of::<Q4K>(),
    dequantize: levels::dequantize::<Q4K, 256, 32>,
    quantize: Some(block::quantize::<Q4K, 256>),
    levels: Some(Levels::of::<Q4K, 256, 32>()),
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 128,
        scale_bytes: 16,
        wgsl: crate::wgsl!(include_str!("../../../shaders/lib/dequant_q4_k.wgsl")),
        repack: |unit, quants, scales| {
            scales.copy_from_slice(&unit[..16]);
            quants.copy_from_slice(&unit[16..]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Q4K {
    /// Scale of the groups' scales.
    pub d: Half,
    /// Scale of the groups' minima.
    pub dmin: Half,
    /// Scales and minima; see [`scale_and_min`].
    pub scales: [u8; 12],
    /// 32 bytes for every two groups: the even group in the low nibbles, the odd one in the high nibbles.
    pub qs: [u8; 128],
}

impl Grouped<256, 32> for Q4K {
    const MINS: bool = true;

    #[inline(always)]
    fn levels(&self, levels: &mut [i8; 256]) {
        for (levels, qs) in levels.as_chunks_mut::<64>().0.iter_mut().zip(self.qs.as_chunks::<32>().0) {
            for (j, q) in qs.iter().enumerate() {
                levels[j] = (q & 15) as i8;
                levels[j + 32] = (q >> 4) as i8;
            }
        }
    }

    #[inline(always)]
    fn scale(&self, g: usize) -> (f32, f32) {
        let (scale, min) = scale_and_min(&self.scales, g);
        (self.d.to_f32() * f32::from(scale), self.dmin.to_f32() * f32::from(min))
    }
}

impl block::Quantize<256> for Q4K {
    fn quantize(weights: &[f32; 256]) -> Self {
        let (d, dmin, scales, q) = quantize_groups(weights, 15.0);
        let qs = std::array::from_fn(|i| q[i / 32 * 64 + i % 32] | q[i / 32 * 64 + 32 + i % 32] << 4);
        Q4K { d, dmin, scales, qs }
    }
}

/// Eight groups of 32 to integers in `0..=limit` with packed 6-bit scales and minima: `(d, dmin, scales, integers)`.
pub fn quantize_groups(weights: &[f32; 256], limit: f32) -> (Half, Half, [u8; 12], [u8; 256]) {
    let fits: [_; 8] = std::array::from_fn(|g| fit::scale_and_min(&weights[32 * g..][..32], limit));
    let d = Half::from_f32(fits.iter().fold(0.0, |most: f32, fit| most.max(fit.0)) / 63.0);
    let dmin = Half::from_f32(fits.iter().fold(0.0, |most: f32, fit| most.max(fit.1)) / 63.0);
    let (inverse, inverse_min) = (block::inverse(d.to_f32()), block::inverse(dmin.to_f32()));
    let small = fits.map(|(scale, min)| {
        (fit::integer(scale * inverse, 0.0, 63.0) as u8, fit::integer(min * inverse_min, 0.0, 63.0) as u8)
    });
    let q = std::array::from_fn(|i| {
        let (scale, min) = small[i / 32];
        let shifted = weights[i] + dmin.to_f32() * f32::from(min);
        fit::integer(shifted * block::inverse(d.to_f32() * f32::from(scale)), 0.0, limit) as u8
    });
    (d, dmin, pack_scales_and_mins(&small), q)
}

/// The reverse of [`scale_and_min`] for all groups.
fn pack_scales_and_mins(small: &[(u8, u8); 8]) -> [u8; 12] {
    std::array::from_fn(|i| match (i / 4, small[i % 4], small[i % 4 + 4]) {
        (0, (scale, _), (upper, _)) => scale | upper >> 4 << 6,
        (1, (_, min), (_, upper)) => min | upper >> 4 << 6,
        (_, _, (scale, min)) => scale & 15 | min << 4,
    })
}

/// Group `g`'s 6-bit scale and minimum. Groups 0..4 have their scale in the low bits of bytes 0..4 and their minimum
/// in bytes 4..8; the two high bits left in those bytes belong to groups 4..8, whose low four bits are the low
/// (scale) and high (minimum) nibbles of bytes 8..12.
#[inline(always)]
pub fn scale_and_min(scales: &[u8; 12], g: usize) -> (u8, u8) {
    let k = g % 4;
    if g < 4 {
        (scales[k] & 63, scales[k + 4] & 63)
    } else {
        let low = scales[k + 8];
        (low & 15 | scales[k] >> 6 << 4, low >> 4 | scales[k + 4] >> 6 << 4)
    }
}
