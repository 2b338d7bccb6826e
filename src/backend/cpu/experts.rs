//! The choice of experts (Shazeer et al. 2017; Fedus et al. 2021).

use crate::plan::Routing;

/// The best experts of one row by its scores: `out` gets their numbers, best first, then their weights. Of equals the
/// first counts.
pub(super) fn route(scores: &[f32], routing: Routing, out: &mut [f32]) {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = scores.iter().map(|score| (score - max).exp()).sum();
    let (numbers, weights) = out.split_at_mut(out.len() / 2);
    let mut taken = vec![false; scores.len()];
    for (number, weight) in numbers.iter_mut().zip(weights.iter_mut()) {
        let free = (0..scores.len()).filter(|i| !taken[*i]);
        let best = free.reduce(|best, i| if scores[i] > scores[best] { i } else { best }).unwrap_or(0);
        taken[best] = true;
        *number = best as f32;
        *weight = (scores[best] - max).exp() / sum;
    }
    if routing == Routing::Normalized {
        let total: f32 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_come_first_with_their_part_of_the_softmax() {
        let mut out = [0.0; 4];
        let scores = [0.0, 2f32.ln(), 4f32.ln(), 1f32.ln()]; // weights 1, 2, 4, 1 of 8
        route(&scores, Routing::Softmax, &mut out);
        assert_eq!(out[..2], [2.0, 1.0]);
        assert!((out[2] - 0.5).abs() < 1e-6 && (out[3] - 0.25).abs() < 1e-6);
        route(&scores, Routing::Normalized, &mut out);
        assert!((out[2] - 2.0 / 3.0).abs() < 1e-6 && (out[3] - 1.0 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn of_equals_the_first_counts() {
        let mut out = [0.0; 4];
        route(&[1.0, 1.0, 1.0], Routing::Softmax, &mut out);
        assert_eq!(out[..2], [0.0, 1.0]);
    }
}
