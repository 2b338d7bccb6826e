//! What IQ1_S and IQ1_M share: eight weights at a time are a point of a grid with the numbers -1, 0 and 1, all eight
//! shifted by an eighth up or down.

/// Eight weights: `levels` is the point, two bits a weight; the shift is down where `down` holds.
#[inline(always)]
pub fn unpack(weights: &mut [f32; 8], scale: f32, levels: u16, down: bool) {
    let least = if down { -1.125 } else { -0.875 };
    for (i, w) in weights.iter_mut().enumerate() {
        *w = scale * (f32::from(levels >> (2 * i) & 3) + least);
    }
}

/// The GPU's quants: every level in order. `levels` is asked for every eight weights.
pub fn repack(quants: &mut [u8], levels: impl Fn(usize) -> u16) {
    for (i, bytes) in quants.as_chunks_mut().0.iter_mut().enumerate() {
        *bytes = levels(i).to_le_bytes();
    }
}
