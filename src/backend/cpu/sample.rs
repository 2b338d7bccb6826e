//! The sampler's scalar reference: the same choice as `shaders/sample.wgsl`, by sorting.

use crate::plan::{Run, Sampling};

/// Applies repetition, presence and frequency penalties to `scores`, in place; `counts` as in [`crate::plan::Op::Penalize`].
pub fn penalize(scores: &mut [f32], counts: &[u32], sampling: &Sampling) {
    if !sampling.has_penalties() {
        return;
    }
    for (score, &count) in scores.iter_mut().zip(counts) {
        let generated = count & !Run::IN_PROMPT;
        if count != 0 {
            let r = sampling.repetition_penalty;
            *score = if *score > 0.0 { *score / r } else { *score * r };
        }
        if generated > 0 {
            *score -= sampling.presence_penalty + sampling.frequency_penalty * generated as f32;
        }
    }
}

/// Makes the scores of tokens minus infinity that may not come; `allowed` as in [`crate::plan::Op::Mask`].
pub fn mask(scores: &mut [f32], allowed: &[u32]) {
    for (scores, word) in scores.chunks_mut(32).zip(allowed) {
        let banned = scores.iter_mut().enumerate().filter(|(i, _)| (word >> i) & 1 == 0);
        banned.for_each(|(_, score)| *score = f32::NEG_INFINITY);
    }
}

/// The next token, or `None` if the scores hold NaN or +∞, or nothing but −∞.
///
/// Filters follow [`Sampling`]. The draw is an exponential race (Efraimidis & Spirakis 2006; the "Gumbel-max trick" in
/// another form): each token kept gets an arrival time `E / p` with `E` exponentially distributed, and the earliest
/// wins, which happens with probability `p`. Each token needs its own random number and no running sum, so that a
/// GPU can do it in parallel with the same outcome.
pub fn pick(scores: &[f32], run: &Run) -> Option<u32> {
    let best = argmax(scores)?;
    let Sampling { temperature, .. } = run.sampling;
    if temperature == 0.0 {
        return Some(best as u32);
    }
    let least = least_kept(scores, &run.sampling);
    let max = scores[best];
    let mut winner = (f32::NEG_INFINITY, 0);
    for (i, &score) in scores.iter().enumerate().filter(|(_, score)| **score >= least) {
        let lead = (score - max) / temperature - exponential(run, i as u32).ln();
        if lead > winner.0 {
            winner = (lead, i as u32);
        }
    }
    Some(winner.1)
}

/// The index of the largest score; `None` unless it is finite and no score is NaN.
fn argmax(scores: &[f32]) -> Option<usize> {
    let mut best = 0;
    for (i, score) in scores.iter().enumerate() {
        if score.is_nan() {
            return None;
        }
        if *score > scores[best] {
            best = i;
        }
    }
    scores.get(best)?.is_finite().then_some(best)
}

/// The least score that top-k, top-p and min-p keep.
fn least_kept(scores: &[f32], sampling: &Sampling) -> f32 {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let max = sorted[0];

    let k = sampling.top_k as usize;
    if k > 0 && k < sorted.len() {
        let kth = sorted[k - 1];
        sorted.retain(|score| *score >= kth);
    }

    let weight = |score: f32| f64::from((score - max) / sampling.temperature).exp();
    if sampling.top_p < 1.0 {
        let total: f64 = sorted.iter().map(|s| weight(*s)).sum();
        let mut mass = 0.0;
        let enough = sorted.iter().position(|score| {
            mass += weight(*score) / total;
            mass >= f64::from(sampling.top_p)
        });
        if let Some(last) = enough.map(|i| sorted[i]) {
            sorted.retain(|score| *score >= last);
        }
    }

    if sampling.min_p > 0.0 {
        let least = f64::from(sampling.min_p);
        sorted.retain(|score| weight(*score) >= least);
    }
    // The best token passes every filter: its weight is 1.
    sorted.last().copied().unwrap_or(max)
}

/// An exponentially distributed number from the run's random stream and the token's id.
fn exponential(run: &Run, token: u32) -> f32 {
    let bits = pcg4d([run.sampling.seed_low, run.sampling.seed_high, run.draw, token])[0];
    // u in (0, 1); small u, which win races, keep all their bits: -ln(1 - u) = u + u²/2 + u³/3 + …
    let u = (bits as f32 + 0.5) / 4_294_967_296.0;
    if u < 0.01 { u * (1.0 + u * (0.5 + u / 3.0)) } else { -(1.0 - u.min(MAX_UNIFORM)).ln() }
}

/// The largest f32 below 1.
const MAX_UNIFORM: f32 = 1.0 - f32::EPSILON / 2.0;

/// A hash of four words to four words of good quality: Jarzynski & Olano, "Hash Functions for GPU Rendering" (2020).
fn pcg4d(v: [u32; 4]) -> [u32; 4] {
    let [mut x, mut y, mut z, mut w] = v.map(|v| v.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    for round in 0..2 {
        x = x.wrapping_add(y.wrapping_mul(w));
        y = y.wrapping_add(z.wrapping_mul(x));
        z = z.wrapping_add(x.wrapping_mul(y));
        w = w.wrapping_add(y.wrapping_mul(z));
        if round == 0 {
            [x, y, z, w] = [x, y, z, w].map(|v| v ^ (v >> 16));
        }
    }
    [x, y, z, w]
}
