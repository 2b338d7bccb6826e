//! What is done with a row of numbers besides products, in place.

use crate::lanes::{self, F32x4};

/// `y += x`, as far as both go.
pub fn add(y: &mut [f32], x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
}

/// `y *= x`, as far as both go.
pub fn multiply(y: &mut [f32], x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y *= x);
}

/// `y *= factor`.
pub fn scale(y: &mut [f32], factor: f32) {
    y.iter_mut().for_each(|y| *y *= factor);
}

/// To a mean square of one, with `eps` added to it; if `centered`, to a mean of zero before.
pub fn normalize(x: &mut [f32], centered: bool, eps: f32) {
    let n = x.len() as f32;
    if centered {
        let mean = lanes::sum(x) / n;
        x.iter_mut().for_each(|x| *x -= mean);
    }
    let (fours, rest) = x.as_chunks::<4>();
    let squares = fours.iter().fold(F32x4::splat(0.0), |sum, x| sum + F32x4::load(x) * F32x4::load(x));
    let square = (squares.total() + rest.iter().map(|x| x * x).sum::<f32>()) / n;
    scale(x, 1.0 / (square + eps).sqrt());
}

/// Turns pairs of numbers, neighbours if `interleaved`, else of one half each; `angles` holds cosine and sine by turns.
pub fn rotate(head: &mut [f32], angles: &[f32], interleaved: bool) {
    let angles = angles.as_chunks::<2>().0;
    let turn = |a: &mut f32, b: &mut f32, [cos, sin]: [f32; 2]| {
        (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos)
    };
    if interleaved {
        let pairs = head.as_chunks_mut::<2>().0;
        pairs.iter_mut().zip(angles).for_each(|([a, b], angle)| turn(a, b, *angle));
    } else {
        let (first, second) = head.split_at_mut(angles.len());
        first.iter_mut().zip(second).zip(angles).for_each(|((a, b), angle)| turn(a, b, *angle));
    }
}
