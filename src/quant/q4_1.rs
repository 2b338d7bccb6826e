//! Q4_1: 32 weights of 4 bits with a scale and a minimum, `w = d q + m`. 5 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    dot,
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q4_1,
    name: "Q4_1",
    ggml_id: 3,
    block_len: 32,
    block_bytes: size_of::<Q4_1>(),
    dequantize: block::dequantize::<Q4_1, 32>,
    quantize: Some(block::quantize::<Q4_1, 32>),
    dot: dot::blocks::<Q4_1, 32>,
    gpu: GpuLayout {
        unit_len: 32,
        quant_bytes: 16,
        scale_bytes: 4,
        wgsl: include_str!("../../shaders/lib/dequant_q4_1.wgsl"),
        repack: |unit, quants, scales| {
            scales.copy_from_slice(&unit[..4]);
            quants.copy_from_slice(&unit[4..]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Q4_1 {
    /// Scale.
    d: Half,
    /// Minimum.
    m: Half,
    /// Byte `j` holds weight `j` in its low nibble and weight `j + 16` in its high one.
    qs: [u8; 16],
}

impl block::Block<32> for Q4_1 {
    fn dequantize(&self, weights: &mut [f32; 32]) {
        let (d, m) = (self.d.to_f32(), self.m.to_f32());
        for (j, &q) in self.qs.iter().enumerate() {
            weights[j] = d * f32::from(q & 15) + m;
            weights[j + 16] = d * f32::from(q >> 4) + m;
        }
    }
}

impl block::Quantize<32> for Q4_1 {
    fn quantize(weights: &[f32; 32]) -> Self {
        let (min, max) = block::range(weights);
        let d = (max - min) / 15.0;
        let inverse = block::inverse(d);
        let q = weights.map(|w| (((w - min) * inverse + 0.5) as u8).min(15));
        Q4_1 {
            d: Half::from_f32(d),
            m: Half::from_f32(min),
            qs: std::array::from_fn(|j| q[j] | q[j + 16] << 4),
        }
    }
}
