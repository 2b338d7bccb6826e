//! TQ1_0: 256 weights of -1, 0 or 1 with one scale, five to a byte. `w = d (q - 1)`. 1.6875 bits a weight; on the GPU it is
//! laid out as TQ2_0 is, with 2.0625.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
    levels::{self, Grouped, Levels},
    tq2_0,
};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::TQ1_0,
    name: "TQ1_0",
    ggml_id: 34,
    block_len: 256,
    block_bytes: size_of::<Tq1_0>(),
    dequantize: levels::dequantize::<Tq1_0, 256, 32>,
    quantize: Some(block::quantize::<Tq1_0, 256>),
    levels: Some(Levels::of::<Tq1_0, 256, 32>()),
    gpu: GpuLayout {
        repack: |unit, quants, scales| {
            let block: &Tq1_0 = bytemuck::from_bytes(unit);
            tq2_0::repack(&block.numbers(), quants);
            scales.copy_from_slice(&unit[52..]);
        },
        ..tq2_0::INFO.gpu
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Tq1_0 {
    /// Numbers in base 3, see [`PARTS`]. A byte is its digits' number as a fraction of 3^5, in 256ths and rounded up, so that
    /// times 3^n without what overflows begins with digit `n`. 52 bytes in fours.
    qs: [[u8; 4]; 13],
    /// Scale.
    d: Half,
}

/// First byte, number of bytes and digits in a byte of each part. A part's bytes hold one digit of as many neighbouring
/// weights, then the next digit of the next ones.
const PARTS: [(usize, usize, usize); 3] = [(0, 32, 5), (32, 16, 5), (48, 4, 4)];

/// Runs of weights in order: the bytes they are in, and their digit.
fn runs() -> impl Iterator<Item = (std::ops::Range<usize>, u32)> {
    let digits = |(first, n, digits)| (0..digits).map(move |digit| (first..first + n, digit as u32));
    PARTS.into_iter().flat_map(digits)
}

impl Tq1_0 {
    fn numbers(&self) -> [u8; 256] {
        let mut numbers = [0; 256];
        let mut rest = &mut numbers[..];
        for (bytes, digit) in runs() {
            let (run, after) = rest.split_at_mut(bytes.len());
            let power = 3u8.pow(digit);
            for (number, q) in run.iter_mut().zip(&self.qs.as_flattened()[bytes]) {
                *number = ((u16::from(q.wrapping_mul(power)) * 3) >> 8) as u8;
            }
            rest = after;
        }
        numbers
    }
}

impl Grouped<256, 32> for Tq1_0 {
    #[inline(always)]
    fn levels(&self, levels: &mut [i8; 256]) {
        *levels = self.numbers().map(|number| number as i8 - 1);
    }

    #[inline(always)]
    fn scale(&self, _: usize) -> (f32, f32) {
        (self.d.to_f32(), 0.0)
    }
}

impl block::Quantize<256> for Tq1_0 {
    fn quantize(weights: &[f32; 256]) -> Self {
        let (d, numbers) = tq2_0::quantize(weights);
        let mut sums = [[0u16; 4]; 13]; // of the digits, in 3^-5ths
        let mut rest = &numbers[..];
        for (bytes, digit) in runs() {
            let (run, after) = rest.split_at(bytes.len());
            for (sum, number) in sums.as_flattened_mut()[bytes].iter_mut().zip(run) {
                *sum += u16::from(*number) * 3u16.pow(4 - digit);
            }
            rest = after;
        }
        Tq1_0 { qs: sums.map(|four| four.map(|sum| (sum * 256).div_ceil(243) as u8)), d }
    }
}
