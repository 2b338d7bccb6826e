//! Rotary position embedding (Su et al. 2021) and its scalings. The rotation table is made on the host in f64: WGSL promises
//! little of `sin` and `cos` for large arguments.

use std::{f64::consts::TAU, rc::Rc};

use crate::{
    error::{Error, Result},
    plan::RopeStyle,
};

/// One kind of rotation.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// The base of the frequencies, `rope_theta`.
    pub theta: f32,
    /// How many numbers of each head are rotated.
    pub dims: usize,
    /// Which numbers form a pair.
    pub style: RopeStyle,
    /// How frequencies are changed for longer contexts.
    pub scaling: Scaling,
}

/// How frequencies are changed for contexts longer than those of the first training.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// Not at all.
    None,
    /// All divided by the factor (Chen et al. 2023).
    Linear(f32),
    /// Each divided by its own number: what Llama 3 GGUF files carry.
    Factors(Vec<f32>),
    /// Llama 3.1: long waves divided by `factor`, short ones kept, those between blended.
    Llama3 { factor: f32, low_freq_factor: f32, high_freq_factor: f32, original: usize },
    /// YaRN (Peng et al. 2023): slow pairs divided by `factor`, fast ones kept, with a ramp between; sines and cosines times
    /// `magnitude`.
    Yarn { factor: f32, beta_fast: f32, beta_slow: f32, original: usize, magnitude: f32, truncate: bool },
    /// The base grows with the context beyond the original one (dynamic NTK).
    Dynamic { factor: f32, original: usize },
    /// LongRoPE (Ding et al. 2024): two sets of divisors, the second for texts beyond the original context; sines and cosines
    /// times `magnitude`.
    Long { short: Vec<f32>, long: Vec<f32>, original: usize, magnitude: f32 },
}

impl Rope {
    /// Tables that follow each other, each of `n_ctx` rows: one, or two where texts beyond [`Rope::switches_at`] rotate otherwise.
    /// `[n, dims]`: for each position and each pair the cosine and sine of its angle, by turns.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] for a context whose table the host cannot hold.
    pub fn table(&self, n_ctx: usize) -> Result<Rc<[f32]>> {
        let kinds = match self.switches_at().filter(|at| *at < n_ctx) {
            None => vec![false],
            Some(_) => vec![false, true],
        };
        let mut table = Vec::new();
        let room = n_ctx.checked_mul(self.dims * kinds.len()).map(|n| table.try_reserve_exact(n));
        if !matches!(room, Some(Ok(()))) {
            let bytes = 4 * n_ctx as u64 * (self.dims * kinds.len()) as u64;
            return Err(Error::OutOfMemory { device: "host", what: "the rotation table".into(), bytes });
        }
        for beyond in kinds {
            let freqs = self.frequencies(n_ctx, beyond);
            let magnitude = self.magnitude();
            for pos in 0..n_ctx {
                table.extend(freqs.iter().flat_map(|freq| {
                    let (sin, cos) = (pos as f64 * freq).sin_cos();
                    [(cos * magnitude) as f32, (sin * magnitude) as f32]
                }));
            }
        }
        Ok(table.into())
    }

    /// The length of text beyond which the second table holds.
    pub fn switches_at(&self) -> Option<usize> {
        match &self.scaling {
            Scaling::Long { original, .. } => Some(*original),
            _ => None,
        }
    }

    fn magnitude(&self) -> f64 {
        match self.scaling {
            Scaling::Yarn { magnitude, .. } | Scaling::Long { magnitude, .. } => f64::from(magnitude),
            _ => 1.0,
        }
    }

    /// Radians per position of each pair.
    fn frequencies(&self, n_ctx: usize, beyond: bool) -> Vec<f64> {
        let n = self.dims as f64;
        let theta = match self.scaling {
            // The table is made once, for the context's whole length.
            Scaling::Dynamic { factor, original } if n_ctx > original => {
                let factor = f64::from(factor);
                let growth = factor * n_ctx as f64 / original as f64 - (factor - 1.0);
                f64::from(self.theta) * growth.powf(n / (n - 2.0))
            }
            _ => f64::from(self.theta),
        };
        let plain = |i: usize| theta.powf(-2.0 * i as f64 / n);
        (0..self.dims / 2).map(|i| plain(i) / self.divisor(i, plain(i), beyond)).collect()
    }

    /// What the frequency of pair `i` is divided by.
    fn divisor(&self, i: usize, freq: f64, beyond: bool) -> f64 {
        match &self.scaling {
            Scaling::None | Scaling::Dynamic { .. } => 1.0,
            Scaling::Linear(factor) => f64::from(*factor),
            Scaling::Factors(factors) => f64::from(factors[i]),
            Scaling::Long { short, long, .. } => f64::from(if beyond { long[i] } else { short[i] }),
            Scaling::Llama3 { factor, low_freq_factor, high_freq_factor, original } => {
                let [factor, low, high] = [*factor, *low_freq_factor, *high_freq_factor].map(f64::from);
                // Waves in the original context.
                let waves = *original as f64 * freq / TAU;
                let kept = ((waves - low) / (high - low)).clamp(0.0, 1.0);
                1.0 / (kept + (1.0 - kept) / factor)
            }
            Scaling::Yarn { factor, beta_fast, beta_slow, original, truncate, .. } => {
                let (n, factor) = (self.dims as f64, f64::from(*factor));
                // The pair that makes `beta` turns in the original context.
                let pair = |beta: f32| {
                    let turns = *original as f64 / (f64::from(beta) * TAU);
                    n * turns.ln() / (2.0 * f64::from(self.theta).ln())
                };
                let (mut low, mut high) = (pair(*beta_fast), pair(*beta_slow));
                if *truncate {
                    (low, high) = (low.floor(), high.ceil());
                }
                let (low, high) = (low.max(0.0), high.min(n - 1.0));
                let width = if high == low { 0.001 } else { high - low };
                let divided = ((i as f64 - low) / width).clamp(0.0, 1.0);
                1.0 / (1.0 - divided + divided / factor)
            }
        }
    }
}

/// YaRN's magnitude for a factor: `0.1 scale ln(factor) + 1`.
pub fn yarn_magnitude(factor: f32, scale: f32) -> f32 {
    if factor <= 1.0 { 1.0 } else { 0.1 * scale * factor.ln() + 1.0 }
}

/// LongRoPE's magnitude: `sqrt(1 + ln(factor) / ln(original))`.
pub fn long_magnitude(factor: f32, original: usize) -> f32 {
    if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / (original as f32).ln()).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope(scaling: Scaling) -> Rope {
        Rope { theta: 100.0, dims: 4, style: RopeStyle::Halves, scaling }
    }

    #[test]
    fn the_first_position_is_not_rotated() {
        assert_eq!(rope(Scaling::None).table(1).unwrap()[..], [1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn pairs_turn_by_position_times_their_frequency() {
        let table = rope(Scaling::None).table(4).unwrap();
        assert_eq!(table[3 * 4..], [3f32.cos(), 3f32.sin(), 0.3f64.cos() as f32, 0.3f64.sin() as f32]);
    }

    #[test]
    fn factors_slow_their_pair_alone() {
        let table = rope(Scaling::Factors(vec![1.0, 10.0])).table(2).unwrap();
        assert_eq!(table[4..], [1f32.cos(), 1f32.sin(), 0.01f64.cos() as f32, 0.01f64.sin() as f32]);
    }

    #[test]
    fn long_rope_has_a_second_table_for_texts_beyond_the_original_context() {
        let long = |original| {
            let (short, long) = (vec![1.0, 1.0], vec![2.0, 4.0]);
            rope(Scaling::Long { short, long, original, magnitude: 1.0 })
        };
        assert_eq!(long(8).table(8).unwrap().len(), 8 * 4);
        let table = long(4).table(8).unwrap();
        assert_eq!(table.len(), 2 * 8 * 4);
        assert_eq!(table[(8 + 1) * 4], 0.5f32.cos());
    }

    #[test]
    fn yarn_keeps_the_fastest_pair_and_slows_the_last() {
        let yarn = Scaling::Yarn {
            factor: 4.0,
            beta_fast: 32.0,
            beta_slow: 1.0,
            original: 512,
            magnitude: yarn_magnitude(4.0, 1.0),
            truncate: true,
        };
        let rope = Rope { theta: 10_000.0, dims: 64, style: RopeStyle::Halves, scaling: yarn };
        let freqs = rope.frequencies(512, false);
        assert_eq!(freqs[0], 1.0);
        assert!((freqs[31] * 4.0 / 10_000f64.powf(-62.0 / 64.0) - 1.0).abs() < 1e-12);
        assert!((rope.magnitude() - 1.138_629_4).abs() < 1e-6);
    }
}
