//! Tables that are made on the host before a plan is built: rotations, biases by distance, sinusoidal positions.

use std::rc::Rc;

use super::{Config, PositionTable, ScoreBias, Sinusoid, Stack, Weights};
use crate::{
    error::{Error, Result},
    format::Window,
};

/// The tables of one stack for a context of `n_ctx` positions.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// One for each of [`Stack::ropes`].
    pub ropes: Vec<Rc<[f32]>>,
    /// `[n_heads, span]`: one for all layers, or one for each.
    pub biases: Vec<Rc<[f32]>>,
}

impl Tables {
    /// Makes the tables of a stack; sinusoidal positions go among the weights.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] for a context whose tables the host cannot hold; those of reading learned biases.
    pub async fn make(stack: &Stack, weights: &mut Weights<'_>, n_ctx: usize) -> Result<Tables> {
        let mut tables = Tables::default();
        for rope in &stack.ropes {
            tables.ropes.push(rope.table(n_ctx)?);
        }
        if let Some(PositionTable { n, offset, made: Some(kind) }) = stack.positions {
            let rows = n.max(n_ctx + offset);
            weights.make(&position_name(stack), sinusoids(kind, rows, stack.n_embd), stack.n_embd);
        }
        match &stack.score_bias {
            None => {}
            Some(ScoreBias::Alibi { slopes }) => tables.biases.push(alibi(slopes, n_ctx)?),
            Some(ScoreBias::Buckets { n, max_distance, each_layer }) => {
                let layers = if *each_layer { stack.layers.len() } else { 1 };
                for i in 0..layers {
                    let name = format!("{}blk.{i}.attn_rel_b.weight", stack.prefix);
                    let learned = weights.numbers(&name, &mut Window::default()).await?;
                    let n_heads = stack.attention.n_heads;
                    if learned.len() != n * n_heads {
                        let problem =
                            format!("it has {} numbers, not {n} for each of {n_heads} heads", learned.len());
                        return Err(weights.bad(&name, problem));
                    }
                    tables.biases.push(bucketed(&learned, n_heads, *max_distance, stack.causal, n_ctx)?);
                }
            }
        }
        Ok(tables)
    }

    /// Both stacks' tables: encoder's and decoder's.
    ///
    /// # Errors
    /// As [`Tables::make`].
    pub async fn of(config: &Config, weights: &mut Weights<'_>, n_ctx: usize) -> Result<[Tables; 2]> {
        let mut both = [Tables::default(), Tables::default()];
        for (tables, stack) in both.iter_mut().zip([&config.encoder, &config.decoder]) {
            if let Some(stack) = stack {
                *tables = Tables::make(stack, weights, n_ctx).await?;
            }
        }
        Ok(both)
    }
}

/// The weight that holds a stack's embeddings by position.
pub(super) fn position_name(stack: &Stack) -> String {
    format!("{}position_embd.weight", stack.prefix)
}

fn room(n: usize, what: &str) -> Result<Vec<f32>> {
    let mut numbers = Vec::new();
    let none = |_| Error::OutOfMemory { device: "host", what: what.into(), bytes: 4 * n as u64 };
    numbers.try_reserve_exact(n).map_err(none)?;
    Ok(numbers)
}

/// `[n, n_embd]`.
fn sinusoids(kind: Sinusoid, n: usize, n_embd: usize) -> Rc<[f32]> {
    let half = n_embd / 2;
    let freq = |i: usize| match kind {
        Sinusoid::Marian => 10_000f64.powf(-2.0 * i as f64 / n_embd as f64),
        Sinusoid::Fairseq => 10_000f64.powf(-(i as f64) / (half as f64 - 1.0)),
    };
    let number = |pos: usize, i: usize| match kind {
        Sinusoid::Fairseq if pos == 1 => 0.0,
        // Odd widths have one sine more (Marian), or end in a zero (fairseq).
        Sinusoid::Fairseq if i == 2 * half => 0.0,
        Sinusoid::Marian if i < n_embd.div_ceil(2) => (pos as f64 * freq(i)).sin() as f32,
        Sinusoid::Marian => (pos as f64 * freq(i - n_embd.div_ceil(2))).cos() as f32,
        Sinusoid::Fairseq if i < half => (pos as f64 * freq(i)).sin() as f32,
        Sinusoid::Fairseq => (pos as f64 * freq(i - half)).cos() as f32,
    };
    (0..n).flat_map(|pos| (0..n_embd).map(move |i| number(pos, i))).collect()
}

/// `[n_heads, n_ctx]`: the slope times how far the key is behind.
fn alibi(slopes: &[f32], n_ctx: usize) -> Result<Rc<[f32]>> {
    let mut table = room(slopes.len() * n_ctx, "the position biases")?;
    for slope in slopes {
        table.extend((0..n_ctx).rev().map(|behind| -slope * behind as f32));
    }
    Ok(table.into())
}

/// `[n_heads, span]`: the learned number of each distance's bucket.
fn bucketed(
    learned: &[f32], // [n_buckets, n_heads]
    n_heads: usize,
    max_distance: usize,
    causal: bool,
    n_ctx: usize,
) -> Result<Rc<[f32]>> {
    let n_buckets = learned.len() / n_heads;
    let behind = -(n_ctx as isize - 1);
    let ahead = if causal { 0 } else { n_ctx as isize - 1 };
    let mut table = room(n_heads * (ahead - behind + 1) as usize, "the position biases")?;
    for head in 0..n_heads {
        table.extend(
            (behind..=ahead)
                .map(|distance| learned[bucket(distance, n_buckets, max_distance, causal) * n_heads + head]),
        );
    }
    Ok(table.into())
}

/// T5's bucket of `key - query`: half of the buckets are exact, the others grow by logarithm up to `max_distance`.
fn bucket(distance: isize, n: usize, max_distance: usize, causal: bool) -> usize {
    let (n, first, behind) = match (causal, distance) {
        (true, d) => (n, 0, usize::try_from(-d).unwrap_or(0)),
        (false, d) => (n / 2, if d > 0 { n / 2 } else { 0 }, d.unsigned_abs()),
    };
    let exact = n / 2;
    if behind < exact {
        return first + behind;
    }
    // In f32, as the reference computes it: at the borders of buckets rounding decides.
    let grown =
        (behind as f32 / exact as f32).ln() / (max_distance as f32 / exact as f32).ln() * (n - exact) as f32;
    first + (exact + grown as usize).min(n - 1)
}

/// The slopes of Press et al. for any number of heads: a geometric series for the power of two below, and every other
/// member of the next finer series for the rest.
pub fn alibi_slopes(n_heads: usize) -> Vec<f32> {
    let power = |n: usize| move |i: usize| 2f64.powf(-8.0 * i as f64 / n as f64) as f32;
    let below = if n_heads.is_power_of_two() { n_heads } else { n_heads.next_power_of_two() / 2 };
    let first = (1..=below).map(power(below));
    first.chain((1..=2 * (n_heads - below)).step_by(2).map(power(2 * below))).collect()
}

/// MPT's slopes: the series of the power of two above, every other member first.
pub fn mpt_slopes(n_heads: usize, max: f32) -> Vec<f32> {
    let above = n_heads.next_power_of_two();
    let slope = |i: usize| 2f32.powf(-(i as f32) * max / above as f32);
    let all = 1..=above;
    match above == n_heads {
        true => all.map(slope).collect(),
        false => all.clone().skip(1).step_by(2).chain(all.step_by(2)).take(n_heads).map(slope).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_of_the_paper() {
        assert_eq!(alibi_slopes(4), [0.25, 0.0625, 0.015_625, 0.003_906_25]);
        let six = alibi_slopes(6);
        assert_eq!(six[..4], alibi_slopes(4)[..]);
        assert_eq!(six[4..], [alibi_slopes(8)[0], alibi_slopes(8)[2]]);
    }

    /// `T5Attention._relative_position_bucket` of transformers.
    #[test]
    fn buckets_are_those_of_t5() {
        let both: Vec<usize> =
            [-200, -128, -20, -8, -7, 0, 1, 7, 8, 20, 127].map(|d| bucket(d, 32, 128, false)).into();
        assert_eq!(both, [15, 15, 10, 8, 7, 0, 17, 23, 24, 26, 31]);
        let causal: Vec<usize> = [-200, -128, -20, -16, -15, 0, 3].map(|d| bucket(d, 32, 128, true)).into();
        assert_eq!(causal, [31, 31, 17, 16, 15, 0, 0]);
    }

    #[test]
    fn the_own_position_has_the_last_column_of_a_causal_bias_and_the_middle_one_of_another() {
        let learned: Vec<f32> = (0..8).map(|i| i as f32).collect();
        let causal = bucketed(&learned, 1, 16, true, 5).unwrap();
        assert_eq!((causal.len(), causal[4], causal[3]), (5, 0.0, 1.0));
        let both = bucketed(&learned, 1, 16, false, 5).unwrap();
        assert_eq!((both.len(), both[4], both[3], both[5]), (9, 0.0, 1.0, 5.0));
    }
}
