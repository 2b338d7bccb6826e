//! TQ2_0: 256 weights of two bits, in practice -1, 0 and 1, with one scale. `w = d (q - 1)`. 2.0625 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    levels::{self, Grouped, Levels},
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::TQ2_0,
    name: "TQ2_0",
    ggml_id: 35,
    block_len: 256,
    block_bytes: size_of::<Tq2_0>(),
    dequantize: levels::dequantize::<Tq2_0, 256, 32>,
    quantize: Some(block::quantize::<Tq2_0, 256>),
    levels: Some(Levels::of::<Tq2_0, 256, 32>()),
    gpu: GpuLayout {
        unit_len: 256,
        quant_bytes: 64,
        scale_bytes: 2,
        wgsl: crate::wgsl!(concat!(
            include_str!("../../../shaders/lib/unpack.wgsl"),
            include_str!("../../../shaders/lib/dequant_tq2_0.wgsl")
        )),
        repack: |unit, quants, scales| {
            let block: &Tq2_0 = bytemuck::from_bytes(unit);
            repack(&block.numbers(), quants);
            scales.copy_from_slice(&unit[64..]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Tq2_0 {
    /// Each half of the block (128 weights, four groups of 32) has 32 bytes: group `j` in bits `2j` and `2j + 1`.
    qs: [u8; 64],
    /// Scale.
    d: Half,
}

impl Tq2_0 {
    fn numbers(&self) -> [u8; 256] {
        let mut numbers = [0; 256];
        for (g, group) in numbers.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            for (number, q) in group.iter_mut().zip(&self.qs[32 * (g / 4)..]) {
                *number = q >> (2 * (g % 4)) & 3;
            }
        }
        numbers
    }
}

impl Grouped<256, 32> for Tq2_0 {
    #[inline(always)]
    fn levels(&self, levels: &mut [i8; 256]) {
        *levels = self.numbers().map(|number| number as i8 - 1);
    }

    #[inline(always)]
    fn scale(&self, _: usize) -> (f32, f32) {
        (self.d.to_f32(), 0.0)
    }
}

impl block::Quantize<256> for Tq2_0 {
    fn quantize(weights: &[f32; 256]) -> Self {
        let (d, q) = quantize(weights);
        let qs = std::array::from_fn(|i| (0..4).map(|j| q[i / 32 * 128 + 32 * j + i % 32] << (2 * j)).sum());
        Tq2_0 { qs, d }
    }
}

/// The GPU's quants: the numbers in order, two bits each.
pub fn repack(numbers: &[u8; 256], quants: &mut [u8]) {
    for (byte, four) in quants.iter_mut().zip(numbers.as_chunks().0) {
        let word = u32::from_le_bytes(*four); // a number a byte
        *byte = (word | word >> 6 | word >> 12 | word >> 18) as u8;
    }
}

/// The scale, which is the largest magnitude, and the numbers.
pub fn quantize(weights: &[f32; 256]) -> (Half, [u8; 256]) {
    let d = block::extreme(weights).abs();
    let inverse = block::inverse(d);
    (Half::from_f32(d), weights.map(|w| ((w * inverse).round() + 1.0) as u8))
}
