//! The browser's sources: a `Blob` (a picked or dropped file, a finished download), bytes that a page holds, and HTTP.
//!
//! Of a file behind HTTP only the ranges that are read come over the wire, where the server can do that. Where it
//! cannot, the body goes into a `Blob`, which the browser keeps outside of wasm memory and may put on disk.

mod fetch;
mod folder;
mod keeper;
mod opener;
mod retry;

pub use self::{folder::HttpFolder, keeper::Keeper, opener::Web};

use std::{cell::RefCell, future::ready, rc::Rc};

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, prelude::wasm_bindgen};
use web_sys::{AbortSignal, Blob};

use self::{
    fetch::{Answer, Request, await_promise},
    retry::Failure,
};
use super::{
    LocalFuture, Source,
    http_answer::{Access, Head},
};
use crate::error::{Error, Result};

/// A `Blob` or `File`.
pub struct BlobSource {
    name: String,
    blob: Blob,
    signal: Option<AbortSignal>,
}

impl BlobSource {
    /// A source that messages call `name`.
    pub fn new(name: impl Into<String>, blob: Blob) -> Self {
        BlobSource { name: name.into(), blob, signal: None }
    }
}

impl Source for BlobSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        // A length in bytes: whole, and below 2^53.
        self.blob.size() as u64
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            let end = end_within(&self.name, self.len(), offset, len)?;
            let request = Request { name: &self.name, signal: self.signal.as_ref() };
            let changed = "has the file changed or moved since it was chosen?";
            let slice = self.blob.slice_with_f64_and_f64(offset as f64, end as f64);
            let slice = slice.map_err(|error| request.failed(&error, changed))?;
            let buffer = await_promise(slice.array_buffer(), &request, changed).await?;
            exactly(&self.name, Uint8Array::new(&buffer), len)
        })
    }
}

/// Bytes that JavaScript holds; what is read of them is copied, the whole never.
pub struct BufferSource {
    name: String,
    bytes: Uint8Array,
}

impl BufferSource {
    /// A source that messages call `name`.
    pub fn new(name: impl Into<String>, bytes: Uint8Array) -> Self {
        BufferSource { name: name.into(), bytes }
    }
}

impl Source for BufferSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        // Whole, and below 2^53.
        long(&self.bytes).length() as u64
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        let part = |end: u64| long(&self.bytes).subarray(offset as f64, end as f64);
        let end = end_within(&self.name, self.len(), offset, len);
        Box::pin(ready(end.and_then(|end| exactly(&self.name, part(end), len))))
    }
}

#[wasm_bindgen]
extern "C" {
    /// A `Uint8Array` whose length may be beyond 32 bits, which js-sys cuts off.
    #[wasm_bindgen(js_name = Uint8Array)]
    type LongArray;
    #[wasm_bindgen(method, getter)]
    fn length(this: &LongArray) -> f64;
    #[wasm_bindgen(method)]
    fn subarray(this: &LongArray, begin: f64, end: f64) -> Uint8Array;
}

fn long(array: &Uint8Array) -> &LongArray {
    array.unchecked_ref()
}

/// A file behind a URL, read by ranges.
pub struct HttpSource {
    url: String,
    signal: Option<AbortSignal>,
    len: u64,
    /// The first answer's head, which the later ones must agree with.
    first: Head,
    /// The first answer's body, kept until something behind it is read.
    start: RefCell<Vec<u8>>,
}

impl HttpSource {
    /// Goes on after the answer to a first range from byte 0: a source by ranges, or, where the server has none, the whole
    /// file downloaded into a `Blob`. `progress(loaded, total)` tells of that download, in bytes; `total` is 0 where it is
    /// unknown, and equals `loaded` at the end. `signal` also ends later reads.
    ///
    /// # Errors
    /// [`Error::Source`] for a status that is no success, a failed connection or a body shorter than promised;
    /// [`Error::Aborted`].
    async fn from_answer(
        answer: Answer<'_>,
        signal: Option<AbortSignal>,
        progress: Rc<dyn Fn(u64, u64)>,
    ) -> Result<Rc<dyn Source>> {
        let request = answer.request;
        let blob = match answer.head.access() {
            Err(problem) => return Err(refuse(answer, problem)),
            Ok(Access::Ranges { total }) => {
                let (first, start) = answer.into_bytes().await?;
                let url = request.name.to_string();
                return Ok(Rc::new(HttpSource {
                    url,
                    signal,
                    len: total,
                    first,
                    start: RefCell::new(start),
                }));
            }
            Ok(Access::Whole) => answer.into_blob(progress).await?,
            Ok(Access::AskForWhole) => {
                answer.discard();
                let answer = request.fetch(None).await?;
                if answer.head.status != 200 {
                    let problem = answer.head.status_problem();
                    return Err(refuse(answer, problem));
                }
                answer.into_blob(progress).await?
            }
        };
        Ok(Rc::new(BlobSource { name: request.name.to_string(), blob, signal }))
    }

    /// Asks for a range once.
    async fn fetch(&self, request: Request<'_>, offset: u64, len: usize) -> Result<Vec<u8>, Failure> {
        let answer = request.fetch(Some((offset, len as u64))).await.map_err(Failure::maybe_passing)?;
        if let Err(problem) = answer.head.check_range(&self.first, self.len, offset, len as u64) {
            let passes = answer.head.is_trouble();
            return Err(Failure { error: refuse(answer, problem), passes });
        }
        let (_, bytes) = answer.into_bytes().await.map_err(Failure::maybe_passing)?;
        Ok(bytes)
    }

    /// `len` bytes from `offset` out of the first answer, where it has them; else it is dropped.
    fn kept_start(&self, offset: u64, len: usize) -> Option<Vec<u8>> {
        let mut start = self.start.borrow_mut();
        let from = usize::try_from(offset).ok()?;
        let bytes = from.checked_add(len).and_then(|to| start.get(from..to)).map(<[u8]>::to_vec);
        if bytes.is_none() {
            *start = Vec::new();
        }
        bytes
    }
}

impl Source for HttpSource {
    fn name(&self) -> &str {
        &self.url
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            end_within(&self.url, self.len, offset, len)?;
            let request = Request { name: &self.url, signal: self.signal.as_ref() };
            request.check_aborted()?;
            if len == 0 {
                return Ok(Vec::new());
            }
            if let Some(bytes) = self.kept_start(offset, len) {
                return Ok(bytes);
            }
            retry::retried(&request, || self.fetch(request, offset, len)).await
        })
    }
}

/// Ends an answer that is of no use.
fn refuse(answer: Answer<'_>, problem: String) -> Error {
    let error = Error::Source { source_name: answer.request.name.to_string(), problem };
    answer.discard();
    error
}

/// Where a read ends, if that is within the file.
fn end_within(name: &str, file_len: u64, offset: u64, len: usize) -> Result<u64> {
    offset.checked_add(len as u64).filter(|&end| end <= file_len).ok_or_else(|| Error::Source {
        source_name: name.to_string(),
        problem: format!("bytes {offset}..+{len} are past its end at {file_len}"),
    })
}

/// The array's bytes, if it has `len` of them.
fn exactly(name: &str, array: Uint8Array, len: usize) -> Result<Vec<u8>> {
    if array.length() as usize == len {
        return Ok(array.to_vec());
    }
    let problem = format!("it gave {} bytes where {len} were promised", array.length());
    Err(Error::Source { source_name: name.to_string(), problem })
}
