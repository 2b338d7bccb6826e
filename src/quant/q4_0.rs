//! Q4_0: 32 weights of 4 bits with one scale, `w = d (q - 8)`. 4.5 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    dot,
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q4_0,
    name: "Q4_0",
    ggml_id: 2,
    block_len: 32,
    block_bytes: size_of::<Q4_0>(),
    dequantize: block::dequantize::<Q4_0, 32>,
    quantize: Some(block::quantize::<Q4_0, 32>),
    dot: dot::q4_0,
    gpu: GpuLayout {
        unit_len: 32,
        quant_bytes: 16,
        scale_bytes: 2,
        wgsl: include_str!("../../shaders/lib/dequant_q4_0.wgsl"),
        repack: |unit, quants, scales| {
            scales.copy_from_slice(&unit[..2]);
            quants.copy_from_slice(&unit[2..]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Q4_0 {
    /// Scale.
    pub d: Half,
    /// Byte `j` holds weight `j` in its low nibble and weight `j + 16` in its high one.
    pub qs: [u8; 16],
}

impl block::Block<32> for Q4_0 {
    fn dequantize(&self, weights: &mut [f32; 32]) {
        let d = self.d.to_f32();
        for (j, &q) in self.qs.iter().enumerate() {
            weights[j] = d * (f32::from(q & 15) - 8.0);
            weights[j + 16] = d * (f32::from(q >> 4) - 8.0);
        }
    }
}

impl block::Quantize<32> for Q4_0 {
    fn quantize(weights: &[f32; 32]) -> Self {
        let d = block::extreme(weights) / -8.0;
        let inverse = block::inverse(d);
        let q = weights.map(|w| ((w * inverse + 8.5) as u8).min(15));
        Q4_0 { d: Half::from_f32(d), qs: std::array::from_fn(|j| q[j] | q[j + 16] << 4) }
    }
}
