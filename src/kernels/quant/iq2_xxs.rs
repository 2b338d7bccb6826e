//! IQ2_XXS: 256 weights in eight groups of 32, each with four points of a grid of 256, seven signs a point and a scale of
//! four bits. `w = d (1/2 + s) / 4 (±8, ±25 or ±43)`. 2.0625 bits a weight, 3.0625 on the GPU, where points are written out.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    grid, iq2,
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::IQ2_XXS,
    name: "IQ2_XXS",
    ggml_id: 16,
    block_len: 256,
    block_bytes: size_of::<Iq2Xxs>(),
    dequantize: block::dequantize::<Iq2Xxs, 256>,
    quantize: None,
    levels: None,
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 96,
        scale_bytes: 2,
        wgsl: crate::wgsl!(concat!(
            include_str!("../../../shaders/lib/unpack.wgsl"),
            include_str!("../../../shaders/lib/iq2_numbers.wgsl"),
            include_str!("../../../shaders/lib/dequant_iq2_xxs.wgsl")
        )),
        repack: |unit, quants, scales| {
            let block: &Iq2Xxs = bytemuck::from_bytes(unit);
            scales.copy_from_slice(&unit[..2]);
            iq2::repack(quants, |i| block.levels(i), |g| block.signs_and_scale(g));
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Iq2Xxs {
    /// Scale of the groups' scales.
    d: Half,
    /// Every group's four points and a word, which has seven bits of signs for each of them, then the scale.
    groups: [[[u8; 4]; 2]; 8],
}

impl Iq2Xxs {
    fn levels(&self, eight: usize) -> u16 {
        grid::IQ2_XXS[usize::from(self.groups[eight / 4][0][eight % 4])]
    }

    fn signs_and_scale(&self, group: usize) -> u32 {
        u32::from_le_bytes(self.groups[group][1])
    }
}

impl block::Block<256> for Iq2Xxs {
    fn dequantize(&self, weights: &mut [f32; 256]) {
        let d = self.d.to_f32() * 0.25;
        for (i, weights) in weights.as_chunks_mut().0.iter_mut().enumerate() {
            let word = self.signs_and_scale(i / 4);
            let scale = d * (0.5 + (word >> 28) as f32);
            iq2::unpack(weights, scale, self.levels(i), grid::signs(word >> (7 * (i % 4))));
        }
    }
}
