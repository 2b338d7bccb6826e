//! Q6_K: 256 weights of 6 bits in sixteen runs of 16, each with a scale of 8 bits, a multiple of one half.
//! `w = d s (q - 32)`. 6.5625 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    fit,
    levels::{self, Grouped, Levels},
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q6_K,
    name: "Q6_K",
    ggml_id: 14,
    block_len: 256,
    block_bytes: size_of::<Q6K>(),
    dequantize: levels::dequantize::<Q6K, 256, 16>,
    quantize: Some(block::quantize::<Q6K, 256>),
    levels: Some(Levels::of::<Q6K, 256, 16>()),
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 192,
        scale_bytes: 18,
        wgsl: crate::wgsl!(include_str!("../../../shaders/lib/dequant_q6_k.wgsl")),
        repack: |unit, quants, scales| {
            quants.copy_from_slice(&unit[..192]);
            scales.copy_from_slice(&unit[192..]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Q6K {
    /// Low four bits. Each half of the block (128 weights, four groups of 32) has 64 bytes: groups 0 and 1 in the low
    /// nibbles of the first and second 32 bytes, groups 2 and 3 in their high nibbles.
    pub ql: [u8; 128],
    /// High two bits. Each half of the block has 32 bytes: group `j` in bits `2j` and `2j + 1`.
    pub qh: [u8; 64],
    /// Scale of every 16 weights.
    pub scales: [i8; 16],
    /// Scale of the scales.
    pub d: Half,
}

impl Grouped<256, 16> for Q6K {
    #[inline(always)]
    fn levels(&self, levels: &mut [i8; 256]) {
        let halves = levels.as_chunks_mut::<128>().0.iter_mut();
        for ((levels, ql), qh) in halves.zip(self.ql.as_chunks::<64>().0).zip(self.qh.as_chunks::<32>().0) {
            for (l, high) in qh.iter().enumerate() {
                let (even, odd) = (ql[l], ql[l + 32]);
                levels[l] = (even & 15 | (high & 3) << 4) as i8 - 32;
                levels[l + 32] = (odd & 15 | (high & 12) << 2) as i8 - 32;
                levels[l + 64] = (even >> 4 | high & 48) as i8 - 32;
                levels[l + 96] = (odd >> 4 | (high & 192) >> 2) as i8 - 32;
            }
        }
    }

    #[inline(always)]
    fn scale(&self, run: usize) -> (f32, f32) {
        (self.d.to_f32() * f32::from(self.scales[run]), 0.0)
    }
}

impl block::Quantize<256> for Q6K {
    fn quantize(weights: &[f32; 256]) -> Self {
        let fits: [f32; 16] = std::array::from_fn(|run| fit::scale(&weights[16 * run..][..16], 32.0));
        let d = Half::from_f32(block::extreme(&fits) / -128.0);
        let inverse = block::inverse(d.to_f32());
        let scales = fits.map(|scale| fit::integer(scale * inverse, -128.0, 127.0) as i8);
        let q = |i: usize| {
            let scale = d.to_f32() * f32::from(scales[i / 16]);
            (fit::integer(weights[i] * block::inverse(scale), -32.0, 31.0) + 32.0) as u8
        };
        // A half's groups 0 and 2 share 32 bytes, as do 1 and 3: the partner is 64 weights further on.
        let ql = std::array::from_fn(|i| q(i / 64 * 128 + i % 64) & 15 | q(i / 64 * 128 + i % 64 + 64) << 4);
        let qh =
            std::array::from_fn(|i| (0..4).map(|j| q(i / 32 * 128 + 32 * j + i % 32) >> 4 << (2 * j)).sum());
        Q6K { ql, qh, scales, d }
    }
}
