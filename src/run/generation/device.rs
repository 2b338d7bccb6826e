//! Tokens that the device draws: it feeds itself, and several are on their way before the first is read.

use web_time::Instant;

use super::{Event, FinishReason, Generation, Way, plans};
use crate::{
    backend::Prepared,
    error::Result,
    model::IDS,
    plan::{Run, Stage},
    run::{Engine, WhenFull},
};

impl Generation {
    /// Lets the encoder read what the answer is about.
    pub(super) async fn read_source(&mut self, engine: &mut Engine) -> Result<Event> {
        if let Some(source) = self.source.take() {
            engine.let_encoder_read(&source).await?;
        }
        Ok(Event::Prefill { done: self.prefilled, total: self.prompt.len() })
    }

    pub(super) async fn prefill_chunk(&mut self, engine: &mut Engine) -> Result<Event> {
        let (decode, prefill) = plans(engine)?;
        let rest = &self.prompt[self.prefilled..];
        let n = rest.len().min(prefill.plan.max_rows).min(engine.backend.next_rows());
        let plan = if n == 1 { decode.ready()? } else { prefill.ready()? };
        engine.backend.write_u32(IDS, 0, &rest[..n])?;
        let run = self.run(engine, self.prefilled, n);
        match (n == rest.len(), &self.way) {
            (true, Way::Device) => self.submit(engine, plan, &run)?,
            (true, _) => engine.backend.run(plan, &run, Stage::Logits)?,
            (false, _) => {
                engine.backend.run(plan, &run, Stage::Body)?;
                engine.backend.settle().await?;
            }
        }
        self.prefilled += n;
        engine.cached.tokens.extend(&self.prompt[self.prefilled - n..self.prefilled]);
        Ok(Event::Prefill { done: self.prefilled, total: self.prompt.len() })
    }

    /// Whether a model that makes drafts has yet to read what this one has.
    pub(super) fn is_drafter_behind(&self) -> bool {
        self.speculator.as_ref().is_some_and(|speculator| speculator.is_behind(self.prefilled))
    }

    /// A chunk of it.
    pub(super) async fn let_drafter_read(&mut self) -> Result<Event> {
        if let Some(speculator) = &mut self.speculator {
            speculator.read(self.prefilled).await?;
        }
        Ok(Event::Prefill { done: self.prefilled, total: self.prompt.len() })
    }

    pub(super) fn run(&self, engine: &Engine, pos: usize, n_rows: usize) -> Run {
        Run { draw: self.submitted as u32, sampling: self.sampling, ..engine.run_at(pos, n_rows) }
    }

    fn submit(&mut self, engine: &mut Engine, plan: Prepared, run: &Run) -> Result<()> {
        self.on_their_way.push_back(engine.backend.run_for_token(plan, run, IDS)?);
        self.submitted += 1;
        Ok(())
    }

    /// The position of the token that would be fed next.
    pub(super) fn position(&self) -> usize {
        self.prompt.len() + self.submitted - self.drawn_before - 1
    }

    /// Whether another token may be asked for: within the caller's limit and the context.
    fn may_submit(&self, engine: &Engine) -> bool {
        let within = |max| self.submitted + self.n_forced < max;
        self.position() < engine.facts().n_ctx && self.options.max_new_tokens.is_none_or(within)
    }

    /// Tells the engine which generated tokens are in the cache: those that are known here and that a run which was
    /// submitted feeds to the model. All runs but the first feed the token before.
    fn remember(&self, engine: &mut Engine) {
        let fed = (self.output.tokens.len() - self.answered).min(self.submitted - self.drawn_before - 1);
        let known = engine.cached.tokens.len() - self.prompt.len();
        engine.cached.tokens.extend(&self.output.tokens[self.answered..][known..fed]);
    }

    /// Whether the text has come to the length beyond which its keys rotate otherwise: it must be read again.
    pub(super) fn must_read_again(&self, engine: &Engine) -> bool {
        !engine.cached.beyond && engine.is_beyond(self.position() + 1)
    }

    /// Makes a prompt of the text so far.
    pub(super) fn read_again(&mut self, engine: &mut Engine) {
        self.prompt.extend_from_slice(&self.output.tokens[self.answered..]);
        self.answered = self.output.tokens.len();
        self.drawn_before = self.submitted;
        self.prefilled = 0;
        engine.cached.clear();
        engine.cached.beyond = true;
    }

    /// The tokens of the text.
    pub(super) fn text(&self) -> Vec<u32> {
        [&self.prompt, &self.output.tokens[self.answered..]].concat()
    }

    /// The same with what was forgotten of it, without those of a soft prompt.
    pub(super) fn whole_text(&self) -> Vec<u32> {
        let (at, forgotten) = &self.forgotten;
        let (before, after) = self.prompt[self.n_virtual..].split_at(*at);
        [before, forgotten, after, &self.output.tokens[self.answered..]].concat()
    }

    /// Makes a prompt of the text but for its older half, if the caller wants to go on where the context is full; gives how many
    /// tokens at its beginning are those that they were.
    pub(super) fn forget(&mut self) -> Option<usize> {
        let WhenFull::Shift { keep } = self.options.when_full else { return None };
        self.prompt.extend_from_slice(&self.output.tokens[self.answered..]);
        let own = self.prompt.len() - self.n_virtual;
        let kept = self.n_virtual + keep.min(own / 2);
        let rest = self.prompt.len() - kept;
        self.forgotten.0 = kept - self.n_virtual;
        self.forgotten.1.extend(self.prompt.drain(kept..kept + rest.div_ceil(2)));
        self.answered = self.output.tokens.len();
        self.drawn_before = self.submitted;
        Some(kept)
    }

    /// The same for a text that has the cache for itself.
    pub(super) fn shift(&mut self, engine: &mut Engine) -> bool {
        let Some(kept) = self.forget() else { return false };
        let beyond = engine.is_beyond(self.prompt.len());
        if engine.cached.beyond != beyond {
            engine.cached.clear();
            engine.cached.beyond = beyond;
        }
        engine.cached.tokens.truncate(kept);
        self.prefilled = engine.cached.tokens.len();
        // Its places are no more.
        self.speculator = None;
        true
    }

    pub(super) async fn token(&mut self, engine: &mut Engine) -> Result<Event> {
        let decode = plans(engine)?.0.ready()?;
        // A draft goes on from the last token, so those on their way are waited for.
        let waits = self.speculator.as_ref().is_some_and(|s| s.would_draft(self.on_their_way.len()));
        if waits && self.on_their_way.is_empty() {
            self.speculate(engine).await?;
        }
        let depth = if waits { 1 } else { engine.backend.depth() };
        while self.on_their_way.len() < depth && self.may_submit(engine) {
            if self.must_read_again(engine) {
                if self.on_their_way.is_empty() {
                    self.read_again(engine);
                    return self.prefill_chunk(engine).await;
                }
                break;
            }
            let run = self.run(engine, self.position(), 1);
            let before = Instant::now();
            self.submit(engine, decode, &run)?;
            if let Some(speculator) = &mut self.speculator {
                speculator.drew();
            }
            self.output.timings.encode_ms += before.elapsed().as_secs_f64() * 1e3;
        }
        self.remember(engine);
        let Some(token) = self.on_their_way.pop_front() else {
            if !self.is_long_enough() && self.shift(engine) {
                return self.prefill_chunk(engine).await;
            }
            let reason = if self.is_long_enough() { FinishReason::Length } else { FinishReason::Context };
            return self.finish(reason).await;
        };
        let id = token.await?;
        self.first_token.get_or_insert_with(Instant::now);
        if !self.options.ignore_eos && engine.is_end(id) {
            return self.finish(FinishReason::Eos).await;
        }
        self.output.tokens.push(id);
        if let Some(speculator) = &mut self.speculator {
            speculator.push(id);
        }
        self.remember(engine);
        self.show(engine, id, None).await
    }
}
