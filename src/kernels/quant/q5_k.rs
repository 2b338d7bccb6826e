//! Q5_K: Q4_K with a fifth bit. 256 weights in eight groups of 32, `w = d s q - dmin m`. 5.5 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    levels::{self, Grouped, Levels},
    q4_k::{quantize_groups, scale_and_min},
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q5_K,
    name: "Q5_K",
    ggml_id: 13,
    block_len: 256,
    block_bytes: size_of::<Q5K>(),
    dequantize: levels::dequantize::<Q5K, 256, 32>,
    quantize: Some(block::quantize::<Q5K, 256>),
    levels: Some(Levels::of::<Q5K, 256, 32>()),
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 160,
        scale_bytes: 16,
        wgsl: crate::wgsl!(include_str!("../../../shaders/lib/dequant_q5_k.wgsl")),
        repack: |unit, quants, scales| {
            scales.copy_from_slice(&unit[..16]);
            quants.copy_from_slice(&unit[16..]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Q5K {
    /// Scale of the groups' scales.
    d: Half,
    /// Scale of the groups' minima.
    dmin: Half,
    /// Scales and minima; see [`scale_and_min`].
    scales: [u8; 12],
    /// Bit `g` of byte `l` is the fifth bit of weight `l` of group `g`.
    qh: [u8; 32],
    /// 32 bytes for every two groups: the even group in the low nibbles, the odd one in the high nibbles.
    qs: [u8; 128],
}

impl Grouped<256, 32> for Q5K {
    const MINS: bool = true;

    #[inline(always)]
    fn levels(&self, levels: &mut [i8; 256]) {
        for (g, levels) in levels.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            for ((level, q), high) in levels.iter_mut().zip(&self.qs[32 * (g / 2)..]).zip(&self.qh) {
                *level = (q >> (4 * (g % 2)) & 15 | (high >> g & 1) << 4) as i8;
            }
        }
    }

    #[inline(always)]
    fn scale(&self, g: usize) -> (f32, f32) {
        let (scale, min) = scale_and_min(&self.scales, g);
        (self.d.to_f32() * f32::from(scale), self.dmin.to_f32() * f32::from(min))
    }
}

impl block::Quantize<256> for Q5K {
    fn quantize(weights: &[f32; 256]) -> Self {
        let (d, dmin, scales, q) = quantize_groups(weights, 31.0);
        let qh = std::array::from_fn(|l| (0..8).map(|g| q[32 * g + l] >> 4 << g).sum());
        let qs = std::array::from_fn(|i| q[i / 32 * 64 + i % 32] & 15 | q[i / 32 * 64 + 32 + i % 32] << 4);
        Q5K { d, dmin, scales, qh, qs }
    }
}
