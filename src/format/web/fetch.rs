//! `fetch` with errors of this crate.

use std::rc::Rc;

use js_sys::{Array, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Blob, ReadableStreamDefaultReader, RequestInit, Response};

use super::exactly;
use crate::{
    error::{Error, Result},
    format::http_answer::{ContentRange, Head},
};

#[wasm_bindgen]
extern "C" {
    // The global function, which windows and workers both have.
    #[wasm_bindgen(catch, js_name = fetch)]
    fn global_fetch(url: &str, init: &RequestInit) -> Result<Promise, JsValue>;
}

/// Chunks of a download are gathered into a `Blob` whenever they reach this many bytes, so that the browser can
/// move them out of memory.
const BLOB_BYTES: u64 = 32 << 20;
/// Progress is told whenever as many bytes more have come.
const PROGRESS_BYTES: u64 = 1 << 20;
const CONNECTION: &str = "the connection failed, or the server does not let this page read the file (CORS)";
const BROKEN_OFF: &str = "the connection broke off: try again";

/// Whom to ask, and who may stop it.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub name: &'a str,
    pub signal: Option<&'a AbortSignal>,
}

impl<'a> Request<'a> {
    pub fn check_aborted(&self) -> Result<()> {
        if self.signal.is_some_and(AbortSignal::aborted) { Err(Error::Aborted) } else { Ok(()) }
    }

    /// The error for a JavaScript exception: ours if the signal caused it.
    pub fn failed(&self, exception: &JsValue, hint: &str) -> Error {
        if let Err(aborted) = self.check_aborted() {
            return aborted;
        }
        let said = match exception.dyn_ref::<js_sys::Error>() {
            Some(error) => String::from(error.message()),
            None => format!("{exception:?}"),
        };
        Error::Source { source_name: self.name.to_string(), problem: format!("{hint}: {said}") }
    }

    /// Sends the request, for `(start, length)` of the file or all of it.
    pub async fn fetch(self, range: Option<(u64, u64)>) -> Result<Answer<'a>> {
        let init = RequestInit::new();
        if let Some((start, len)) = range {
            let pair = Array::of2(&"Range".into(), &format!("bytes={start}-{}", start + len - 1).into());
            init.set_headers(&Array::of1(&pair));
        }
        self.send(&init).await
    }

    /// Asks for the head of the answer alone.
    pub async fn head(self) -> Result<Head> {
        let init = RequestInit::new();
        init.set_method("HEAD");
        Ok(self.send(&init).await?.head)
    }

    async fn send(self, init: &RequestInit) -> Result<Answer<'a>> {
        self.check_aborted()?;
        init.set_signal(self.signal);
        let promise = global_fetch(self.name, init).map_err(|error| self.failed(&error, CONNECTION))?;
        let response = await_promise(promise, &self, CONNECTION).await?;
        // What `fetch` gives by definition.
        let response: Response = response.unchecked_into();
        Ok(Answer { head: head(&response), response, request: self })
    }
}

/// Waits for a promise; a rejection becomes an error that starts with `hint`.
pub(super) async fn await_promise(promise: Promise, request: &Request<'_>, hint: &str) -> Result<JsValue> {
    let result = JsFuture::from(promise).await;
    // A signal also ends what does not know of it, like the reading of a `Blob`.
    request.check_aborted()?;
    result.map_err(|error| request.failed(&error, hint))
}

fn head(response: &Response) -> Head {
    let headers = response.headers();
    let header = |name: &str| headers.get(name).ok().flatten();
    Head {
        status: response.status(),
        status_text: response.status_text(),
        content_range: header("content-range").and_then(|value| ContentRange::parse(&value)),
        content_length: header("content-length").and_then(|value| value.parse().ok()),
        encoded: header("content-encoding").is_some_and(|value| !value.eq_ignore_ascii_case("identity")),
        content_type: header("content-type"),
        etag: header("etag"),
        last_modified: header("last-modified"),
    }
}

/// An answer whose body was not read yet.
pub(super) struct Answer<'a> {
    pub request: Request<'a>,
    pub head: Head,
    response: Response,
}

impl Answer<'_> {
    /// Ends the transfer of a body that nobody wants.
    pub fn discard(self) {
        if let Some(body) = self.response.body() {
            // That it may fail to stop what has already ended is no matter.
            ignore(body.cancel());
        }
    }

    /// The body of a range, as long as its head says.
    pub async fn into_bytes(self) -> Result<(Head, Vec<u8>)> {
        let Answer { request, head, response } = self;
        let promise = response.array_buffer().map_err(|error| request.failed(&error, BROKEN_OFF))?;
        let buffer = await_promise(promise, &request, BROKEN_OFF).await?;
        let array = Uint8Array::new(&buffer);
        let len = head.content_range.map_or(array.length() as usize, |range| range.len() as usize);
        let bytes = exactly(request.name, array, len)?;
        Ok((head, bytes))
    }

    /// The whole body as a `Blob`; its chunks never enter wasm memory.
    pub async fn into_blob(self, progress: Rc<dyn Fn(u64, u64)>) -> Result<Blob> {
        let Answer { request, head, response } = self;
        let total = head.promised_len();
        let mut gathered = Gathered::default();
        if let Some(body) = response.body() {
            let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
            let mut told = 0;
            progress(0, total.unwrap_or(0));
            while let Some(chunk) = next_chunk(&reader, &request).await? {
                gathered.push(&chunk).map_err(|error| request.failed(&error, "no room to keep the file"))?;
                if gathered.loaded - told >= PROGRESS_BYTES {
                    told = gathered.loaded;
                    progress(told, total.unwrap_or(0));
                }
            }
        }
        let loaded = gathered.loaded;
        if let Some(total) = total.filter(|&total| loaded < total) {
            let problem = format!("it ended after {loaded} of {total} bytes: try again");
            return Err(Error::Source { source_name: request.name.to_string(), problem });
        }
        progress(loaded, loaded);
        gathered.finish().map_err(|error| request.failed(&error, "no room to keep the file"))
    }
}

/// The next piece of a body, `None` at its end.
async fn next_chunk(
    reader: &ReadableStreamDefaultReader,
    request: &Request<'_>,
) -> Result<Option<Uint8Array>> {
    let result = await_promise(reader.read(), request, BROKEN_OFF).await;
    let field = |result: &JsValue, name: &str| {
        Reflect::get(result, &name.into()).map_err(|error| request.failed(&error, BROKEN_OFF))
    };
    match result {
        Err(error) => {
            ignore(reader.cancel());
            Err(error)
        }
        Ok(result) if field(&result, "done")?.is_truthy() => Ok(None),
        // Bodies of answers are streams of `Uint8Array`.
        Ok(result) => Ok(Some(field(&result, "value")?.unchecked_into())),
    }
}

/// Lets a promise go; its rejection is not reported as unhandled.
fn ignore(promise: Promise) {
    wasm_bindgen_futures::spawn_local(async move {
        let _ = JsFuture::from(promise).await;
    });
}

/// The pieces of a download: finished `Blob`s, and chunks that wait to become one.
#[derive(Default)]
struct Gathered {
    blobs: Array,
    chunks: Array,
    chunk_bytes: u64,
    loaded: u64,
}

impl Gathered {
    fn push(&mut self, chunk: &Uint8Array) -> Result<(), JsValue> {
        let n = u64::from(chunk.length());
        self.chunks.push(chunk);
        self.chunk_bytes += n;
        self.loaded += n;
        if self.chunk_bytes >= BLOB_BYTES {
            self.gather()?;
        }
        Ok(())
    }

    fn gather(&mut self) -> Result<(), JsValue> {
        let chunks = std::mem::take(&mut self.chunks);
        self.blobs.push(&Blob::new_with_u8_array_sequence(&chunks)?.into());
        self.chunk_bytes = 0;
        Ok(())
    }

    fn finish(mut self) -> Result<Blob, JsValue> {
        self.gather()?;
        Blob::new_with_blob_sequence(&self.blobs)
    }
}
