//! Q5_K: Q4_K with a fifth bit. 256 weights in eight groups of 32, `w = d s q - dmin m`. 5.5 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    dot,
    q4_k::{quantize_groups, scale_and_min},
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q5_K,
    name: "Q5_K",
    ggml_id: 13,
    block_len: 256,
    block_bytes: size_of::<Q5K>(),
    dequantize: block::dequantize::<Q5K, 256>,
    quantize: Some(block::quantize::<Q5K, 256>),
    dot: dot::blocks::<Q5K, 256>,
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 160,
        scale_bytes: 16,
        wgsl: include_str!("../../shaders/lib/dequant_q5_k.wgsl"),
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

impl block::Block<256> for Q5K {
    fn dequantize(&self, weights: &mut [f32; 256]) {
        let (d, dmin) = (self.d.to_f32(), self.dmin.to_f32());
        for (g, weights) in weights.chunks_exact_mut(32).enumerate() {
            let (scale, min) = scale_and_min(&self.scales, g);
            let (scale, min) = (d * f32::from(scale), dmin * f32::from(min));
            let qs = &self.qs[32 * (g / 2)..];
            for ((w, q), high) in weights.iter_mut().zip(qs).zip(self.qh) {
                let q = q >> (4 * (g % 2)) & 15 | (high >> g & 1) << 4;
                *w = scale * f32::from(q) - min;
            }
        }
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
