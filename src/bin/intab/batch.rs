//! `intab bench --batch`: how many tokens a second come of several texts that are written together.

use std::time::Instant;

use intab::{
    Error,
    backend::Precision,
    run::{Engine, Event, GenerateOptions, Generation, Speculation},
};
use serde_json::json;

use super::output::Result;

/// What is written.
pub struct Texts {
    pub n_prompt: usize,
    pub n_new: usize,
    pub precision: Precision,
    /// Of these the best counts.
    pub runs: usize,
}

/// Tokens a second of all texts: from the start to the end, prompts included, and while all of them were being written.
struct Rates {
    whole: f64,
    decode: f64,
}

/// A line for so many texts at once.
pub async fn measure(engine: &mut Engine, n: usize, texts: &Texts) -> Result<serde_json::Value> {
    let (n_ctx, each) = (engine.facts().n_ctx, texts.n_prompt + texts.n_new);
    if n.saturating_mul(each) > n_ctx {
        let problem = format!("{n} texts of {each} tokens do not fit the context of {n_ctx}");
        return Err(Error::input("batch", problem).into());
    }
    let mut best: Option<Rates> = None;
    for run in 0..=texts.runs {
        let rates = write(engine, n, run, texts).await?;
        // The first run warms up.
        if run > 0 && best.as_ref().is_none_or(|best| rates.whole > best.whole) {
            best = Some(rates);
        }
    }
    let Rates { whole, decode } = best.ok_or_else(|| Error::input("runs", "at least one is needed"))?;
    Ok(json!({
        "bench": "batch",
        "model": engine.facts().name,
        "backend": engine.facts().backend.name(),
        "precision": texts.precision.name(),
        "texts": n,
        "prompt_tokens": texts.n_prompt,
        "new_tokens": texts.n_new,
        "tokens_per_second": whole,
        "decode_tokens_per_second": decode,
    }))
}

async fn write(engine: &mut Engine, n: usize, run: usize, texts: &Texts) -> Result<Rates> {
    let n_vocab = engine.facts().config.n_vocab;
    let options = GenerateOptions {
        max_new_tokens: Some(texts.n_new),
        temperature: 0.0,
        ignore_eos: true,
        precision: Some(texts.precision),
        // Random weights repeat themselves, which is guessed better than any text.
        speculation: Speculation::Off,
        ..GenerateOptions::default()
    };
    let start = Instant::now();
    let mut under_way: Vec<Generation> = Vec::with_capacity(n);
    for text in 0..n {
        // Another prompt each time, so that nothing of it is known.
        let id = |i| ((i * 7919 + (run * n + text) * 104_729 + 1) % n_vocab) as u32;
        let ids: Vec<u32> = (0..texts.n_prompt).map(id).collect();
        under_way.push(engine.generate(&ids, options.clone())?);
    }
    let mut drawn = vec![0; n];
    let (mut all_begun, mut rate) = (None, 0.0);
    let mut n_done = 0;
    while n_done < n {
        for (text, generation) in under_way.iter_mut().enumerate() {
            if drawn[text] > texts.n_new {
                continue; // it has ended
            }
            match generation.step(engine).await? {
                Event::Token { .. } => drawn[text] += 1,
                Event::Done { .. } => {
                    (drawn[text], n_done) = (texts.n_new + 1, n_done + 1);
                }
                Event::Prefill { .. } | Event::Search { .. } => {}
            }
        }
        let sum: usize = drawn.iter().sum();
        if n_done == 0 && drawn.iter().all(|n| *n > 0) {
            let (since, before) = *all_begun.get_or_insert((Instant::now(), sum));
            rate = (sum - before) as f64 / since.elapsed().as_secs_f64();
        }
    }
    Ok(Rates { whole: (n * texts.n_new) as f64 / start.elapsed().as_secs_f64(), decode: rate })
}
