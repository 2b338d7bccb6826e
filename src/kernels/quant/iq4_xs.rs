//! IQ4_XS: 256 weights of 4 bits in eight groups of 32, each with a scale of 6 bits, a multiple of one half.
//! `w = d (s - 32) VALUES[q]` with IQ4_NL's values. 4.25 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::Half,
    iq4_nl,
    levels::{self, Grouped, Levels},
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::IQ4_XS,
    name: "IQ4_XS",
    ggml_id: 23,
    block_len: 256,
    block_bytes: size_of::<Iq4Xs>(),
    dequantize: levels::dequantize::<Iq4Xs, 256, 32>,
    quantize: None,
    levels: Some(Levels::of::<Iq4Xs, 256, 32>()),
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 128,
        scale_bytes: 8,
        wgsl: crate::wgsl!(concat!(
            include_str!("../../../shaders/lib/iq4_values.wgsl"),
            include_str!("../../../shaders/lib/dequant_iq4_xs.wgsl")
        )),
        repack: |unit, quants, scales| {
            scales.copy_from_slice(&unit[..8]);
            quants.copy_from_slice(&unit[8..]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Iq4Xs {
    /// Scale of the groups' scales.
    d: Half,
    /// High two bits of the groups' scales.
    scales_h: [u8; 2],
    /// Their low four bits, two groups a byte, the first in the low nibble.
    scales_l: [u8; 4],
    /// For every group 16 bytes: byte `j` holds weight `j` in its low nibble and weight `j + 16` in its high one.
    qs: [[u8; 16]; 8],
}

impl Grouped<256, 32> for Iq4Xs {
    #[inline(always)]
    fn levels(&self, levels: &mut [i8; 256]) {
        levels
            .as_chunks_mut()
            .0
            .iter_mut()
            .zip(&self.qs)
            .for_each(|(levels, qs)| iq4_nl::unpack(levels, &iq4_nl::VALUES, qs));
    }

    #[inline(always)]
    fn scale(&self, g: usize) -> (f32, f32) {
        let low = self.scales_l[g / 2] >> (4 * (g % 2)) & 15;
        let high = self.scales_h[g / 4] >> (2 * (g % 4)) & 3;
        (self.d.to_f32() * (f32::from(low | high << 4) - 32.0), 0.0)
    }
}
