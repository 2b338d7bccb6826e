//! IQ1_S: 256 weights in eight groups of 32, each with four points of a grid of 2048, a scale of three bits and a shift.
//! `w = d (2 s + 1) (q - 1 ± 1/8)`, `q` in 0..=2. 1.5625 bits a weight, 2.1875 on the GPU, where points are written out.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    grid, iq1,
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::IQ1_S,
    name: "IQ1_S",
    ggml_id: 19,
    block_len: 256,
    block_bytes: size_of::<Iq1S>(),
    dequantize: block::dequantize::<Iq1S, 256>,
    quantize: None,
    levels: None,
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 64,
        scale_bytes: 6,
        wgsl: crate::wgsl!(concat!(
            include_str!("../../../shaders/lib/unpack.wgsl"),
            include_str!("../../../shaders/lib/dequant_iq1_s.wgsl")
        )),
        repack: |unit, quants, scales| {
            let block: &Iq1S = bytemuck::from_bytes(unit);
            iq1::repack(quants, |i| block.levels(i));
            for (pair, [even, odd]) in scales.iter_mut().zip(block.qh.as_chunks().0) {
                *pair = even[1] >> 4 | odd[1] & 0xf0;
            }
            scales[4..].copy_from_slice(&unit[..2]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Iq1S {
    /// Scale of the groups' scales.
    d: Half,
    /// For every eight weights the low eight bits of the point's index.
    qs: [u8; 32],
    /// For every group three high bits for each of its four indices, three bits of scale, and whether the shift is down.
    qh: [[u8; 2]; 8],
}

impl Iq1S {
    fn high(&self, group: usize) -> usize {
        u16::from_le_bytes(self.qh[group]).into()
    }

    fn levels(&self, eight: usize) -> u16 {
        let high = self.high(eight / 4) >> (3 * (eight % 4)) & 7;
        grid::IQ1[usize::from(self.qs[eight]) | high << 8]
    }
}

impl block::Block<256> for Iq1S {
    fn dequantize(&self, weights: &mut [f32; 256]) {
        let d = self.d.to_f32();
        for (i, weights) in weights.as_chunks_mut().0.iter_mut().enumerate() {
            let high = self.high(i / 4);
            let scale = d * (2 * (high >> 12 & 7) + 1) as f32;
            iq1::unpack(weights, scale, self.levels(i), high >> 15 == 1);
        }
    }
}
