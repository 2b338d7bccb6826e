//! IQ2_XS: 256 weights in sixteen runs of 16, each with two points of a grid of 512, seven signs a point and a scale of four
//! bits. `w = d (1/2 + s) / 4 (±8, ±25 or ±43)`. 2.3125 bits a weight, 3.3125 on the GPU, where points and signs are
//! written out.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    grid, iq2,
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::IQ2_XS,
    name: "IQ2_XS",
    ggml_id: 17,
    block_len: 256,
    block_bytes: size_of::<Iq2Xs>(),
    dequantize: block::dequantize::<Iq2Xs, 256>,
    quantize: None,
    levels: None,
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 96,
        scale_bytes: 10,
        wgsl: crate::wgsl!(concat!(
            include_str!("../../../shaders/lib/unpack.wgsl"),
            include_str!("../../../shaders/lib/iq2_numbers.wgsl"),
            include_str!("../../../shaders/lib/dequant_iq2_xs.wgsl")
        )),
        repack: |unit, quants, scales| {
            let block: &Iq2Xs = bytemuck::from_bytes(unit);
            let signs = |g| u32::from_le_bytes(std::array::from_fn(|i| block.signs(4 * g + i)));
            iq2::repack(quants, |i| block.levels(i), signs);
            scales[..8].copy_from_slice(&block.scales);
            scales[8..].copy_from_slice(&unit[..2]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Iq2Xs {
    /// Scale of the runs' scales.
    d: Half,
    /// For every eight weights nine bits of the point's index, then seven bits of signs.
    qs: [[u8; 2]; 32],
    /// Scales of two runs a byte, the first in the low nibble.
    scales: [u8; 8],
}

impl Iq2Xs {
    fn levels(&self, eight: usize) -> u16 {
        grid::IQ2_XS[usize::from(u16::from_le_bytes(self.qs[eight]) & 511)]
    }

    fn signs(&self, eight: usize) -> u8 {
        grid::signs(u32::from(self.qs[eight][1] >> 1))
    }
}

impl block::Block<256> for Iq2Xs {
    fn dequantize(&self, weights: &mut [f32; 256]) {
        for (i, weights) in weights.as_chunks_mut().0.iter_mut().enumerate() {
            let scale = iq2::scale(self.d, &self.scales, i / 2);
            iq2::unpack(weights, scale, self.levels(i), self.signs(i));
        }
    }
}
