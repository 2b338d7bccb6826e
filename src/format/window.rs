//! Reads of many small ranges, merged to few large ones.

use super::Checkpoint;
use crate::error::Result;

/// Bytes of a read, unless more are asked for.
const READ: usize = 4 << 20;

/// The last bytes that were read, with what follows them in the file: many tensors are small, and each request to a
/// server takes its time.
#[derive(Default)]
pub struct Window {
    source: usize,
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// `len` bytes of a source from `start`.
    ///
    /// # Errors
    /// Those of the source.
    pub async fn read(
        &mut self,
        checkpoint: &Checkpoint,
        source: usize,
        start: u64,
        len: usize,
    ) -> Result<&[u8]> {
        let end = self.start + self.bytes.len() as u64;
        let inside = self.source == source && start >= self.start && start + len as u64 <= end;
        if !inside {
            let file = &checkpoint.sources[source];
            // The reader checked that every tensor ends within its file.
            let left = file.len().saturating_sub(start).min(READ as u64) as usize;
            self.bytes = Vec::new(); // the old ones go before the new ones come
            self.bytes = file.read(start, len.max(left)).await?;
            (self.source, self.start) = (source, start);
        }
        let at = (start - self.start) as usize;
        Ok(&self.bytes[at..at + len])
    }
}
