//! Beam search: one token of every beam in each step; the text is shown when the best is known.

use super::{Event, FinishReason, Generation, Way, plans};
use crate::{
    error::{Error, Result},
    plan::Stage,
    run::{BeamSearch, Engine, Slots, Step},
};

/// Beams under way.
pub(super) struct Beams {
    pub search: BeamSearch,
    pub slots: Slots,
    /// Tokens in each beam.
    pub length: usize,
}

impl Generation {
    pub(super) async fn search(&mut self, engine: &mut Engine) -> Result<Event> {
        let Way::Beams(beams) = &mut self.way else {
            return Err(Error::input("generation", "it has no beams"));
        };
        let n_vocab = engine.facts().config.n_vocab;
        let n_rows = beams.search.n_running();
        // The prompt's own scores come from the plans of one text.
        let (prepared, output) = if beams.length == 0 {
            let decode = plans(engine)?.0;
            (decode.ready()?, decode.output()?)
        } else {
            let planned =
                engine.plans.beams.as_mut().ok_or_else(|| Error::input("model", "it writes no text"))?;
            (planned.prepared(engine.backend.as_mut()).await?, planned.output()?)
        };
        let logits = engine.backend.read_value(prepared, output, 0, n_rows * n_vocab).await?;
        self.first_token.get_or_insert_with(web_time::Instant::now);
        match beams.search.step(&logits)? {
            Step::Continue { parents, tokens } => {
                beams.length += 1;
                let length = beams.length;
                self.feed_beams(engine, &parents, &tokens).await?;
                Ok(Event::Search { length })
            }
            Step::Done(found) => {
                engine.cached.tokens.truncate(self.prompt.len());
                let best = found.into_iter().next();
                let best = best.ok_or_else(|| Error::input("beam search", "it found no text"))?;
                let (reason, n) = match best.finished_by_eos {
                    true => (FinishReason::Eos, best.ids.len() - 1),
                    false => (FinishReason::Length, best.ids.len()),
                };
                let mut text = String::new();
                for id in &best.ids[..n] {
                    self.output.tokens.push(*id);
                    text += &self.text_of(engine, *id)?;
                }
                let passed = self.stops.push(&text);
                self.output.text += &passed.text;
                if let Some(stop) = passed.stop {
                    self.output.stop = Some(stop);
                    self.conclude(FinishReason::Stop).await;
                    return Ok(Event::Done { text: passed.text, output: self.output.clone() });
                }
                let event = self.finish(reason).await?;
                match event {
                    Event::Done { text, output } => Ok(Event::Done { text: passed.text + &text, output }),
                    event => Ok(event),
                }
            }
        }
    }

    /// Lets the model see the last token of every beam.
    async fn feed_beams(&mut self, engine: &mut Engine, parents: &[usize], tokens: &[u32]) -> Result<()> {
        let Way::Beams(beams) = &mut self.way else {
            return Err(Error::input("generation", "it has no beams"));
        };
        beams.slots.advance(parents)?;
        let planned =
            engine.plans.beams.as_mut().ok_or_else(|| Error::input("model", "it writes no text"))?;
        let prepared = planned.prepared(engine.backend.as_mut()).await?;
        let rows = tokens.iter().enumerate().map(|(row, token)| (*token, beams.slots.table_row(row)));
        engine.feed(prepared, &rows.collect::<Vec<_>>(), Stage::Logits)
    }
}
