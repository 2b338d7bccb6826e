//! What a decoder puts out after each token of a text: logits, or whatever its head is made for.

use super::Engine;
use crate::{
    error::{Error, Result},
    model::IDS,
    plan::Stage,
};

impl Engine {
    /// What the decoder's head puts out for every position: row-major `[ids.len(), n_out]`, for a language model logits. A
    /// decoder that looks at an encoder's states sees those of the text that was read last: see [`Engine::read_source`].
    ///
    /// # Errors
    /// As [`Engine::generate`]; [`Error::NotFinite`] if a number is NaN or infinite.
    pub async fn logits(&mut self, ids: &[u32]) -> Result<Vec<f32>> {
        self.decode_all(ids, false).await
    }

    /// As [`Engine::logits`], or the last hidden states `[ids.len(), n_embd]`, whatever the head.
    pub(super) async fn decode_all(&mut self, ids: &[u32], hidden: bool) -> Result<Vec<f32>> {
        self.check_ids(ids)?;
        self.make_room()?;
        self.compute_as_chosen()?;
        // A soft prompt's tokens stand before the text.
        let n_virtual = self.adapters.n_virtual();
        let ids = &self.with_virtual(ids)?[..];
        let Engine { plans, backend, .. } = self;
        let plan = if hidden && plans.hidden.is_some() { &mut plans.hidden } else { &mut plans.score };
        let plan = plan.as_mut().ok_or_else(|| Error::input("model", "it has no decoder"))?;
        let prepared = plan.prepared(backend.as_mut()).await?;
        let (output, max_rows) = (plan.output()?, plan.plan.max_rows);
        let n_out = plan.plan[output].cols;
        self.latest += 1; // a generation that was running cannot go on: the cache is overwritten
        self.cached.clear();
        self.cached.beyond = self.is_beyond(ids.len());
        let mut numbers = outputs(ids.len(), n_out)?;
        let mut done = 0;
        while done < ids.len() {
            let n = (ids.len() - done).min(max_rows).min(self.backend.next_rows());
            self.backend.write_u32(IDS, 0, &ids[done..done + n])?;
            let run = self.run_at(done, n);
            self.backend.run(prepared, &run, Stage::Logits)?;
            numbers.extend(self.backend.read_value(prepared, output, 0, n * n_out).await?);
            done += n;
        }
        check_finite(&numbers)?;
        self.cached.tokens = ids.to_vec();
        numbers.drain(..n_virtual * n_out);
        Ok(numbers)
    }
}

/// Room for the outputs of `n_rows` rows.
pub(super) fn outputs(n_rows: usize, n_out: usize) -> Result<Vec<f32>> {
    let mut numbers = Vec::new();
    let n = n_rows as u64 * n_out as u64;
    let room = usize::try_from(n).map(|n| numbers.try_reserve_exact(n));
    match room {
        Ok(Ok(())) => Ok(numbers),
        _ => Err(Error::OutOfMemory { device: "host", what: "the outputs".into(), bytes: 4 * n }),
    }
}

/// # Errors
/// [`Error::NotFinite`] if a number is NaN or infinite.
pub(super) fn check_finite(numbers: &[f32]) -> Result<()> {
    match numbers.iter().all(|x| x.is_finite()) {
        true => Ok(()),
        false => Err(Error::NotFinite { place: "what the model puts out".into() }),
    }
}
