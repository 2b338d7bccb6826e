//! IQ1_M: 256 weights in sixteen runs of 16, each with two points of IQ1_S' grid, a shift a point and a scale of three bits.
//! `w = d (2 s + 1) (q - 1 ± 1/8)`, `q` in 0..=2. 1.75 bits a weight, 2.375 on the GPU, where points are written out.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    grid, iq1,
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::IQ1_M,
    name: "IQ1_M",
    ggml_id: 29,
    block_len: 256,
    block_bytes: size_of::<Iq1M>(),
    dequantize: block::dequantize::<Iq1M, 256>,
    quantize: None,
    levels: None,
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 64,
        scale_bytes: 12,
        wgsl: crate::wgsl!(concat!(
            include_str!("../../../shaders/lib/unpack.wgsl"),
            include_str!("../../../shaders/lib/dequant_iq1_m.wgsl")
        )),
        repack: |unit, quants, scales| {
            let block: &Iq1M = bytemuck::from_bytes(unit);
            iq1::repack(quants, |i| block.levels(i));
            scales[..8].copy_from_slice(bytemuck::bytes_of(&block.scales));
            let shifts = (0..32).map(|i| u32::from(block.down(i)) << i).sum::<u32>();
            scales[8..].copy_from_slice(&shifts.to_le_bytes());
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Iq1M {
    /// For every eight weights the low eight bits of the point's index.
    qs: [u8; 32],
    /// A nibble for every eight weights, the first in the low one: three high bits of the index, and whether the shift is
    /// down.
    qh: [u8; 16],
    /// Four words, each with three bits of scale for four runs. Their high nibbles are the scale of scales, a half.
    scales: [[u8; 2]; 4],
}

impl Iq1M {
    fn high(&self, eight: usize) -> u8 {
        self.qh[eight / 2] >> (4 * (eight % 2)) & 15
    }

    fn levels(&self, eight: usize) -> u16 {
        grid::IQ1[usize::from(self.qs[eight]) | usize::from(self.high(eight) & 7) << 8]
    }

    fn down(&self, eight: usize) -> bool {
        self.high(eight) & 8 != 0
    }

    fn d(&self) -> Half {
        let [a, b, c, d] = self.scales.map(|word| word[1] >> 4);
        Half::from_bytes([a | b << 4, c | d << 4])
    }
}

impl block::Block<256> for Iq1M {
    fn dequantize(&self, weights: &mut [f32; 256]) {
        let d = self.d().to_f32();
        for (i, weights) in weights.as_chunks_mut().0.iter_mut().enumerate() {
            let run = i / 2;
            let small = u16::from_le_bytes(self.scales[run / 4]) >> (3 * (run % 4)) & 7;
            iq1::unpack(weights, d * f32::from(2 * small + 1), self.levels(i), self.down(i));
        }
    }
}
