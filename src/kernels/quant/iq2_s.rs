//! IQ2_S: 256 weights in sixteen runs of 16, each with two points of a grid of 1024, a sign a weight and a scale of four
//! bits. `w = d (1/2 + s) / 4 (±8, ±25 or ±43)`. 2.5625 bits a weight; on the GPU it is laid out as IQ2_XS is.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    grid, iq2, iq2_xs,
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::IQ2_S,
    name: "IQ2_S",
    ggml_id: 22,
    block_len: 256,
    block_bytes: size_of::<Iq2S>(),
    dequantize: block::dequantize::<Iq2S, 256>,
    quantize: None,
    levels: None,
    gpu: GpuLayout {
        repack: |unit, quants, scales| {
            let block: &Iq2S = bytemuck::from_bytes(unit);
            iq2::repack(quants, |i| block.levels(i), |g| u32::from_le_bytes(block.signs[g]));
            scales[..8].copy_from_slice(&block.scales);
            scales[8..].copy_from_slice(&unit[..2]);
        },
        ..iq2_xs::INFO.gpu
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Iq2S {
    /// Scale of the runs' scales.
    d: Half,
    /// For every eight weights the low eight bits of the point's index.
    qs: [u8; 32],
    /// A bit a weight, four bytes a group of 32.
    signs: [[u8; 4]; 8],
    /// High two bits of the indices, four a byte.
    qh: [u8; 8],
    /// Scales of two runs a byte, the first in the low nibble.
    scales: [u8; 8],
}

impl Iq2S {
    fn levels(&self, eight: usize) -> u16 {
        let high = self.qh[eight / 4] >> (2 * (eight % 4)) & 3;
        grid::IQ2_S[usize::from(self.qs[eight]) | usize::from(high) << 8]
    }
}

impl block::Block<256> for Iq2S {
    fn dequantize(&self, weights: &mut [f32; 256]) {
        for (i, weights) in weights.as_chunks_mut().0.iter_mut().enumerate() {
            let scale = iq2::scale(self.d, &self.scales, i / 2);
            iq2::unpack(weights, scale, self.levels(i), self.signs[i / 4][i % 4]);
        }
    }
}
