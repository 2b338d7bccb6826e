//! How the quantizers of the K types choose a scale: try a few, round to integers, solve for the scale that fits those
//! integers best in the sense of least squares, and keep the best of all.

/// Steps by which the trial scales miss the plain one (extreme number to extreme integer), in integers.
const TRIALS: [f32; 15] = [0.0, -0.7, -0.6, -0.5, -0.4, -0.3, -0.2, -0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7];

/// The scale `s` for which `s q` is nearest to the numbers, with integers `q` in `-limit..limit`. It has the sign
/// that gives the number of largest magnitude the integer `-limit`.
pub fn scale(numbers: &[f32], limit: f32) -> f32 {
    scale_to(numbers, limit, |x| integer(x, -limit, limit - 1.0))
}

/// As [`scale`], where what stands for a number need not be an integer: `nearest` gives the number that stands for another,
/// and those lie about 1 apart, down to `-limit`.
pub fn scale_to(numbers: &[f32], limit: f32, nearest: impl Fn(f32) -> f32) -> f32 {
    let extreme = super::block::extreme(numbers);
    if extreme == 0.0 {
        return 0.0;
    }
    let mut best = (0.0, 0.0);
    for step in TRIALS {
        let inverse = -(limit + step) / extreme;
        let (mut wq, mut qq) = (0.0, 0.0);
        for &w in numbers {
            let q = nearest(w * inverse);
            wq += w * q;
            qq += q * q;
        }
        // The error left is Σ w² - (Σ w q)² / Σ q².
        let gain = if qq > 0.0 { wq * wq / qq } else { 0.0 };
        if gain > best.0 {
            best = (gain, wq / qq);
        }
    }
    best.1
}

/// The scale `s` and the minimum `m >= 0` for which `s q - m` is nearest to the numbers, with integers `q` in
/// `0..=limit`.
pub fn scale_and_min(numbers: &[f32], limit: f32) -> (f32, f32) {
    let (low, high) = super::block::range(numbers);
    let low = low.min(0.0);
    if high <= low {
        return (0.0, -low);
    }
    let n = numbers.len() as f32;
    let mut best = (f32::INFINITY, (0.0, 0.0));
    for step in TRIALS {
        let inverse = (limit + step) / (high - low);
        let q = || numbers.iter().map(move |&w| (w, integer((w - low) * inverse, 0.0, limit)));
        let (w1, q1, wq, qq) = q()
            .fold((0.0, 0.0, 0.0, 0.0), |(w1, q1, wq, qq), (w, q)| (w1 + w, q1 + q, wq + w * q, qq + q * q));
        let determinant = n * qq - q1 * q1;
        if determinant <= 0.0 {
            continue;
        }
        let (mut scale, mut min) = ((n * wq - q1 * w1) / determinant, (q1 * wq - qq * w1) / determinant);
        if min < 0.0 {
            (scale, min) = (wq / qq, 0.0);
        }
        let error: f32 = q().map(|(w, q)| (scale * q - min - w).powi(2)).sum();
        if error < best.0 {
            best = (error, (scale, min));
        }
    }
    // Where every trial gave one integer for all (numbers of one value), the plain scale is exact.
    if best.0.is_finite() { best.1 } else { ((high - low) / limit, -low) }
}

/// The nearest integer within bounds, as a float.
pub fn integer(x: f32, low: f32, high: f32) -> f32 {
    x.round().clamp(low, high)
}
