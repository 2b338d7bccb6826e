//! Q4_K: 256 weights of 4 bits in eight groups of 32; each group has a scale and a minimum of 6 bits, which are
//! multiples of two halves. `w = d s q - dmin m`. 4.5 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    dot,
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q4_K,
    name: "Q4_K",
    ggml_id: 12,
    block_len: 256,
    block_bytes: size_of::<Q4K>(),
    dequantize: block::dequantize::<Q4K, 256>,
    quantize: None,
    dot: dot::q4_k,
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 128,
        scale_bytes: 16,
        wgsl: include_str!("../../shaders/lib/dequant_q4_k.wgsl"),
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

impl block::Block<256> for Q4K {
    fn dequantize(&self, weights: &mut [f32; 256]) {
        let (d, dmin) = (self.d.to_f32(), self.dmin.to_f32());
        for (g, weights) in weights.chunks_exact_mut(32).enumerate() {
            let (scale, min) = scale_and_min(&self.scales, g);
            let (scale, min) = (d * f32::from(scale), dmin * f32::from(min));
            let qs = &self.qs[32 * (g / 2)..];
            for (w, q) in weights.iter_mut().zip(qs) {
                *w = scale * f32::from(q >> (4 * (g % 2)) & 15) - min;
            }
        }
    }
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
