//! Q3_K: 256 weights of 3 bits in sixteen runs of 16, each with a scale of 6 bits, a multiple of one half.
//! `w = d (s - 32) (q - 4)`. 3.4375 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    dot,
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q3_K,
    name: "Q3_K",
    ggml_id: 11,
    block_len: 256,
    block_bytes: size_of::<Q3K>(),
    dequantize: block::dequantize::<Q3K, 256>,
    quantize: None,
    dot: dot::blocks::<Q3K, 256>,
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 96,
        scale_bytes: 14,
        wgsl: include_str!("../../shaders/lib/dequant_q3_k.wgsl"),
        repack: |unit, quants, scales| {
            quants.copy_from_slice(&unit[..96]);
            scales.copy_from_slice(&unit[96..]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Q3K {
    /// Bit `g` of byte `l` is the third bit of weight `l` of group `g` (groups of 32).
    hmask: [u8; 32],
    /// Low two bits. Each half of the block (128 weights, four groups) has 32 bytes: group `j` in bits `2j`, `2j + 1`.
    qs: [u8; 64],
    /// Scales: low four bits of runs 0..8 and 8..16 in the low and high nibbles of bytes 0..8; high two bits of run
    /// `r` in byte `8 + r % 4`, at bit `2 (r / 4)`.
    scales: [u8; 12],
    /// Scale of the scales.
    d: Half,
}

impl block::Block<256> for Q3K {
    fn dequantize(&self, weights: &mut [f32; 256]) {
        let d = self.d.to_f32();
        for (run, weights) in weights.chunks_exact_mut(16).enumerate() {
            let (half, g, j) = (run / 8, run / 2, run / 2 % 4);
            let low = self.scales[run % 8] >> (4 * (run / 8)) & 15;
            let high = self.scales[8 + run % 4] >> (2 * (run / 4)) & 3;
            let scale = d * (f32::from(low | high << 4) - 32.0);
            let qs = &self.qs[32 * half + 16 * (run % 2)..];
            let hmask = &self.hmask[16 * (run % 2)..];
            for ((w, q), high) in weights.iter_mut().zip(qs).zip(hmask) {
                let q = q >> (2 * j) & 3 | (high >> g & 1) << 2;
                *w = scale * (f32::from(q) - 4.0);
            }
        }
    }
}
