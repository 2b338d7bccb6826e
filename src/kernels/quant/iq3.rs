//! What IQ3_XXS and IQ3_S share: four weights at a time are a point of a grid, levels 0 to 7, and each has a sign. Level and
//! sign make one number `q` of four bits that rises with the weight: `8 + level`, or `7 - level` where it is negative.

/// The `q` of eight weights, four bits each, from two points and eight signs.
#[inline(always)]
pub fn quants(points: [u16; 2], signs: u8) -> u32 {
    // A bit for every nibble, then the whole nibble: 7 - level is the complement of 8 + level.
    let mut negative = u32::from(signs);
    negative = (negative | negative << 12) & 0x000f_000f;
    negative = (negative | negative << 6) & 0x0303_0303;
    negative = (negative | negative << 3) & 0x1111_1111;
    let levels = u32::from(points[0]) | u32::from(points[1]) << 16;
    (levels | 0x8888_8888) ^ (negative * 15)
}

/// Eight weights from their `q`, each of which stands for a number.
#[inline(always)]
pub fn unpack(weights: &mut [f32; 8], scale: f32, quants: u32, number: impl Fn(i32) -> i32) {
    for (i, w) in weights.iter_mut().enumerate() {
        *w = scale * number((quants >> (4 * i) & 15) as i32) as f32;
    }
}

/// The GPU's quants: every `q` in order. `word` is asked for every eight weights.
pub fn repack(bytes: &mut [u8], word: impl Fn(usize) -> u32) {
    for (i, bytes) in bytes.as_chunks_mut().0.iter_mut().enumerate() {
        *bytes = word(i).to_le_bytes();
    }
}
