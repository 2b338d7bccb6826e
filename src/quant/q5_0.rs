//! Q5_0: 32 weights of 5 bits with one scale, `w = d (q - 16)`. 5.5 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    dot,
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q5_0,
    name: "Q5_0",
    ggml_id: 6,
    block_len: 32,
    block_bytes: size_of::<Q5_0>(),
    dequantize: block::dequantize::<Q5_0, 32>,
    quantize: Some(block::quantize::<Q5_0, 32>),
    dot: dot::blocks::<Q5_0, 32>,
    gpu: GpuLayout {
        unit_len: 32,
        quant_bytes: 16,
        scale_bytes: 6,
        wgsl: include_str!("../../shaders/lib/dequant_q5_0.wgsl"),
        repack: |unit, quants, scales| {
            scales.copy_from_slice(&unit[..6]);
            quants.copy_from_slice(&unit[6..]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Q5_0 {
    /// Scale.
    d: Half,
    /// Bit `j` of this word is the fifth bit of weight `j`.
    qh: [u8; 4],
    /// Byte `j` holds four bits of weight `j` in its low nibble and of weight `j + 16` in its high one.
    qs: [u8; 16],
}

impl block::Block<32> for Q5_0 {
    fn dequantize(&self, weights: &mut [f32; 32]) {
        let d = self.d.to_f32();
        let q = join(&self.qs, self.qh);
        *weights = std::array::from_fn(|j| d * (f32::from(q[j]) - 16.0));
    }
}

impl block::Quantize<32> for Q5_0 {
    fn quantize(weights: &[f32; 32]) -> Self {
        let d = block::extreme(weights) / -16.0;
        let inverse = block::inverse(d);
        let (qs, qh) = split(&weights.map(|w| ((w * inverse + 16.5) as u8).min(31)));
        Q5_0 { d: Half::from_f32(d), qh, qs }
    }
}

/// Nibbles and fifth bits to 32 numbers of 5 bits.
pub fn join(qs: &[u8; 16], qh: [u8; 4]) -> [u8; 32] {
    let high = u32::from_le_bytes(qh);
    std::array::from_fn(|j| (qs[j % 16] >> (4 * (j / 16)) & 15) | ((high >> j & 1) << 4) as u8)
}

/// The reverse of [`join`].
pub fn split(q: &[u8; 32]) -> ([u8; 16], [u8; 4]) {
    let qs = std::array::from_fn(|j| (q[j] & 15) | q[j + 16] << 4);
    let high = q.iter().rev().fold(0, |high: u32, q| high << 1 | u32::from(q >> 4));
    (qs, high.to_le_bytes())
}
