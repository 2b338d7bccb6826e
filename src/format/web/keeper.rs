//! What the browser's storage keeps of files, as `www/lib/storage/keeper.js` and `kept.js` hand it to us.

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::AbortSignal;

use super::fetch::Request;
use crate::{
    error::Result,
    format::{Chunks, LocalFuture, http_answer::Version},
};

#[wasm_bindgen]
extern "C" {
    /// The storage of a load: a `Keeper`.
    pub type Keeper;
    /// Whether nothing may be fetched.
    #[wasm_bindgen(method, getter)]
    pub(super) fn only(this: &Keeper) -> bool;
    /// Whether the load fails where files cannot be kept.
    #[wasm_bindgen(method, getter)]
    pub(super) fn required(this: &Keeper) -> bool;
    /// What is kept of the file at a URL, if anything: a `Kept`. Waits for a load of the same model elsewhere.
    #[wasm_bindgen(method, catch)]
    pub(super) async fn open(this: &Keeper, url: &str) -> Result<JsValue, JsValue>;
    /// Whether any file of the model is kept.
    #[wasm_bindgen(method, catch)]
    pub(super) async fn holds(this: &Keeper) -> Result<JsValue, JsValue>;
    /// Bytes that were read of what is kept, bytes that were fetched, and how long the former took, in ms.
    #[wasm_bindgen(method)]
    pub(super) fn tell(this: &Keeper, stored: f64, fetched: f64, ms: f64);

    /// What is kept of one file.
    #[derive(Clone)]
    pub(super) type Kept;
    #[wasm_bindgen(method, getter)]
    pub(super) fn length(this: &Kept) -> Option<f64>;
    #[wasm_bindgen(method, getter)]
    fn etag(this: &Kept) -> Option<String>;
    #[wasm_bindgen(method, getter, js_name = lastModified)]
    fn last_modified(this: &Kept) -> Option<String>;
    /// Whether all of its chunks are there.
    #[wasm_bindgen(method, getter)]
    pub(super) fn complete(this: &Kept) -> bool;
    /// Bytes of the chunks that are there.
    #[wasm_bindgen(method, getter, js_name = storedBytes)]
    pub(super) fn stored_bytes(this: &Kept) -> f64;
    /// The `sha256-…` that was found the last time.
    #[wasm_bindgen(method, getter)]
    pub(super) fn digest(this: &Kept) -> Option<String>;
    #[wasm_bindgen(method, catch, js_name = setDigest)]
    pub(super) async fn set_digest(this: &Kept, digest: &str) -> Result<JsValue, JsValue>;
    /// Begins to read and to keep. `is_same`: what is kept is of the file as it is now; else it is dropped.
    #[wasm_bindgen(method, catch)]
    async fn start(
        this: &Kept,
        is_same: bool,
        length: f64,
        etag: Option<String>,
        last_modified: Option<String>,
    ) -> Result<JsValue, JsValue>;
    /// The server has no such file.
    #[wasm_bindgen(method, catch)]
    pub(super) async fn drop(this: &Kept) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, getter)]
    fn keeps(this: &Kept) -> bool;
    #[wasm_bindgen(method)]
    fn checksum(this: &Kept, index: f64) -> Option<u64>;
    /// Whether the chunk was read, or the promise of a `Uint8Array`, which is undefined where it was not.
    #[wasm_bindgen(method)]
    fn read(this: &Kept, index: f64, into: &mut [u8]) -> JsValue;
    /// Nothing, or a promise of it, which rejects where it had to be kept. The bytes may not be used later.
    #[wasm_bindgen(method, catch)]
    fn write(this: &Kept, index: f64, bytes: &[u8], checksum: u64) -> Result<JsValue, JsValue>;
}

impl Kept {
    /// Which state of the file is kept, `None` where nothing is.
    pub(super) fn version(&self) -> Option<Version> {
        let len = self.length()? as u64; // whole, and below 2^53
        Some(Version { len: Some(len), etag: self.etag(), last_modified: self.last_modified() })
    }
}

/// The chunks of one file in storage.
pub(super) struct KeptChunks {
    pub url: String,
    pub signal: Option<AbortSignal>,
    pub kept: Kept,
}

impl KeptChunks {
    /// See [`Kept::start`].
    pub async fn start(&self, is_same: bool, len: u64, version: Version) -> Result<()> {
        let started = self.kept.start(is_same, len as f64, version.etag, version.last_modified).await;
        started.map(|_| ()).map_err(|error| self.failed(&error))
    }

    pub fn failed(&self, exception: &JsValue) -> crate::Error {
        let request = Request { name: &self.url, signal: self.signal.as_ref() };
        request.failed(exception, "it cannot be kept in this browser's storage")
    }
}

impl Chunks for KeptChunks {
    fn keeps(&self) -> bool {
        self.kept.keeps()
    }

    fn checksum(&self, index: u64) -> Option<u64> {
        self.kept.checksum(index as f64)
    }

    fn read<'a>(&'a self, index: u64, into: &'a mut [u8]) -> LocalFuture<'a, bool> {
        let answer = self.kept.read(index as f64, into);
        Box::pin(async move {
            let Some(promise) = answer.dyn_ref::<Promise>() else {
                return answer.is_truthy();
            };
            match JsFuture::from(promise.clone()).await.map(JsCast::dyn_into::<Uint8Array>) {
                Ok(Ok(bytes)) if bytes.length() as usize == into.len() => {
                    bytes.copy_to(into);
                    true
                }
                _ => false,
            }
        })
    }

    fn write<'a>(&'a self, index: u64, bytes: &'a [u8], checksum: u64) -> LocalFuture<'a, Result<()>> {
        let answer = self.kept.write(index as f64, bytes, checksum);
        Box::pin(async move {
            let answer = answer.map_err(|error| self.failed(&error))?;
            if let Some(promise) = answer.dyn_ref::<Promise>() {
                JsFuture::from(promise.clone()).await.map_err(|error| self.failed(&error))?;
            }
            Ok(())
        })
    }
}
