//! IQ4_NL: 32 weights of 4 bits with one scale, `w = d VALUES[q]`; the values lie closer around zero, where weights are
//! frequent. 4.5 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    fit,
    levels::{self, Grouped, Levels, PerGroup},
};
use crate::lanes::look_up;
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::IQ4_NL,
    name: "IQ4_NL",
    ggml_id: 20,
    block_len: 32,
    block_bytes: size_of::<Iq4Nl>(),
    dequantize: levels::dequantize::<Iq4Nl, 32, 32>,
    quantize: Some(block::quantize::<Iq4Nl, 32>),
    levels: Some(Levels::of::<Iq4Nl, 32, 32>()),
    gpu: GpuLayout {
        unit_len: 32,
        quant_bytes: 16,
        scale_bytes: 2,
        wgsl: crate::wgsl!(concat!(
            include_str!("../../../shaders/lib/iq4_values.wgsl"),
            include_str!("../../../shaders/lib/dequant_iq4_nl.wgsl")
        )),
        repack: |unit, quants, scales| {
            scales.copy_from_slice(&unit[..2]);
            quants.copy_from_slice(&unit[2..]);
        },
    },
};

/// What the sixteen numbers of four bits stand for, in IQ4_XS too.
pub const VALUES: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Iq4Nl {
    /// Scale.
    d: Half,
    /// Byte `j` holds weight `j` in its low nibble and weight `j + 16` in its high one.
    qs: [u8; 16],
}

/// The values of 32 weights, packed as [`Iq4Nl::qs`].
#[inline(always)]
pub fn unpack(levels: &mut [i8; 32], values: &[i8; 16], qs: &[u8; 16]) {
    let [low, high] = [qs.map(|q| q & 15), qs.map(|q| q >> 4)];
    levels[..16].copy_from_slice(&look_up(values, &low));
    levels[16..].copy_from_slice(&look_up(values, &high));
}

impl Grouped<32, 32> for Iq4Nl {
    #[inline(always)]
    fn levels(&self, levels: &mut [i8; 32]) {
        unpack(levels, &VALUES, &self.qs);
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

/// The number whose value is nearest to `x`.
fn nearest(x: f32) -> u8 {
    VALUES.windows(2).filter(|pair| 2.0 * x > f32::from(pair[0]) + f32::from(pair[1])).count() as u8
}

impl block::Quantize<32> for Iq4Nl {
    fn quantize(weights: &[f32; 32]) -> Self {
        // In sixteenths, so that values are about one apart, as `fit` expects.
        let value = |x: f32| f32::from(VALUES[usize::from(nearest(16.0 * x))]) / 16.0;
        let d = Half::from_f32(fit::scale_to(weights, 127.0 / 16.0, value) / 16.0);
        let inverse = block::inverse(d.to_f32());
        let q = weights.map(|w| nearest(w * inverse));
        Iq4Nl { d, qs: std::array::from_fn(|j| q[j] | q[j + 16] << 4) }
    }
}
