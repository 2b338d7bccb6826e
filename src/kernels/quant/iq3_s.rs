//! IQ3_S: 256 weights in eight groups of 32, each with eight points of a grid of 512, a sign a weight and a scale of four bits.
//! `w = d (1 + 2 s) (±1, ±3, … ±15)`. 3.4375 bits a weight, 4.1875 on the GPU, where points and signs are written out.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    grid, iq3,
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::IQ3_S,
    name: "IQ3_S",
    ggml_id: 21,
    block_len: 256,
    block_bytes: size_of::<Iq3S>(),
    dequantize: block::dequantize::<Iq3S, 256>,
    quantize: None,
    levels: None,
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 128,
        scale_bytes: 6,
        wgsl: crate::wgsl!(concat!(
            include_str!("../../../shaders/lib/unpack.wgsl"),
            include_str!("../../../shaders/lib/dequant_iq3_s.wgsl")
        )),
        repack: |unit, quants, scales| {
            let block: &Iq3S = bytemuck::from_bytes(unit);
            iq3::repack(quants, |i| block.quants(i));
            scales[..4].copy_from_slice(&block.scales);
            scales[4..].copy_from_slice(&unit[..2]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Iq3S {
    /// Scale of the groups' scales.
    d: Half,
    /// Low eight bits of points of four weights, two for every eight.
    qs: [[u8; 2]; 32],
    /// The ninth bits of a group's eight points.
    qh: [u8; 8],
    /// A bit a weight.
    signs: [u8; 32],
    /// Scales of two groups a byte, the first in the low nibble.
    scales: [u8; 4],
}

impl Iq3S {
    fn quants(&self, eight: usize) -> u32 {
        let high = usize::from(self.qh[eight / 4]) >> (2 * (eight % 4));
        let [first, second] = self.qs[eight].map(usize::from);
        let points = [grid::IQ3_S[first | (high & 1) << 8], grid::IQ3_S[second | (high >> 1 & 1) << 8]];
        iq3::quants(points, self.signs[eight])
    }
}

impl block::Block<256> for Iq3S {
    fn dequantize(&self, weights: &mut [f32; 256]) {
        let d = self.d.to_f32();
        for (i, weights) in weights.as_chunks_mut().0.iter_mut().enumerate() {
            let group = i / 4;
            let small = self.scales[group / 2] >> (4 * (group % 2)) & 15;
            iq3::unpack(weights, d * f32::from(1 + 2 * small), self.quants(i), |q| 2 * q - 15);
        }
    }
}
