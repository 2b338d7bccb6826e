//! A [`Source`] is anything that can hand out a range of bytes: memory, a native file, a browser `Blob`, HTTP.

use std::{future::Future, pin::Pin};

use crate::error::{Error, Result};

/// A boxed future that stays on its thread: a page's worker has only one.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Bytes that a reader of headers asks for first: holds the whole header of a model with a small vocabulary, so that
/// an HTTP source whose first answer has as many costs one request.
pub(super) const FIRST_READ: usize = 256 << 10;

/// Random access to the bytes of one file.
pub trait Source {
    /// How messages name it: a path or URL.
    fn name(&self) -> &str;

    /// Length in bytes.
    fn len(&self) -> u64;

    /// Whether there are no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Exactly `len` bytes from `offset`, or an [`Error::Source`]. Callers check ranges against [`Source::len`]
    /// first, so a short answer means that the file changed or lied.
    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>>;
}

/// Bytes that are already in memory.
pub struct MemorySource {
    name: String,
    bytes: Vec<u8>,
}

impl MemorySource {
    /// A source that messages call `name`.
    pub fn new(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        MemorySource { name: name.into(), bytes }
    }
}

impl Source for MemorySource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        let range = usize::try_from(offset).ok().and_then(|start| Some(start..start.checked_add(len)?));
        let bytes = range.and_then(|range| self.bytes.get(range)).map(<[u8]>::to_vec);
        let result = bytes.ok_or_else(|| Error::Source {
            source_name: self.name.clone(),
            problem: format!("bytes {offset}..+{len} are past its end at {}", self.bytes.len()),
        });
        Box::pin(std::future::ready(result))
    }
}
