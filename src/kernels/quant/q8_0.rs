//! Q8_0: 32 weights of 8 bits with one scale, `w = d q`. 8.5 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    levels::{self, Grouped, Levels, PerGroup},
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q8_0,
    name: "Q8_0",
    ggml_id: 8,
    block_len: 32,
    block_bytes: size_of::<Q8_0>(),
    dequantize: levels::dequantize::<Q8_0, 32, 32>,
    quantize: Some(block::quantize::<Q8_0, 32>),
    levels: Some(Levels::of::<Q8_0, 32, 32>()),
    gpu: GpuLayout {
        unit_len: 32,
        quant_bytes: 32,
        scale_bytes: 2,
        wgsl: crate::wgsl!(include_str!("../../../shaders/lib/dequant_q8_0.wgsl")),
        repack: |unit, quants, scales| {
            scales.copy_from_slice(&unit[..2]);
            quants.copy_from_slice(&unit[2..]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Q8_0 {
    /// Scale.
    pub d: Half,
    /// Signed weights in order.
    pub qs: [u8; 32],
}

impl Grouped<32, 32> for Q8_0 {
    #[inline(always)]
    fn levels(&self, levels: &mut [i8; 32]) {
        *levels = self.qs.map(|q| q as i8);
    }

    #[inline(always)]
    fn plain_levels(&self) -> Option<&[i8; 32]> {
        Some(bytemuck::cast_ref(&self.qs))
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

impl block::Quantize<32> for Q8_0 {
    fn quantize(weights: &[f32; 32]) -> Self {
        let d = block::extreme(weights).abs() / 127.0;
        let inverse = block::inverse(d);
        Q8_0 { d: Half::from_f32(d), qs: weights.map(|w| (w * inverse).round() as i8 as u8) }
    }
}
