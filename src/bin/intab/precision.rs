//! How far the fast precision is from the exact one: both score the same texts, token by token as they were written.

use intab::{
    backend::Precision,
    run::{Engine, GenerateOptions},
};
use serde_json::{Value, json};

use super::{generate::stream, output::Result};

/// Tokens compared at the least.
const TOKENS: usize = 2000;

/// Texts of the model's own, sampled at temperature 1: at each token whether both take the same one for the best, and how
/// far the distributions are apart (Kullback and Leibler 1951, exact to fast, in nats).
pub async fn compare(engine: &mut Engine) -> Result<Value> {
    let (n_vocab, n_ctx) = (engine.facts().config.n_vocab, engine.facts().n_ctx);
    let (mut n_tokens, mut same, mut divergence, mut largest) = (0, 0, 0.0, 0.0f64);
    for seed in 0.. {
        let begin = [(seed * 7919 % n_vocab as u64) as u32];
        let options = GenerateOptions {
            max_new_tokens: Some((n_ctx - 1).min(256)),
            ignore_eos: true,
            seed,
            precision: Some(Precision::Exact),
            ..GenerateOptions::default()
        };
        let text = [&begin[..], &stream(engine, &begin, options, |_| Ok(())).await?.tokens].concat();
        let exact = engine.logits(&text).await?;
        engine.set_precision(Precision::Fast);
        let fast = engine.logits(&text).await;
        engine.set_precision(Precision::Exact);
        for (exact, fast) in exact.chunks_exact(n_vocab).zip(fast?.chunks_exact(n_vocab)) {
            let divergence_here = divergence_of(exact, fast);
            n_tokens += 1;
            same += usize::from(best(exact) == best(fast));
            divergence += divergence_here;
            largest = largest.max(divergence_here);
        }
        if n_tokens >= TOKENS {
            break;
        }
    }
    let n = n_tokens as f64;
    Ok(json!({
        "bench": "precision",
        "model": engine.facts().name,
        "backend": engine.facts().backend.name(),
        "tokens": n_tokens,
        "same_best_token": same as f64 / n,
        "mean_kl": divergence / n,
        "largest_kl": largest,
    }))
}

fn best(scores: &[f32]) -> Option<usize> {
    (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]))
}

fn log_probabilities(scores: &[f32]) -> Vec<f64> {
    let max: f64 = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max).into();
    let total: f64 = scores.iter().map(|x| (f64::from(*x) - max).exp()).sum();
    scores.iter().map(|x| f64::from(*x) - max - total.ln()).collect()
}

fn divergence_of(exact: &[f32], fast: &[f32]) -> f64 {
    let (p, q) = (log_probabilities(exact), log_probabilities(fast));
    p.iter().zip(q).map(|(p, q)| p.exp() * (p - q)).sum()
}
