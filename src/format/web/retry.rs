//! Asking again, where that may help.

use js_sys::{Function, Promise};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;

use super::fetch::Request;
use crate::error::{Error, Result};

/// Pauses before asking again, in ms: a connection that moves from one network to another takes seconds.
const PAUSES: [i32; 3] = [300, 1000, 3000];

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(then: &Function, ms: i32) -> JsValue;
}

/// Why a read failed.
pub(super) struct Failure {
    pub error: Error,
    /// Whether it may work in a moment.
    pub passes: bool,
}

impl Failure {
    /// A failed connection may work in a moment, an abort never.
    pub fn maybe_passing(error: Error) -> Self {
        let passes = !matches!(error, Error::Aborted);
        Failure { error, passes }
    }
}

/// Reads; where that fails and may pass, again after a pause, and again after longer ones.
pub(super) async fn retried<T, R: Future<Output = Result<T, Failure>>>(
    request: &Request<'_>,
    read: impl Fn() -> R,
) -> Result<T> {
    for ms in PAUSES {
        match read().await {
            Ok(value) => return Ok(value),
            Err(Failure { error, passes: false }) => return Err(error),
            Err(_) => pause(ms).await,
        }
        request.check_aborted()?;
    }
    read().await.map_err(|failure| failure.error)
}

async fn pause(ms: i32) {
    let promise = Promise::new(&mut |resolve, _| {
        set_timeout(&resolve, ms);
    });
    // It never rejects.
    let _ = JsFuture::from(promise).await;
}
