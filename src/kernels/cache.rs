//! Keys and values in less memory than they are computed in: rounded to halves, or to signed bytes with a scale for every
//! [`GROUP`] of them.

use crate::quant::Half;

/// Numbers that share a scale where they are kept as bytes.
pub const GROUP: usize = 32;

/// To the nearest halves; what is beyond the largest becomes that.
pub fn to_halves(numbers: &[f32], halves: &mut [Half]) {
    let most = half::f16::MAX.to_f32();
    for (half, x) in halves.iter_mut().zip(numbers) {
        *half = Half::from_f32(x.clamp(-most, most));
    }
}

/// The same numbers as [`to_halves`] was left with.
pub fn from_halves(halves: &[Half], numbers: &mut [f32]) {
    for (x, half) in numbers.iter_mut().zip(halves) {
        *x = half.to_f32();
    }
}

/// To bytes, the largest of a group to 127: `levels` is as long as `numbers`, `scales` has one for each group. What is no number
/// makes its whole group none, as it would in a product.
pub fn to_bytes(numbers: &[f32], levels: &mut [i8], scales: &mut [f32]) {
    for ((numbers, levels), scale) in numbers.chunks(GROUP).zip(levels.chunks_mut(GROUP)).zip(scales) {
        let most = numbers.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        *scale = if numbers.iter().all(|x| x.is_finite()) { most / 127.0 } else { f32::NAN };
        let unit = scale.max(1e-30);
        for (level, x) in levels.iter_mut().zip(numbers) {
            *level = (x / unit).round_ties_even().clamp(-127.0, 127.0) as i8;
        }
    }
}

/// What [`to_bytes`] left of them.
pub fn from_bytes(levels: &[i8], scales: &[f32], numbers: &mut [f32]) {
    for ((numbers, levels), scale) in numbers.chunks_mut(GROUP).zip(levels.chunks(GROUP)).zip(scales) {
        for (x, level) in numbers.iter_mut().zip(levels) {
            *x = f32::from(*level) * scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_within_half_a_step_and_keep_the_largest() {
        let numbers: Vec<f32> = (0..80).map(|i| ((i * 37 % 23) as f32 - 11.0) * 0.3).collect();
        let (mut levels, mut scales, mut back) = ([0; 80], [0.0; 3], [0.0; 80]);
        to_bytes(&numbers, &mut levels, &mut scales);
        from_bytes(&levels, &scales, &mut back);
        for (group, (numbers, back)) in numbers.chunks(GROUP).zip(back.chunks(GROUP)).enumerate() {
            let most = numbers.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            for (x, y) in numbers.iter().zip(back) {
                assert!((x - y).abs() <= most / 127.0 * 0.500_001, "{x} became {y} in group {group}");
            }
            assert!(back.iter().any(|y| (y.abs() - most).abs() < most * 1e-6));
        }
    }

    #[test]
    fn what_is_no_number_stays_none_and_zeros_stay_zeros() {
        let mut numbers = [0.0; 64];
        numbers[40] = f32::INFINITY;
        let (mut levels, mut scales, mut back) = ([1; 64], [1.0; 2], [1.0; 64]);
        to_bytes(&numbers, &mut levels, &mut scales);
        from_bytes(&levels, &scales, &mut back);
        assert!(back[..32].iter().all(|x| *x == 0.0) && back[32..].iter().all(|x| x.is_nan()));
    }
}
