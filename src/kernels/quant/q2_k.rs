//! Q2_K: 256 weights of 2 bits in sixteen runs of 16; each run has a scale and a minimum of 4 bits, which are
//! multiples of two halves. `w = d s q - dmin m`. 2.625 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::Half,
    levels::{self, Grouped, Levels},
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q2_K,
    name: "Q2_K",
    ggml_id: 10,
    block_len: 256,
    block_bytes: size_of::<Q2K>(),
    dequantize: levels::dequantize::<Q2K, 256, 16>,
    quantize: None,
    levels: Some(Levels::of::<Q2K, 256, 16>()),
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 64,
        scale_bytes: 20,
        wgsl: crate::wgsl!(include_str!("../../../shaders/lib/dequant_q2_k.wgsl")),
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

impl Grouped<256, 16> for Q2K {
    const MINS: bool = true;

    #[inline(always)]
    fn levels(&self, levels: &mut [i8; 256]) {
        for (g, levels) in levels.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            for (level, q) in levels.iter_mut().zip(&self.qs[32 * (g / 4)..]) {
                *level = (q >> (2 * (g % 4)) & 3) as i8;
            }
        }
    }

    #[inline(always)]
    fn scale(&self, run: usize) -> (f32, f32) {
        let (scale, min) = (self.scales[run] & 15, self.scales[run] >> 4);
        (self.d.to_f32() * f32::from(scale), self.dmin.to_f32() * f32::from(min))
    }
}
