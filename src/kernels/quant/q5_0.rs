//! Q5_0: 32 weights of 5 bits with one scale, `w = d (q - 16)`. 5.5 bits a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    levels::{self, Grouped, Levels, PerGroup},
};
use crate::lanes::look_up;
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::Q5_0,
    name: "Q5_0",
    ggml_id: 6,
    block_len: 32,
    block_bytes: size_of::<Q5_0>(),
    dequantize: levels::dequantize::<Q5_0, 32, 32>,
    quantize: Some(block::quantize::<Q5_0, 32>),
    levels: Some(Levels::of::<Q5_0, 32, 32>()),
    gpu: GpuLayout {
        unit_len: 32,
        quant_bytes: 16,
        scale_bytes: 6,
        wgsl: crate::wgsl!(include_str!("../../../shaders/lib/dequant_q5_0.wgsl")),
        repack: |unit, quants, scales| {
            scales.copy_from_slice(&unit[..6]);
            quants.copy_from_slice(&unit[6..]);
        },
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Q5_0 {
    /// Scale.
    d: Half,
    /// Bit `j` of this word is the fifth bit of weight `j`.
    qh: [u8; 4],
    /// Byte `j` holds four bits of weight `j` in its low nibble and of weight `j + 16` in its high one.
    qs: [u8; 16],
}

impl Grouped<32, 32> for Q5_0 {
    #[inline(always)]
    fn levels(&self, levels: &mut [i8; 32]) {
        *levels = join(&self.qs, self.qh).map(|q| q as i8 - 16);
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

impl block::Quantize<32> for Q5_0 {
    fn quantize(weights: &[f32; 32]) -> Self {
        let d = block::extreme(weights) / -16.0;
        let inverse = block::inverse(d);
        let (qs, qh) = split(&weights.map(|w| ((w * inverse + 16.5) as u8).min(31)));
        Q5_0 { d: Half::from_f32(d), qh, qs }
    }
}

/// Nibbles and fifth bits to 32 numbers of 5 bits.
#[inline(always)]
pub fn join(qs: &[u8; 16], qh: [u8; 4]) -> [u8; 32] {
    // Many processors shift all numbers of a vector by one count only, so the bits are spread by a look-up and tested.
    const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    const BYTES: [[u8; 16]; 2] =
        [[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3]];
    let mut table = [0; 16];
    table[..4].copy_from_slice(&qh.map(|byte| byte as i8));
    let fifth = |byte: i8, bit: u8| if byte as u8 & bit != 0 { 16 } else { 0 };
    let mut numbers = [0; 32];
    let (low, high) = (look_up(&table, &BYTES[0]), look_up(&table, &BYTES[1]));
    for j in 0..16 {
        numbers[j] = qs[j] & 15 | fifth(low[j], BITS[j]);
        numbers[j + 16] = qs[j] >> 4 | fifth(high[j], BITS[j]);
    }
    numbers
}

/// The reverse of [`join`].
pub fn split(q: &[u8; 32]) -> ([u8; 16], [u8; 4]) {
    let qs = std::array::from_fn(|j| (q[j] & 15) | q[j + 16] << 4);
    let high = q.iter().rev().fold(0, |high: u32, q| high << 1 | u32::from(q >> 4));
    (qs, high.to_le_bytes())
}
