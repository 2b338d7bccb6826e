//! Q5_1: 32 weights of 5 bits with a scale and a minimum, `w = d q + m`. 6 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    levels::{self, Grouped, Levels, PerGroup},
    q5_0::{join, split},
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q5_1,
    name: "Q5_1",
    ggml_id: 7,
    block_len: 32,
    block_bytes: size_of::<Q5_1>(),
    dequantize: levels::dequantize::<Q5_1, 32, 32>,
    quantize: Some(block::quantize::<Q5_1, 32>),
    levels: Some(Levels::of::<Q5_1, 32, 32>()),
    gpu: GpuLayout {
        unit_len: 32,
        quant_bytes: 16,
        scale_bytes: 8,
        wgsl: crate::wgsl!(include_str!("../../../shaders/lib/dequant_q5_1.wgsl")),
        repack: |unit, quants, scales| {
            scales.copy_from_slice(&unit[..8]);
            quants.copy_from_slice(&unit[8..]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Q5_1 {
    /// Scale.
    d: Half,
    /// Minimum.
    m: Half,
    /// Bit `j` of this word is the fifth bit of weight `j`.
    qh: [u8; 4],
    /// Byte `j` holds four bits of weight `j` in its low nibble and of weight `j + 16` in its high one.
    qs: [u8; 16],
}

impl Grouped<32, 32> for Q5_1 {
    const MINS: bool = true;

    #[inline(always)]
    fn levels(&self, levels: &mut [i8; 32]) {
        *levels = join(&self.qs, self.qh).map(|q| q as i8);
    }

    #[inline(always)]
    fn scale(&self, _: usize) -> (f32, f32) {
        (self.d.to_f32(), -self.m.to_f32())
    }

    #[inline(always)]
    fn scales(blocks: &[Self], scales: &mut PerGroup, mins: &mut PerGroup) {
        levels::widen(blocks, |block| block.d, scales);
        levels::widen(blocks, |block| block.m, mins);
        mins.iter_mut().for_each(|min| *min = -*min);
    }
}

impl block::Quantize<32> for Q5_1 {
    fn quantize(weights: &[f32; 32]) -> Self {
        let (min, max) = block::range(weights);
        let d = (max - min) / 31.0;
        let inverse = block::inverse(d);
        let (qs, qh) = split(&weights.map(|w| (((w - min) * inverse + 0.5) as u8).min(31)));
        Q5_1 { d: Half::from_f32(d), m: Half::from_f32(min), qh, qs }
    }
}
