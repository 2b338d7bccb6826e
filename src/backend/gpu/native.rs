//! What wgpu's own code tells: features, and errors at once, to the thread that called.

use std::{pin::pin, sync::Arc, task};

use super::fault::Fault;
use crate::format::LocalFuture;

impl From<wgpu::Error> for Fault {
    fn from(error: wgpu::Error) -> Fault {
        match error {
            wgpu::Error::OutOfMemory { .. } => Fault::OutOfMemory,
            wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
                Fault::Refused(description)
            }
        }
    }
}

/// Whether threads of a subgroup may work together.
pub fn has_subgroups(device: &wgpu::Device) -> bool {
    device.features().contains(wgpu::Features::SUBGROUP)
}

/// Calls `report` for every error that no [`Scope`] catches.
pub fn on_uncaptured(device: &wgpu::Device, report: impl Fn(Fault) + Send + Sync + 'static) {
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| report(error.into())));
}

/// Catches the errors of what is called while it is open.
pub struct Scope([wgpu::ErrorScopeGuard; 3]);

impl Scope {
    /// Scopes nest: the last one opened must be closed first.
    pub fn open(device: &wgpu::Device) -> Scope {
        let filters =
            [wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::Validation];
        Scope(filters.map(|filter| device.push_error_scope(filter)))
    }

    /// Calls `report` for what it caught; all of it has been reported when the future resolves.
    pub fn close(self, report: impl Fn(Fault) + 'static) -> LocalFuture<'static, ()> {
        for guard in self.0.into_iter().rev() {
            // wgpu has the answer ready.
            let mut answer = task::Context::from_waker(task::Waker::noop());
            if let task::Poll::Ready(Some(error)) = pin!(guard.pop()).poll(&mut answer) {
                report(error.into());
            }
        }
        Box::pin(std::future::ready(()))
    }
}
