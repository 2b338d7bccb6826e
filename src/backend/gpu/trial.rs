//! What may fail for want of memory, or be refused, while the device goes on: errors of it are kept apart from those that end
//! everything.

use std::sync::{Arc, Mutex};

use super::{
    device::{Device, note},
    reports::Scope,
};
use crate::error::{Error, Result};

/// What became of it, as far as the device has told.
#[derive(Clone, Default)]
pub struct Trial {
    fault: Arc<Mutex<Option<Error>>>,
}

/// A trial under way.
pub struct Open {
    trial: Trial,
    scope: Scope,
}

impl Trial {
    /// # Errors
    /// The first of its errors that the device has told: all of them after [`Device::outcome`].
    pub fn check(&self) -> Result<()> {
        match self.fault.lock() {
            Ok(fault) => fault.clone().map_or(Ok(()), Err),
            Err(_) => Err(Error::DeviceLost { reason: "its error handler panicked".into() }),
        }
    }
}

impl Device {
    /// Errors of what is done from now until [`Device::end_trial`] are the trial's alone. Trials do not nest.
    pub fn begin_trial(&self) {
        let scope = Scope::open(&self.device);
        *self.trial.borrow_mut() = Some(Open { trial: Trial::default(), scope });
    }

    /// Ends it; what the device says of it is known after [`Device::outcome`].
    pub fn end_trial(&self) -> Trial {
        let Some(Open { trial, scope }) = self.trial.borrow_mut().take() else { return Trial::default() };
        let fault = trial.fault.clone();
        // What had no room is named by whoever made it; commands that use it are refused besides.
        let told = scope.close(move |caught| note(&fault, caught.uncaptured()));
        self.expect(told);
        trial
    }

    /// Where errors of what is made now are noted.
    pub(super) fn noted_in(&self) -> Arc<Mutex<Option<Error>>> {
        self.trial.borrow().as_ref().map_or_else(|| self.fault.clone(), |open| open.trial.fault.clone())
    }

    /// # Errors
    /// Those of the trial under way.
    pub(super) fn check_trial(&self) -> Result<()> {
        self.trial.borrow().as_ref().map_or(Ok(()), |open| open.trial.check())
    }
}
