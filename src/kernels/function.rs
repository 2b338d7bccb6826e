//! Functions of rows that need an exponential, four numbers at a time and in place.

use crate::lanes::{F32x4, map};

/// `x / (1 + exp(-x))`.
pub fn silu(x: &mut [f32]) {
    map(x, |x| x * sigmoid_of(x));
}

/// `1 / (1 + exp(-x))`.
pub fn sigmoid(x: &mut [f32]) {
    map(x, sigmoid_of);
}

/// `x / (1 + exp(-1.702 x))`.
pub fn quick_gelu(x: &mut [f32]) {
    map(x, |x| x * sigmoid_of(x * F32x4::splat(1.702)));
}

/// `x (1 + tanh(y)) / 2` with `y = sqrt(2 / π) (x + 0.044715 x³)`.
pub fn gelu_tanh(x: &mut [f32]) {
    map(x, |x| {
        // (1 + tanh(y)) / 2 is the sigmoid of 2 y.
        const TWICE_ROOT: f32 = 1.595_769;
        let y = x + x * x * x * F32x4::splat(0.044_715);
        x * sigmoid_of(y * F32x4::splat(TWICE_ROOT))
    });
}

#[inline(always)]
fn sigmoid_of(x: F32x4) -> F32x4 {
    let one = F32x4::splat(1.0);
    one.over(one + (F32x4::splat(0.0) - x).exp())
}
