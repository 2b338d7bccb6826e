//! Drafts: the tokens that something guessed are read in one run, and drawn one by one from what it puts out.

use std::collections::VecDeque;

use web_time::Instant;

use super::Generation;
use crate::{
    backend::{Kind, Precision, Prepared},
    error::{Error, Result},
    format::LocalFuture,
    model::IDS,
    plan::{Run, Stage},
    run::{Engine, speculation::MAX_DRAFT},
};

impl Generation {
    /// Makes a draft and checks it. What comes of it is on its way then: at least one token, or none where there was no draft.
    pub(super) async fn speculate(&mut self, engine: &mut Engine) -> Result<()> {
        let most = self.rows_left(engine).saturating_sub(1).min(MAX_DRAFT);
        let run = self.run(engine, self.position(), 1);
        let Some(speculator) = &mut self.speculator else { return Ok(()) };
        let (Some(last), draft) = (speculator.last(), speculator.draft(most, &run).await?) else {
            return Ok(());
        };
        // A padded vocabulary may have more tokens in one model than in the other.
        let n_vocab = engine.facts().config.n_vocab as u32;
        let rows: Vec<u32> =
            [last].into_iter().chain(draft.into_iter().take_while(|id| *id < n_vocab)).collect();
        if rows.len() == 1 {
            return Ok(());
        }
        let checks = match checks(engine).await {
            // Guessing is no must.
            Err(Error::OutOfMemory { .. }) if engine.facts().backend == Kind::Cpu => {
                self.speculator = None;
                return Ok(());
            }
            checks => checks?,
        };
        let drawn = self.verify(engine, checks, &rows).await?;
        let (n, accepted) = (rows.len() - 1, drawn.len() - 1);
        if let Some(speculator) = &mut self.speculator {
            speculator.learn(n, accepted);
        }
        self.output.usage.drafted += n;
        self.output.usage.accepted += accepted;
        self.submitted += drawn.len();
        for id in drawn {
            self.on_their_way.push_back(Box::pin(std::future::ready(Ok(id))));
        }
        Ok(())
    }

    /// How many tokens the next run may read, so that no more are drawn than the caller wants, all have a place in the context
    /// and all are rotated alike.
    fn rows_left(&self, engine: &Engine) -> usize {
        let position = self.position();
        let wanted = self
            .options
            .max_new_tokens
            .map_or(usize::MAX, |max| max.saturating_sub(self.submitted + self.n_forced));
        let room = engine.facts().n_ctx.saturating_sub(position).min(wanted).min(1 + MAX_DRAFT);
        let alike = |n: &usize| engine.cached.beyond || !engine.is_beyond(position + n);
        (1..=room).take_while(alike).count()
    }

    /// Reads `rows`, the last token and a draft; gives the tokens drawn after each of them, up to the first that is not the
    /// draft's, or the one after the draft. The keys and values of what was not drawn are left behind in the cache, where no
    /// row sees them before others are written over them.
    async fn verify(
        &mut self,
        engine: &mut Engine,
        [verify, draw]: [Prepared; 2],
        rows: &[u32],
    ) -> Result<Vec<u32>> {
        let before = Instant::now();
        let run = self.run(engine, self.position(), rows.len());
        engine.backend.write_u32(IDS, 0, rows)?;
        // As exactly as a token is drawn by itself: a GPU multiplies integers only where there are many rows.
        let precision = engine.cached.precision;
        let on_gpu = engine.facts().backend == Kind::Gpu;
        engine.backend.set_precision(if on_gpu { Precision::Exact } else { precision });
        let checked = engine.backend.run(verify, &run, Stage::Logits);
        engine.backend.set_precision(precision);
        checked?;
        let mut encoding = before.elapsed();
        // What a draw counts must not be taken back, where something looks at it; else a device need not be waited for.
        let at_once = engine.backend.depth() > 1 && !self.sampling.has_penalties();
        let mut draws: VecDeque<LocalFuture<'static, Result<u32>>> = VecDeque::new();
        let mut drawn = Vec::new();
        for guess in rows[1..].iter().map(Some).chain([None]) {
            let next = drawn.len() + draws.len();
            let before = Instant::now();
            for row in next..if at_once { rows.len() } else { next + 1 } {
                let run = Run { n_rows: row as u32 + 1, draw: run.draw + row as u32, ..run };
                draws.push_back(engine.backend.run_for_token(draw, &run, IDS)?);
            }
            encoding += before.elapsed();
            let Some(token) = draws.pop_front() else { break };
            let id = token.await?;
            drawn.push(id);
            if guess != Some(&id) {
                break;
            }
        }
        self.output.timings.encode_ms += encoding.as_secs_f64() * 1e3;
        if at_once {
            for token in draws {
                // Scores after a wrong guess mean nothing.
                let _ = token.await;
            }
            engine.backend.write_u32(IDS, 0, &drawn[drawn.len() - 1..])?;
        }
        Ok(drawn)
    }
}

/// The plans that check a draft and draw from what comes of it, made when they are first needed.
async fn checks(engine: &mut Engine) -> Result<[Prepared; 2]> {
    let Engine { plans, backend, .. } = engine;
    let missing = || Error::input("model", "it writes no text");
    let verify = plans.verify.as_mut().ok_or_else(missing)?.prepared(backend.as_mut()).await?;
    let draw = plans.draw.as_mut().ok_or_else(missing)?.prepared(backend.as_mut()).await?;
    Ok([verify, draw])
}
