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
        if self.unloaded {
            return Err(Error::Unloaded);
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
        *self = fresh;
        Ok(())
    }
}
