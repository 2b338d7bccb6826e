//! Q3_K: 256 weights of 3 bits in sixteen runs of 16, each with a scale of 6 bits, a multiple of one half.
//! `w = d (s - 32) (q - 4)`. 3.4375 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::Half,
    levels::{self, Grouped, Levels},
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q3_K,
    name: "Q3_K",
    ggml_id: 11,
    block_len: 256,
    block_bytes: size_of::<Q3K>(),
    dequantize: levels::dequantize::<Q3K, 256, 16>,
    quantize: None,
    levels: Some(Levels::of::<Q3K, 256, 16>()),
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 96,
        scale_bytes: 14,
        wgsl: crate::wgsl!(include_str!("../../../shaders/lib/dequant_q3_k.wgsl")),
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

impl Grouped<256, 16> for Q3K {
    #[inline(always)]
    fn levels(&self, levels: &mut [i8; 256]) {
        for (half, (levels, qs)) in
            levels.as_chunks_mut::<128>().0.iter_mut().zip(self.qs.as_chunks::<32>().0).enumerate()
        {
            for (l, (q, high)) in qs.iter().zip(&self.hmask).enumerate() {
                let high = high >> (4 * half);
                levels[l] = (q & 3 | (high & 1) << 2) as i8 - 4;
                levels[l + 32] = (q >> 2 & 3 | (high & 2) << 1) as i8 - 4;
                levels[l + 64] = (q >> 4 & 3 | high & 4) as i8 - 4;
                levels[l + 96] = (q >> 6 | (high & 8) >> 1) as i8 - 4;
            }
        }
    }

    #[inline(always)]
    fn scale(&self, run: usize) -> (f32, f32) {
        let low = self.scales[run % 8] >> (4 * (run / 8)) & 15;
        let high = self.scales[8 + run % 4] >> (2 * (run / 4)) & 3;
        (self.d.to_f32() * (f32::from(low | high << 4) - 32.0), 0.0)
    }
}
