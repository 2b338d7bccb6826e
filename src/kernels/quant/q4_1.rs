//! Q4_1: 32 weights of 4 bits with a scale and a minimum, `w = d q + m`. 5 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    levels::{self, Grouped, Levels, PerGroup},
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q4_1,
    name: "Q4_1",
    ggml_id: 3,
    block_len: 32,
    block_bytes: size_of::<Q4_1>(),
    dequantize: levels::dequantize::<Q4_1, 32, 32>,
    quantize: Some(block::quantize::<Q4_1, 32>),
    levels: Some(Levels::of::<Q4_1, 32, 32>()),
    gpu: GpuLayout {
        unit_len: 32,
        quant_bytes: 16,
        scale_bytes: 4,
        wgsl: crate::wgsl!(include_str!("../../../shaders/lib/dequant_q4_1.wgsl")),
        repack: |unit, quants, scales| {
            scales.copy_from_slice(&unit[..4]);
            quants.copy_from_slice(&unit[4..]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Q4_1 {
    /// Scale.
    d: Half,
    /// Minimum.
    m: Half,
    /// Byte `j` holds weight `j` in its low nibble and weight `j + 16` in its high one.
    qs: [u8; 16],
}

impl Grouped<32, 32> for Q4_1 {
    const MINS: bool = true;

    #[inline(always)]
    fn levels(&self, levels: &mut [i8; 32]) {
        for (j, q) in self.qs.iter().enumerate() {
            levels[j] = (q & 15) as i8;
            levels[j + 16] = (q >> 4) as i8;
        }
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

impl block::Quantize<32> for Q4_1 {
    fn quantize(weights: &[f32; 32]) -> Self {
        let (min, max) = block::range(weights);
        let d = (max - min) / 15.0;
        let inverse = block::inverse(d);
        let q = weights.map(|w| (((w - min) * inverse + 0.5) as u8).min(15));
        Q4_1 {
            d: Half::from_f32(d),
            m: Half::from_f32(min),
            qs: std::array::from_fn(|j| q[j] | q[j + 16] << 4),
        }
    }
}
