//! Q4_0: 32 weights of 4 bits with one scale, `w = d (q - 8)`. 4.5 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    levels::{self, Grouped, Levels, PerGroup},
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q4_0,
    name: "Q4_0",
    ggml_id: 2,
    block_len: 32,
    block_bytes: size_of::<Q4_0>(),
    dequantize: levels::dequantize::<Q4_0, 32, 32>,
    quantize: Some(block::quantize::<Q4_0, 32>),
    levels: Some(Levels::of::<Q4_0, 32, 32>()),
    gpu: GpuLayout {
        unit_len: 32,
        quant_bytes: 16,
        scale_bytes: 2,
        wgsl: crate::wgsl!(include_str!("../../../shaders/lib/dequant_q4_0.wgsl")),
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

impl Grouped<32, 32> for Q4_0 {
    #[inline(always)]
    fn levels(&self, levels: &mut [i8; 32]) {
        for (j, q) in self.qs.iter().enumerate() {
            levels[j] = (q & 15) as i8 - 8;
            levels[j + 16] = (q >> 4) as i8 - 8;
        }
    }

    #[inline(always)]
    fn scale(&self, _: usize) -> (f32, f32) {
        (self.d.to_f32(), 0.0)
    }

    #[inline(always)]
    fn scales(blocks: &[Self], scales: &mut PerGroup, _: &mut PerGroup) {
        levels::widen(blocks, |block| block.d, scales);
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
