//! Tokens that the host chooses, one by one, because something must look at their scores first.

use super::{Completion, Event, FinishReason, Generation, Way, held::no_token, plans};
use crate::{
    backend::cpu::{mask, penalize, pick},
    error::{Error, Result},
    model::IDS,
    plan::{Sampling, Stage},
    run::{Engine, Logprobs, Processors},
};

/// What the host keeps for its choice.
pub(super) struct Host {
    pub processors: Processors,
    /// What an encoder reads, of a decoder alone its prompt.
    pub source: Vec<u32>,
    /// How often each token occurred, as [`crate::plan::Op::Penalize`] counts.
    pub counts: Vec<u32>,
    /// The token that was chosen last, until the model has seen it.
    pub unseen: Option<u32>,
}

impl Generation {
    pub(super) async fn token_on_host(&mut self, engine: &mut Engine) -> Result<Event> {
        if self.look(engine)? == Some(Completion::Over) {
            return self.finish(FinishReason::Eos).await;
        }
        if self.is_long_enough() {
            return self.finish(FinishReason::Length).await;
        }
        let decode = plans(engine)?.0;
        let (decode, output) = (decode.ready()?, decode.output()?);
        let Way::Host(host) = &mut self.way else {
            return Err(Error::input("generation", "it is not the host's"));
        };
        if let Some(id) = host.unseen.take() {
            if self.position() >= engine.facts().n_ctx {
                if self.shift(engine) {
                    return self.prefill_chunk(engine).await;
                }
                return self.finish(FinishReason::Context).await;
            }
            if self.must_read_again(engine) {
                self.read_again(engine);
                return self.prefill_chunk(engine).await;
            }
            engine.backend.write_u32(IDS, 0, &[id])?;
            let run = self.run(engine, self.position(), 1);
            engine.backend.run(decode, &run, Stage::Logits)?;
            engine.cached.tokens.push(id);
        }
        let n_vocab = engine.facts().config.n_vocab;
        let scores = engine.backend.read_value(decode, output, 0, n_vocab).await?;
        let (id, logprobs) = self.choose_on_host(engine, scores)?;
        if let Way::Host(host) = &mut self.way {
            host.unseen = Some(id);
        }
        self.accept(engine, id, logprobs).await
    }

    /// The token that follows the text, by the model's scores of it, and how probable it was where that is asked for.
    pub(super) fn choose_on_host(
        &mut self,
        engine: &Engine,
        mut scores: Vec<f32>,
    ) -> Result<(u32, Option<Logprobs>)> {
        let (text, run) = (self.whole_text(), self.run(engine, 0, 1));
        let Way::Host(host) = &mut self.way else {
            return Err(Error::input("generation", "it is not the host's"));
        };
        // The repetition's penalty is among the processors here.
        let logits = self.options.logprobs.map(|n| (n, scores.clone()));
        let sampling = Sampling { repetition_penalty: 1.0, ..self.sampling };
        penalize(&mut scores, &host.counts, &sampling);
        host.processors.apply(&text, self.n_given, &host.source, &mut scores);
        if let Some(held) = &self.held {
            mask(&mut scores, &held.allowed);
            if scores.iter().all(|score| *score == f32::NEG_INFINITY) {
                return Err(no_token());
            }
        }
        let id = pick(&scores, &run).ok_or_else(|| Error::NotFinite { place: "the logits".into() })?;
        let logprobs = logits.map(|(n, logits)| Logprobs::of(&logits, id, n));
        if let Some(count) = host.counts.get_mut(id as usize) {
            *count += 1;
        }
        self.submitted += 1;
        Ok((id, logprobs))
    }
}
