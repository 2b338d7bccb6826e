//! [`Function`]s of whole rows, four numbers at a time where they need an exponential.

use crate::{
    lanes::{F32x4, map},
    plan::Function,
};

/// `x = f(x)`, number by number.
pub(super) fn apply(f: Function, x: &mut [f32]) {
    match f {
        Function::Silu => map(x, |x| x * sigmoid(x)),
        Function::Sigmoid => map(x, sigmoid),
        Function::QuickGelu => map(x, |x| x * sigmoid(x * F32x4::splat(1.702))),
        Function::GeluTanh => map(x, |x| {
            // (1 + tanh(y)) / 2 is the sigmoid of 2 y.
            const TWICE_ROOT: f32 = 1.595_769_1; // 2 sqrt(2 / π)
            let y = x + x * x * x * F32x4::splat(0.044_715);
            x * sigmoid(y * F32x4::splat(TWICE_ROOT))
        }),
        _ => x.iter_mut().for_each(|x| *x = f.apply(*x)),
    }
}

#[inline(always)]
fn sigmoid(x: F32x4) -> F32x4 {
    let one = F32x4::splat(1.0);
    one.over(one + (F32x4::splat(0.0) - x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_get_what_single_numbers_get() {
        let all = [
            Function::Silu,
            Function::Gelu,
            Function::GeluTanh,
            Function::QuickGelu,
            Function::Relu,
            Function::Tanh,
            Function::Sigmoid,
            Function::SoftCap(30.0),
        ];
        for f in all {
            let x: Vec<f32> = (-500..=500).map(|i| i as f32 / 20.0).chain([-200.0, 200.0]).collect();
            let mut y = x.clone();
            apply(f, &mut y);
            for (x, y) in x.into_iter().zip(y) {
                let truth = f.apply(x);
                assert!((y - truth).abs() <= 4e-7 * x.abs().max(1.0), "{f:?}({x}) = {y}, not {truth}");
            }
        }
        let mut nan = [f32::NAN];
        apply(Function::Silu, &mut nan);
        assert!(nan[0].is_nan());
    }
}
