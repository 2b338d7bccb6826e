//! Tokens of a text that is written together with others: the host chooses them, as the device would, from the scores of the
//! text's row in a run of all of them.

use super::{Completion, Event, FinishReason, Generation, Way, held::no_token, way::counts};
use crate::{
    backend::cpu::{mask, penalize, pick},
    error::{Error, Result},
    run::{Engine, Logprobs},
};

impl Generation {
    pub(super) async fn step_of_row(&mut self, engine: &mut Engine) -> Result<Event> {
        if let Some(error) = engine.batch.failure(self.number) {
            return Err(error);
        }
        self.share(engine);
        // Drawn before the first of the others came.
        if let Some(token) = self.on_their_way.pop_front() {
            let id = token.await?;
            self.count(id);
            let event = self.accept(engine, id, None).await?;
            self.ask(engine);
            return Ok(event);
        }
        if self.look(engine)? == Some(Completion::Over) {
            return self.finish(FinishReason::Eos).await;
        }
        if self.is_long_enough() {
            return self.finish(FinishReason::Length).await;
        }
        if self.text().len() > engine.facts().n_ctx {
            let Some(kept) = self.forget() else { return self.finish(FinishReason::Context).await };
            engine.batch.truncate(self.number, kept);
        }
        self.ask(engine);
        if engine.batch.has_moved(self.number) {
            return Ok(self.read_so_far(engine));
        }
        if let Some(scores) = engine.batch.take_scores(self.number) {
            return self.token_of_row(engine, scores).await;
        }
        if engine.batch.waits(self.number) {
            return Ok(self.read_so_far(engine));
        }
        engine.run_batch().await?;
        match engine.batch.has_moved(self.number) {
            true => Ok(self.read_so_far(engine)),
            false => match engine.batch.take_scores(self.number) {
                Some(scores) => self.token_of_row(engine, scores).await,
                None => Ok(self.read_so_far(engine)),
            },
        }
    }

    /// It has the cache no longer for itself.
    fn share(&mut self, engine: &Engine) {
        self.speculator = None;
        if self.counts.is_empty() && self.sampling.has_penalties() {
            let text = self.whole_text();
            self.counts = counts(&text[..self.n_given], engine.facts().config.n_vocab);
            for id in &text[self.n_given..] {
                self.count(*id);
            }
        }
    }

    fn count(&mut self, id: u32) {
        if let Some(count) = self.counts.get_mut(id as usize) {
            *count += 1;
        }
    }

    /// Asks for what follows the text, unless that is its end: the next run of all has its token too.
    fn ask(&self, engine: &mut Engine) {
        let text = self.text();
        let knows_all = self.on_their_way.is_empty();
        if knows_all && !self.finished && !self.is_long_enough() && text.len() <= engine.facts().n_ctx {
            engine.batch.want(self.number, &text);
        }
    }

    fn read_so_far(&self, engine: &Engine) -> Event {
        let total = self.prompt.len();
        Event::Prefill { done: engine.batch.n_read(self.number).min(total), total }
    }

    async fn token_of_row(&mut self, engine: &mut Engine, scores: Vec<f32>) -> Result<Event> {
        let (id, logprobs) = match &self.way {
            Way::Host(_) => self.choose_on_host(engine, scores)?,
            _ => (self.choose_as_device(engine, scores)?, None),
        };
        let event = self.accept(engine, id, logprobs).await?;
        self.ask(engine);
        Ok(event)
    }

    /// The steps of [`crate::plan::Op::Mask`], [`crate::plan::Op::Penalize`] and [`crate::plan::Op::Sample`].
    fn choose_as_device(&mut self, engine: &Engine, mut scores: Vec<f32>) -> Result<u32> {
        if let Way::Masked(masked) = &self.way {
            let allowed = masked.allowed(self.held.as_ref());
            if allowed.iter().all(|word| *word == 0) {
                return Err(no_token());
            }
            masked.finite_bias().for_each(|(id, bias)| scores[id as usize] += bias);
            mask(&mut scores, &allowed);
        }
        penalize(&mut scores, &self.counts, &self.sampling);
        let id = pick(&scores, &self.run(engine, 0, 1));
        let id = id.ok_or_else(|| Error::NotFinite { place: "the logits".into() })?;
        self.submitted += 1;
        self.count(id);
        Ok(id)
    }

    /// A token that was drawn: the event of it, or the end.
    pub(super) async fn accept(
        &mut self,
        engine: &Engine,
        id: u32,
        logprobs: Option<Logprobs>,
    ) -> Result<Event> {
        self.first_token.get_or_insert_with(web_time::Instant::now);
        if !self.options.ignore_eos && engine.is_end(id) {
            return self.finish(FinishReason::Eos).await;
        }
        if let Some(held) = &mut self.held {
            held.accept(id)?;
        }
        self.output.tokens.push(id);
        self.show(engine, id, logprobs).await
    }
}
