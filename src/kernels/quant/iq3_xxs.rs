//! IQ3_XXS: 256 weights in eight groups of 32, each with eight points of a grid of 256, seven signs for every two points and a
//! scale of four bits. `w = d (1/2 + s) / 2 (±4, ±12, … ±52 or ±62)`. 3.0625 bits a weight, 4.1875 on the GPU, where
//! points and signs are written out.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    grid, iq3,
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::IQ3_XXS,
    name: "IQ3_XXS",
    ggml_id: 18,
    block_len: 256,
    block_bytes: size_of::<Iq3Xxs>(),
    dequantize: block::dequantize::<Iq3Xxs, 256>,
    quantize: None,
    levels: None,
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 128,
        scale_bytes: 6,
        wgsl: crate::wgsl!(concat!(
            include_str!("../../../shaders/lib/unpack.wgsl"),
            include_str!("../../../shaders/lib/dequant_iq3_xxs.wgsl")
        )),
        repack: |unit, quants, scales| {
            let block: &Iq3Xxs = bytemuck::from_bytes(unit);
            iq3::repack(quants, |i| block.quants(i));
            for (i, pair) in scales[..4].iter_mut().enumerate() {
                let [even, odd] = [2 * i, 2 * i + 1].map(|g| block.signs_and_scale(g) >> 28);
                *pair = (even | odd << 4) as u8;
            }
            scales[4..].copy_from_slice(&unit[..2]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Iq3Xxs {
    /// Scale of the groups' scales.
    d: Half,
    /// Points of four weights, two for every eight.
    qs: [[u8; 2]; 32],
    /// For every group four times seven bits of signs, then the scale.
    words: [[u8; 4]; 8],
}

impl Iq3Xxs {
    fn signs_and_scale(&self, group: usize) -> u32 {
        u32::from_le_bytes(self.words[group])
    }

    fn quants(&self, eight: usize) -> u32 {
        let signs = grid::signs(self.signs_and_scale(eight / 4) >> (7 * (eight % 4)));
        iq3::quants(self.qs[eight].map(|point| grid::IQ3_XXS[usize::from(point)]), signs)
    }
}

impl block::Block<256> for Iq3Xxs {
    fn dequantize(&self, weights: &mut [f32; 256]) {
        let d = self.d.to_f32() * 0.5;
        for (i, weights) in weights.as_chunks_mut().0.iter_mut().enumerate() {
            let scale = d * (0.5 + (self.signs_and_scale(i / 4) >> 28) as f32);
            // The outermost numbers are not ±60 but ±62.
            let number = |q| 8 * q - 60 + 2 * (i32::from(q == 15) - i32::from(q == 0));
            iq3::unpack(weights, scale, self.quants(i), number);
        }
    }
}
