//! Tokens that the device draws from those that may come: what may is told to it for each, or once for all.

use web_time::Instant;

use super::{
    Completion, Event, FinishReason, Generation, Way,
    held::{Held, no_token},
    plans,
};
use crate::{
    error::{Error, Result},
    model::{ALLOWED, BIAS, IDS},
    plan::Stage,
    run::Engine,
};

/// What is kept for the draws of a text.
pub(super) struct Masked {
    /// Added to the logits, by token; minus infinity bans.
    bias: Vec<(u32, f32)>,
    /// What no bias bans, as in [`crate::plan::Op::Mask`].
    unbanned: Vec<u32>,
    /// Whether the device knows the biases.
    is_told: bool,
    /// Whether a token was drawn that the model has not been given.
    has_unseen: bool,
}

impl Masked {
    pub fn new(bias: impl IntoIterator<Item = (u32, f32)>, n_vocab: usize) -> Masked {
        let bias: Vec<(u32, f32)> = bias.into_iter().collect();
        let mut unbanned = vec![u32::MAX; n_vocab.div_ceil(32)];
        for (id, _) in bias.iter().filter(|(_, bias)| *bias == f32::NEG_INFINITY) {
            unbanned[*id as usize / 32] &= !(1 << (id % 32));
        }
        Masked { bias, unbanned, is_told: false, has_unseen: false }
    }

    /// What is added to the logits of tokens that are not banned.
    pub fn finite_bias(&self) -> impl Iterator<Item = (u32, f32)> {
        self.bias.iter().copied().filter(|(_, bias)| bias.is_finite())
    }

    /// What may come next, as in [`crate::plan::Op::Mask`].
    pub fn allowed(&self, held: Option<&Held>) -> Vec<u32> {
        match held {
            Some(held) => held.allowed.iter().zip(&self.unbanned).map(|(a, b)| a & b).collect(),
            None => self.unbanned.clone(),
        }
    }

    /// Another device knows nothing yet.
    pub fn start_again(&mut self) {
        self.is_told = false;
        self.has_unseen = false;
    }
}

impl Generation {
    /// How far a text has come that is held to a structure.
    pub(super) fn look(&mut self, engine: &Engine) -> Result<Option<Completion>> {
        let Some(held) = &mut self.held else { return Ok(None) };
        let is_start = self.output.tokens.len() == self.n_forced;
        let start = self.decoder.as_ref().filter(|_| is_start);
        held.look(start, engine.tokenizer()?).map(Some)
    }

    pub(super) async fn token_of_mask(&mut self, engine: &mut Engine) -> Result<Event> {
        if self.look(engine)? == Some(Completion::Over) {
            return self.finish(FinishReason::Eos).await;
        }
        if self.is_long_enough() {
            return self.finish(FinishReason::Length).await;
        }
        let before = Instant::now();
        let decode = plans(engine)?.0.ready()?;
        let Way::Masked(masked) = &self.way else { return Err(wrong_way()) };
        if masked.has_unseen {
            if self.position() >= engine.facts().n_ctx {
                if self.shift(engine) {
                    self.set_unseen(false);
                    return self.prefill_chunk(engine).await;
                }
                return self.finish(FinishReason::Context).await;
            }
            if self.must_read_again(engine) {
                self.read_again(engine);
                self.set_unseen(false);
                return self.prefill_chunk(engine).await;
            }
            // The device has it in its place.
            let run = self.run(engine, self.position(), 1);
            engine.backend.run(decode, &run, Stage::Logits)?;
            engine.cached.tokens.extend(self.output.tokens.last());
        }
        self.tell(engine).await?;
        let draw = engine.plans.masked.as_ref().ok_or_else(wrong_way)?.ready()?;
        let run = self.run(engine, 0, 1);
        let token = engine.backend.run_for_token(draw, &run, IDS)?;
        self.submitted += 1;
        // A device that works by itself goes on while the token is read back and what may follow it is found out.
        let max = self.options.max_new_tokens;
        let is_last = max.is_some_and(|max| self.output.tokens.len() + 1 >= max);
        let fits = self.position() < engine.facts().n_ctx && !self.must_read_again(engine);
        let ahead = engine.backend.depth() > 1 && fits && !is_last;
        if ahead {
            let run = self.run(engine, self.position(), 1);
            engine.backend.run(decode, &run, Stage::Logits)?;
        }
        self.set_unseen(!ahead);
        self.output.timings.encode_ms += before.elapsed().as_secs_f64() * 1e3;
        let id = token.await?;
        if ahead {
            engine.cached.tokens.push(id);
        }
        self.accept(engine, id, None).await
    }

    fn set_unseen(&mut self, has_unseen: bool) {
        if let Way::Masked(masked) = &mut self.way {
            masked.has_unseen = has_unseen;
        }
    }

    /// Tells the device what may come and the biases, as far as it does not know.
    async fn tell(&mut self, engine: &mut Engine) -> Result<()> {
        let n_vocab = engine.facts().config.n_vocab;
        let Way::Masked(masked) = &mut self.way else { return Err(wrong_way()) };
        let Engine { plans, backend, .. } = engine;
        let planned = plans.masked.as_mut().ok_or_else(wrong_way)?;
        let prepared = planned.prepared(backend.as_mut()).await?;
        if !masked.is_told {
            let mut bias = vec![0.0; n_vocab];
            masked.finite_bias().for_each(|(id, x)| bias[id as usize] = x);
            let value = planned.plan.find(BIAS).ok_or_else(wrong_way)?;
            backend.write_value(prepared, value, &bias)?;
        }
        if self.held.is_none() && masked.is_told {
            return Ok(());
        }
        masked.is_told = true;
        let allowed = masked.allowed(self.held.as_ref());
        if allowed.iter().all(|word| *word == 0) {
            return Err(no_token());
        }
        backend.write_u32(ALLOWED, 0, &allowed)
    }
}

fn wrong_way() -> Error {
    Error::input("generation", "no mask chooses its tokens")
}
