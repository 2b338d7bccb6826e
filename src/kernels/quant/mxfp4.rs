//! MXFP4: 32 weights in floating point of 4 bits (a sign, two bits of exponent, one of mantissa) with one power of two as their
//! scale; "OCP Microscaling Formats (MX) Specification" v1.0. `w = 2^(e - 128) VALUES[q]`, with values of twice the size
//! that the specification gives. 4.25 bits a weight, 4.5 on the GPU.

use super::{
    DType, GpuLayout, TypeInfo, block, iq4_nl,
    levels::{self, Grouped, Levels},
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::MXFP4,
    name: "MXFP4",
    ggml_id: 39,
    block_len: 32,
    block_bytes: size_of::<Mxfp4>(),
    dequantize: levels::dequantize::<Mxfp4, 32, 32>,
    quantize: Some(block::quantize::<Mxfp4, 32>),
    levels: Some(Levels::of::<Mxfp4, 32, 32>()),
    gpu: GpuLayout {
        unit_len: 32,
        quant_bytes: 16,
        scale_bytes: 2,
        wgsl: crate::wgsl!(include_str!("../../../shaders/lib/dequant_mxfp4.wgsl")),
        repack: |unit, quants, scales| {
            // The upper half of an f32 has room for every scale.
            scales.copy_from_slice(&scale(unit[0]).to_le_bytes()[2..]);
            quants.copy_from_slice(&unit[1..]);
        },
    },
};

/// What the sixteen numbers of four bits stand for.
const VALUES: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Mxfp4 {
    /// Exponent of the scale.
    e: u8,
    /// Byte `j` holds weight `j` in its low nibble and weight `j + 16` in its high one.
    qs: [u8; 16],
}

/// `2^(e - 128)`, for the two least exponents a subnormal number.
#[inline(always)]
fn scale(e: u8) -> f32 {
    f32::from_bits(if e < 2 { 0x0020_0000 << e } else { u32::from(e - 1) << 23 })
}

impl Grouped<32, 32> for Mxfp4 {
    #[inline(always)]
    fn levels(&self, levels: &mut [i8; 32]) {
        iq4_nl::unpack(levels, &VALUES, &self.qs);
    }

    #[inline(always)]
    fn scale(&self, _: usize) -> (f32, f32) {
        (scale(self.e), 0.0)
    }
}

impl block::Quantize<32> for Mxfp4 {
    fn quantize(weights: &[f32; 32]) -> Self {
        // The largest value, 12 times the scale, has the exponent of the largest weight.
        let exponent = (block::extreme(weights).abs().to_bits() >> 23) as u8;
        let e = exponent.saturating_sub(2);
        let d = scale(e);
        let q = weights.map(|w| {
            let miss = |q: u8| (d * f32::from(VALUES[usize::from(q)]) - w).abs();
            (1..16).fold(0, |best, q| if miss(q) < miss(best) { q } else { best })
        });
        Mxfp4 { e, qs: std::array::from_fn(|j| q[j] | q[j + 16] << 4) }
    }
}
