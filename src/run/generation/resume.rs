//! A text that goes on after its device was lost, on another one.

use std::rc::Rc;

use super::{Generation, Way, counts, superseded, take_over};
use crate::{
    error::{Error, Result},
    model::COUNTS,
    run::{Engine, batch::Alone},
};

impl Generation {
    /// Goes on where a step failed, once the model has a device again ([`Engine::revive`]). The text so far is read again; the
    /// tokens after it are drawn as they would have been. Beams are followed from their beginning, and what guessed tokens guesses no
    /// more: neither changes the text. Texts that were written with it resume by themselves when they are stepped.
    ///
    /// # Errors
    /// [`Error::ContextFull`] where the model's context is smaller now; those of [`Engine::generate`].
    pub fn resume(&mut self, engine: &mut Engine) -> Result<()> {
        if self.finished {
            return Ok(());
        }
        let Some(at) = engine.survivors.iter().position(|number| *number == self.number) else {
            return Err(superseded());
        };
        engine.survivors.swap_remove(at);
        self.n_losses = engine.n_losses;
        let session = self.options.session.filter(|session| engine.is_open(*session));
        // What was on its way is drawn again.
        self.on_their_way.clear();
        self.speculator = None;
        self.counts.clear();
        self.submitted = self.output.tokens.len() - self.n_forced;
        self.drawn_before = self.submitted;
        self.prompt.extend_from_slice(&self.output.tokens[self.answered..]);
        self.answered = self.output.tokens.len();
        self.source = self.beginning.as_ref().map(|beginning| beginning.source.clone());
        let n_ctx = engine.facts().n_ctx;
        if self.prompt.len() > n_ctx {
            return Err(Error::ContextFull { n_prompt: self.prompt.len(), n_ctx });
        }

        let (number, owner) = (engine.latest + 1, Rc::new(()));
        let joins = engine.may_join(&self.options);
        if joins {
            self.prefilled = engine.join(number, &owner, session, &self.prompt)?;
        } else {
            engine.leave_batch(&self.prompt)?;
            let precision = self.options.precision.unwrap_or(engine.facts().backend.usual_precision());
            engine.compute_next(precision, &self.options.adapters)?;
            self.prefilled = take_over(engine, session, &self.prompt, self.source.as_deref())?;
            if self.source.is_some() {
                engine.cached.clear();
                self.prefilled = 0;
            }
            let shares = engine.may_share(&self.options, precision);
            engine.batch.alone = shares.then(|| Alone { number, owner: Rc::downgrade(&owner) });
            if self.sampling.has_penalties() {
                let counts = self.counted(engine.facts().config.n_vocab);
                engine.backend.write_u32(COUNTS, 0, &counts)?;
            }
        }
        engine.latest = number;
        (self.number, self.owner) = (number, Some(owner));
        match &mut self.way {
            Way::Device => {}
            Way::Masked(masked) => masked.start_again(),
            Way::Host(host) => host.unseen = None,
            Way::Beams(_) => {
                let prompt = &self.prompt[self.n_virtual..];
                let forced = self.beginning.as_ref().and_then(|beginning| beginning.forced);
                self.way = Way::of(engine, prompt, self.source.as_deref(), forced, &self.options, false)?;
            }
        }
        self.failed = None;
        Ok(())
    }

    /// How often each token occurred, as [`crate::plan::Op::Penalize`] counts.
    fn counted(&self, n_vocab: usize) -> Vec<u32> {
        let (at, forgotten) = &self.forgotten;
        let (before, after) = self.prompt[self.n_virtual..].split_at(*at);
        let text = [before, forgotten, after].concat();
        let (given, drawn) = text.split_at(self.n_given + self.n_forced);
        let mut counts = counts(given, n_vocab);
        drawn.iter().for_each(|id| counts[*id as usize] += 1);
        counts
    }
}
