//! Walks through a header of unknown length by reading ahead in growing pieces, so that an HTTP source answers a
//! few requests and never hands over the weights.

use std::fmt;

use crate::{
    error::{Error, Result},
    format::{Source, source::FIRST_READ},
};

/// Later reads double up to this.
const LARGEST_READ: usize = 4 << 20;
/// No header is longer than this. The largest known vocabularies need some 20 MB.
pub(super) const LARGEST_HEADER: u64 = 128 << 20;

/// What a message calls the bytes being read, e.g. `tokenizer.ggml.tokens[17].length`; put together only on error.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    owner: &'a str,
    index: Option<u64>,
    part: &'a str,
    /// The length in front of a string rather than the string.
    is_length: bool,
}

impl<'a> Field<'a> {
    pub fn new(owner: &'a str) -> Self {
        Field { owner, index: None, part: "", is_length: false }
    }

    pub fn at(self, index: u64) -> Self {
        Field { index: Some(index), ..self }
    }

    pub fn part(self, part: &'a str) -> Self {
        Field { part, ..self }
    }

    fn length(self) -> Self {
        Field { is_length: true, ..self }
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.owner)?;
        if let Some(index) = self.index {
            write!(f, "[{index}]")?;
        }
        if !self.part.is_empty() {
            write!(f, ".{}", self.part)?;
        }
        if self.is_length {
            f.write_str(".length")?;
        }
        Ok(())
    }
}

/// A place in a source, and the bytes that were read ahead of it.
pub(super) struct Cursor<'a> {
    source: &'a dyn Source,
    /// Bytes of the file from `window_start`.
    window: Vec<u8>,
    window_start: u64,
    /// Bytes of the window that were taken.
    taken: usize,
    next_read: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(source: &'a dyn Source) -> Self {
        Cursor { source, window: Vec::new(), window_start: 0, taken: 0, next_read: FIRST_READ }
    }

    pub fn source(&self) -> &'a dyn Source {
        self.source
    }

    /// The offset of the next byte.
    pub fn position(&self) -> u64 {
        self.window_start + self.taken as u64
    }

    /// Bytes from here to the end of the file.
    pub fn left(&self) -> u64 {
        self.source.len() - self.position()
    }

    /// An [`Error::Format`] about `field`, which starts at `offset`.
    pub fn error(&self, field: Field<'_>, offset: u64, problem: impl Into<String>) -> Error {
        Error::format(self.source.name(), field.to_string(), offset, problem)
    }

    /// Checks, before anything is allocated, that `count` items of at least `size` bytes can follow here.
    /// `offset` is where the count stands.
    pub fn claim(&self, count: u64, size: u64, field: Field<'_>, offset: u64) -> Result<usize> {
        let left = self.left();
        match count.checked_mul(size) {
            Some(bytes) if bytes <= left => {
                if self.position() + bytes > LARGEST_HEADER {
                    let problem = format!("{count} makes a header of more than {LARGEST_HEADER} bytes");
                    return Err(self.error(field, offset, problem));
                }
                // At most LARGEST_HEADER, so it fits.
                Ok(count as usize)
            }
            _ if size == 1 => {
                Err(self.error(field, offset, format!("{count} bytes, but the file ends after {left} more")))
            }
            _ => Err(self.error(
                field,
                offset,
                format!("{count} items of at least {size} bytes, but the file ends after {left} more bytes"),
            )),
        }
    }

    /// The next `n` bytes.
    pub async fn take(&mut self, n: usize, field: Field<'_>) -> Result<&[u8]> {
        if self.window.len() - self.taken < n {
            self.fill(n, field).await?;
        }
        let start = self.taken;
        self.taken += n;
        Ok(&self.window[start..self.taken])
    }

    /// The next `n` bytes, or fewer where the file ends before, without going past them.
    pub async fn peek(&mut self, n: usize, field: Field<'_>) -> Result<&[u8]> {
        let n = n.min(usize::try_from(self.left()).unwrap_or(n));
        self.take(n, field).await?;
        self.taken -= n;
        Ok(&self.window[self.taken..self.taken + n])
    }

    /// The next `N` bytes.
    pub async fn array<const N: usize>(&mut self, field: Field<'_>) -> Result<[u8; N]> {
        let bytes = self.take(N, field).await?;
        // `take` gave exactly N bytes.
        Ok(bytes.try_into().expect("N bytes"))
    }

    pub async fn u32(&mut self, field: Field<'_>) -> Result<u32> {
        self.array(field).await.map(u32::from_le_bytes)
    }

    pub async fn u64(&mut self, field: Field<'_>) -> Result<u64> {
        self.array(field).await.map(u64::from_le_bytes)
    }

    /// A length and as many bytes of UTF-8.
    pub async fn string(&mut self, field: Field<'_>, longest: u64) -> Result<&str> {
        let offset = self.position();
        let length = self.u64(field.length()).await?;
        let n = self.claim(length, 1, field.length(), offset)?;
        if length > longest {
            let problem = format!("{length} bytes, but at most {longest} are allowed");
            return Err(self.error(field.length(), offset, problem));
        }
        let start = self.position();
        let name = self.source.name();
        let bytes = self.take(n, field).await?;
        str::from_utf8(bytes).map_err(|error| {
            let at = start + error.valid_up_to() as u64;
            Error::format(name, field.to_string(), at, "the text is not valid UTF-8")
        })
    }

    /// Reads ahead until `n` bytes can be taken, dropping what was taken.
    async fn fill(&mut self, n: usize, field: Field<'_>) -> Result<()> {
        let left = self.left();
        if left < n as u64 {
            let problem = format!("the file is truncated: {n} bytes are needed and {left} are left");
            return Err(self.error(field, self.position(), problem));
        }
        self.window.drain(..self.taken);
        self.window_start += self.taken as u64;
        self.taken = 0;
        let have = self.window.len();
        let unread = left - have as u64;
        let length = (n - have).max(self.next_read).min(usize::try_from(unread).unwrap_or(usize::MAX));
        let more = self.source.read(self.window_start + have as u64, length).await?;
        if more.len() != length {
            return Err(Error::Source {
                source_name: self.source.name().to_string(),
                problem: format!("{} bytes instead of {length}: it changed while being read", more.len()),
            });
        }
        if self.window.is_empty() {
            self.window = more;
        } else {
            self.window.extend_from_slice(&more);
        }
        self.next_read = (self.next_read * 2).min(LARGEST_READ);
        Ok(())
    }
}
