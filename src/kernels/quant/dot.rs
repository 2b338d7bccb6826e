//! Dot products of packed rows with f32 activations: unpack a few hundred weights to the stack, then multiply and add.

use super::{CHUNK, TypeInfo};
use crate::lanes::F32x4;

/// The dot product of two slices of one length. Sixteen sums at once: rounding errors stay small, and additions need not
/// wait for each other.
pub fn dot_f32(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [F32x4::splat(0.0); 4];
    add_products(&mut sums, a, b);
    total(sums)
}

#[inline(always)]
fn add_products(sums: &mut [F32x4; 4], a: &[f32], b: &[f32]) {
    let mut add = |a: &[f32; 16], b: &[f32; 16]| {
        for ((sum, a), b) in sums.iter_mut().zip(a.as_chunks().0).zip(b.as_chunks().0) {
            *sum = *sum + F32x4::load(a) * F32x4::load(b);
        }
    };
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks(), b.as_chunks());
    a.iter().zip(b).for_each(|(a, b)| add(a, b));
    if !a_rest.is_empty() {
        let (mut a, mut b) = ([0.0; 16], [0.0; 16]);
        a[..a_rest.len()].copy_from_slice(a_rest);
        b[..b_rest.len()].copy_from_slice(b_rest);
        add(&a, &b);
    }
}

#[inline(always)]
fn total([a, b, c, d]: [F32x4; 4]) -> f32 {
    ((a + b) + (c + d)).total()
}

impl TypeInfo {
    /// The dot product of one packed row with `x`, a number for each weight.
    pub fn dot(&self, row: &[u8], x: &[f32]) -> f32 {
        let mut sums = [F32x4::splat(0.0); 4];
        let mut weights = [0.0; CHUNK];
        for (bytes, x) in row.chunks(self.row_bytes(CHUNK)).zip(x.chunks(CHUNK)) {
            let weights = &mut weights[..x.len()];
            (self.dequantize)(bytes, weights);
            add_products(&mut sums, weights, x);
        }
        total(sums)
    }
}
