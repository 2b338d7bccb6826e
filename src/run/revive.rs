//! A model whose device was lost, on another one: what its callers know it by stays as it was.

use super::Engine;
use crate::error::{Error, Result};

impl Engine {
    /// Whether its device went away: every call that needs it fails with [`Error::DeviceLost`].
    pub fn is_lost(&self) -> bool {
        !self.unloaded && self.backend.is_lost()
    }

    /// Takes the device, weights and plans of `fresh`, the same model loaded again. Sessions stay open, their texts to be read again;
    /// adapters stay loaded, their weights to be written again; generations go on by [`super::Generation::resume`].
    ///
    /// # Errors
    /// [`Error::Integrity`] where the weights are others, as where the file was changed meanwhile; then nothing has changed.
    pub fn revive(&mut self, mut fresh: Engine) -> Result<()> {
        if self.unloaded || fresh.unloaded {
            return Err(Error::Unloaded);
        }
        if fresh.is_lost() {
            return Err(Error::DeviceLost {
                reason: "the device that was to take its place is lost too".into(),
            });
        }
        let [expected, found] = [&*self, &fresh].map(|engine| format!("{:016x}", engine.facts().fingerprint));
        if expected != found {
            let source_name = fresh.facts().name.clone();
            return Err(Error::Integrity { source_name, expected, found });
        }
        fresh.adapters.succeed(&mut self.adapters);
        fresh.sessions.succeed(&mut self.sessions);
        fresh.precision = self.precision;
        fresh.latest = self.latest + 1;
        fresh.n_losses = self.n_losses + 1;
        fresh.survivors = std::mem::take(&mut self.survivors);
        fresh.survivors.extend(self.batch.numbers().into_iter().chain([self.latest]));
        *self = fresh;
        Ok(())
    }
}
