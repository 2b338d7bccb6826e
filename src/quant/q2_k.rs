//! Q2_K: 256 weights of 2 bits in sixteen runs of 16; each run has a scale and a minimum of 4 bits, which are
//! multiples of two halves. `w = d s q - dmin m`. 2.625 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    dot,
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q2_K,
    name: "Q2_K",
    ggml_id: 10,
    block_len: 256,
    block_bytes: size_of::<Q2K>(),
    dequantize: block::dequantize::<Q2K, 256>,
    quantize: None,
    dot: dot::blocks::<Q2K, 256>,
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 64,
        scale_bytes: 20,
        wgsl: include_str!("../../shaders/lib/dequant_q2_k.wgsl"),
        repack: |unit, quants, scales| {
            scales[..16].copy_from_slice(&unit[..16]);
            quants.copy_from_slice(&unit[16..80]);
            scales[16..].copy_from_slice(&unit[80..]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Q2K {
    /// For every 16 weights the scale in the low nibble, the minimum in the high one.
    scales: [u8; 16],
    /// Each half of the block (128 weights, four groups of 32) has 32 bytes: group `j` in bits `2j` and `2j + 1`.
    qs: [u8; 64],
    /// Scale of the runs' scales.
    d: Half,
    /// Scale of the runs' minima.
    dmin: Half,
}

impl block::Block<256> for Q2K {
    fn dequantize(&self, weights: &mut [f32; 256]) {
        let (d, dmin) = (self.d.to_f32(), self.dmin.to_f32());
        for (run, weights) in weights.chunks_exact_mut(16).enumerate() {
            let (half, j) = (run / 8, run / 2 % 4);
            let qs = &self.qs[32 * half + 16 * (run % 2)..];
            let scale = d * f32::from(self.scales[run] & 15);
            let min = dmin * f32::from(self.scales[run] >> 4);
            for (w, q) in weights.iter_mut().zip(qs) {
                *w = scale * f32::from(q >> (2 * j) & 3) - min;
            }
        }
    }
}
