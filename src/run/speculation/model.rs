//! Drafts of a smaller model with the same vocabulary. It draws by the same random numbers as the model that checks it, so that
//! they agree wherever their probabilities do (Daliri et al., "Coupling without Communication and Drafter-Invariant
//! Speculative Decoding", 2024).

use std::cell::{RefCell, RefMut};

use crate::{
    error::{Error, Result},
    model::IDS,
    plan::{Run, Sampling, Stage},
    run::{Engine, sessions::common},
};

/// The model that makes drafts, for the length of one call.
pub fn lock(engine: &RefCell<Engine>) -> Result<RefMut<'_, Engine>> {
    engine.try_borrow_mut().map_err(|_| Error::input("draft", "the model is busy with another call"))
}

/// How long the smaller model takes for a token, of the time of the larger one: as its weights are to the other's.
pub fn share(small: &Engine, large: &Engine) -> f64 {
    small.facts().bytes_per_token as f64 / large.facts().bytes_per_token.max(1) as f64
}

/// # Errors
/// [`Error::Input`] if one model cannot make drafts for the other: it has to write text after a prompt alone, and to mean
/// the same text by each id.
pub fn check(small: &Engine, large: &Engine) -> Result<()> {
    let refused = |problem: String| Err(Error::input("draft", problem));
    for engine in [small, large] {
        let config = &engine.facts().config;
        if !config.generates() || config.encoder.is_some() {
            let name = &config.architecture;
            return refused(format!("{name} models are not decoders that write text: both have to be"));
        }
    }
    let name = &small.facts().name;
    match (small.tokenizer(), large.tokenizer()) {
        (Ok(a), Ok(b)) => {
            if a.vocab_size() != b.vocab_size() {
                let (a, b) = (a.vocab_size(), b.vocab_size());
                return refused(format!(
                    "`{name}` knows {a} tokens, the model {b}: they need the same vocabulary"
                ));
            }
            for id in 0..a.vocab_size() as u32 {
                let pieces = [a.piece(id)?, b.piece(id)?];
                if pieces[0] != pieces[1] {
                    let [a, b] = pieces;
                    let problem = "they need the same vocabulary";
                    return refused(format!(
                        "token {id} of `{name}` is {a:?}, the model's is {b:?}: {problem}"
                    ));
                }
            }
            Ok(())
        }
        (Err(_), Err(_)) if small.facts().config.n_vocab == large.facts().config.n_vocab => Ok(()),
        _ => refused(format!("`{name}` and the model have not the same tokenizer")),
    }
}

impl Engine {
    /// Reads a chunk of what the cache lacks of all but the last token of `text`, as far as the context has room for it. Gives
    /// whether it lacks nothing more.
    pub(super) async fn read_draft(&mut self, text: &[u32]) -> Result<bool> {
        if self.unloaded {
            return Err(Error::Unloaded);
        }
        self.make_room()?;
        self.compute(self.facts().backend.usual_precision(), &[])?;
        self.latest += 1; // a generation of its own cannot go on
        let beyond = self.is_beyond(text.len() + super::MAX_DRAFT);
        if self.cached.beyond != beyond {
            self.cached.clear();
            self.cached.beyond = beyond;
        }
        let n = text.len().saturating_sub(1);
        let common = common(&self.cached.tokens, &text[..n]);
        self.cached.tokens.truncate(common);
        let room = n.min(self.facts().n_ctx);
        let known =
            text[..room].iter().take_while(|id| (**id as usize) < self.facts().config.n_vocab).count();
        let problem = || Error::input("model", "it writes no text");
        let prefill = self.plans.prefill.as_ref().ok_or_else(problem)?;
        let (rows, prepared) = (prefill.plan.max_rows, prefill.ready()?);
        let decode = self.plans.decode.as_ref().ok_or_else(problem)?.ready()?;
        let pos = self.cached.tokens.len();
        let end = known.min(pos + rows.min(self.backend.next_rows()));
        if pos < end {
            let chunk = &text[pos..end];
            self.backend.write_u32(IDS, 0, chunk)?;
            let run = self.run_at(pos, chunk.len());
            self.backend.run(if chunk.len() == 1 { decode } else { prepared }, &run, Stage::Body)?;
            self.cached.tokens.extend_from_slice(chunk);
            if end < known {
                self.backend.settle().await?;
            }
        }
        Ok(end >= known)
    }

    /// Up to `n` tokens after `text`, drawn as by `run` and the runs after it; none where the context is full, or the text
    /// has a token that this model does not know.
    pub(super) async fn draft(&mut self, text: &[u32], n: usize, run: &Run) -> Result<Vec<u32>> {
        let n_vocab = self.facts().config.n_vocab;
        let n = n.min((self.facts().n_ctx + 1).saturating_sub(text.len()));
        let (Some(last), true) = (text.last().filter(|id| (**id as usize) < n_vocab), n > 0) else {
            return Ok(Vec::new());
        };
        while !self.read_draft(text).await? {}
        if self.cached.tokens.len() + 1 < text.len() {
            return Ok(Vec::new());
        }
        let decode = self.plans.decode.as_ref().ok_or_else(|| Error::input("model", "it writes no text"))?;
        let decode = decode.ready()?;
        self.backend.write_u32(IDS, 0, &[*last])?;
        // How often tokens occurred is not counted here.
        let sampling = Sampling {
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            ..run.sampling
        };
        let mut on_their_way = Vec::new();
        for i in 0..n {
            let own = self.run_at(text.len() - 1 + i, 1);
            let run = Run { draw: run.draw + i as u32, sampling, ..own };
            on_their_way.push(self.backend.run_for_token(decode, &run, IDS)?);
        }
        let mut drafted = Vec::new();
        for token in on_their_way {
            drafted.push(token.await?);
        }
        self.cached.tokens.push(*last);
        self.cached.tokens.extend_from_slice(&drafted[..n - 1]);
        Ok(drafted)
    }
}
