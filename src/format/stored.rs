//! A file of which a browser keeps chunks: what is kept is read from there, the rest from where the file lies, and kept on
//! its way.

use std::{
    cell::{Cell, RefCell},
    ops::Range,
    rc::Rc,
};

use intab_kernels::checksum::checksum;
use web_time::{Duration, Instant};

use super::{LocalFuture, Source, source::FIRST_READ};
use crate::error::{Error, Result};

/// Bytes of a chunk, of which a file's last may have fewer. As many as are read of a file first, so that these are kept too.
pub const CHUNK: usize = FIRST_READ;
/// Bytes asked for at a time of what nobody has read yet.
const LARGEST_FILL: usize = 4 << 20;

/// Where chunks of one file are kept, by their place in it.
pub trait Chunks {
    /// Whether anything is kept: not where there is no room, say.
    fn keeps(&self) -> bool;

    /// The checksum that a chunk had when it was kept, `None` where it is not.
    fn checksum(&self, index: u64) -> Option<u64>;

    /// Reads a chunk, or as much of it as can be read; gives whether that is all.
    fn read<'a>(&'a self, index: u64, into: &'a mut [u8]) -> LocalFuture<'a, bool>;

    /// Keeps a chunk, in place of one that is kept.
    ///
    /// # Errors
    /// Where the caller of the load demands that it is kept; else what cannot be kept is not, which is no error.
    fn write<'a>(&'a self, index: u64, bytes: &'a [u8], checksum: u64) -> LocalFuture<'a, Result<()>>;
}

/// What came from where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes read of kept chunks.
    pub stored: u64,
    /// Bytes read from where the file lies.
    pub fetched: u64,
    /// How long reading and checking kept chunks took.
    pub reading: Duration,
}

/// A [`Source`] over another one and the chunks that are kept of it. A kept chunk whose checksum is wrong is read anew.
pub struct StoredSource<C> {
    name: String,
    len: u64,
    chunks: C,
    /// `None` where it cannot be reached; then all is kept.
    inner: Option<Rc<dyn Source>>,
    /// The last chunk of which a part was read.
    last: RefCell<Option<(u64, Rc<[u8]>)>>,
    traffic: Cell<Traffic>,
}

impl<C: Chunks> StoredSource<C> {
    /// A file of `len` bytes that messages call `name`; without `inner` it has no more than what is kept.
    pub fn new(name: impl Into<String>, len: u64, chunks: C, inner: Option<Rc<dyn Source>>) -> Self {
        let traffic = Cell::default();
        StoredSource { name: name.into(), len, chunks, inner, last: RefCell::default(), traffic }
    }

    /// The place that was given.
    pub fn chunks(&self) -> &C {
        &self.chunks
    }

    /// What was read so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic.get()
    }

    /// Keeps what is not kept yet, in the file's order. `progress(kept, total)` is told in bytes.
    ///
    /// # Errors
    /// Those of the file's own source and of [`Chunks::write`].
    pub async fn fill(&self, progress: &dyn Fn(u64, u64)) -> Result<()> {
        let n_chunks = self.len.div_ceil(CHUNK as u64);
        let mut index = 0;
        while index < n_chunks && self.chunks.keeps() {
            let most = n_chunks.min(index + (LARGEST_FILL / CHUNK) as u64);
            let missing = self.missing_from(index, most);
            if missing.is_empty() {
                index += 1;
                continue;
            }
            progress(index * CHUNK as u64, self.len);
            index = missing.end;
            self.fetch(missing).await?;
        }
        Ok(())
    }

    /// The chunks from `index` on, up to `end`, that are not kept.
    fn missing_from(&self, index: u64, end: u64) -> Range<u64> {
        let missing = |index: &u64| self.chunks.checksum(*index).is_none();
        index..(index..end).find(|index| !missing(index)).unwrap_or(end.max(index))
    }

    /// The bytes of chunks.
    fn bytes_of(&self, chunks: Range<u64>) -> Range<u64> {
        chunks.start * CHUNK as u64..(chunks.end * CHUNK as u64).min(self.len)
    }

    /// Reads a kept chunk; gives whether it is as it was.
    async fn kept(&self, index: u64, into: &mut [u8]) -> bool {
        let Some(expected) = self.chunks.checksum(index) else {
            return false;
        };
        let start = Instant::now();
        let is_good = self.chunks.read(index, into).await && checksum(into) == expected;
        let mut traffic = self.traffic.get();
        traffic.reading += start.elapsed();
        traffic.stored += if is_good { into.len() as u64 } else { 0 };
        self.traffic.set(traffic);
        is_good
    }

    /// A kept chunk of which a part is wanted, `None` where there is no good one. The next part will be wanted soon.
    async fn kept_whole(&self, index: u64) -> Option<Rc<[u8]>> {
        let last = self.last.borrow().clone();
        if let Some((_, bytes)) = last.filter(|(at, _)| *at == index) {
            return Some(bytes);
        }
        let Range { start, end } = self.bytes_of(index..index + 1);
        let mut bytes = vec![0; (end - start) as usize];
        if !self.kept(index, &mut bytes).await {
            return None;
        }
        let bytes: Rc<[u8]> = bytes.into();
        *self.last.borrow_mut() = Some((index, bytes.clone()));
        Some(bytes)
    }

    async fn read_inner(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let Some(inner) = &self.inner else {
            let problem =
                "a part that this browser kept is damaged, and the file cannot be reached to replace it";
            return Err(Error::Source { source_name: self.name.clone(), problem: problem.into() });
        };
        let bytes = inner.read(offset, len).await?;
        let mut traffic = self.traffic.get();
        traffic.fetched += bytes.len() as u64;
        self.traffic.set(traffic);
        Ok(bytes)
    }

    /// Reads chunks from where the file lies, and keeps them.
    async fn fetch(&self, chunks: Range<u64>) -> Result<Vec<u8>> {
        let Range { start, end } = self.bytes_of(chunks.clone());
        let bytes = self.read_inner(start, (end - start) as usize).await?;
        for (index, chunk) in chunks.zip(bytes.chunks(CHUNK)) {
            let (before, now) = (self.chunks.checksum(index), checksum(chunk));
            self.chunks.write(index, chunk, now).await?;
            // A damaged chunk that comes back as another one is of another file than its neighbours.
            if before.is_some_and(|before| before != now) {
                let problem = "it changed since a part of it was kept: load it again".to_string();
                return Err(Error::Source { source_name: self.name.clone(), problem });
            }
        }
        Ok(bytes)
    }

    async fn read_range(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let end = offset + len as u64;
        if !self.chunks.keeps() {
            return self.read_inner(offset, len).await;
        }
        let touched = offset / CHUNK as u64..end.div_ceil(CHUNK as u64);
        if self.bytes_of(touched.clone()) == (offset..end)
            && self.missing_from(touched.start, touched.end) == touched
        {
            return self.fetch(touched).await;
        }
        let mut answer = vec![0; len];
        let mut index = touched.start;
        while index < touched.end {
            let chunk = self.bytes_of(index..index + 1);
            let part = chunk.start.max(offset)..chunk.end.min(end);
            let into = &mut answer[(part.start - offset) as usize..(part.end - offset) as usize];
            let is_there = if part == chunk {
                self.kept(index, into).await
            } else {
                let whole = self.kept_whole(index).await;
                let from = (part.start - chunk.start) as usize;
                whole.inspect(|bytes| into.copy_from_slice(&bytes[from..from + into.len()])).is_some()
            };
            if is_there {
                index += 1;
                continue;
            }
            // At least this one, which may be damaged.
            let missing = index..self.missing_from(index + 1, touched.end).end;
            let bytes = self.fetch(missing.clone()).await?;
            let got = self.bytes_of(missing.clone());
            let part = got.start.max(offset)..got.end.min(end);
            let from = &bytes[(part.start - got.start) as usize..(part.end - got.start) as usize];
            answer[(part.start - offset) as usize..(part.end - offset) as usize].copy_from_slice(from);
            index = missing.end;
        }
        Ok(answer)
    }
}

impl<C: Chunks> Source for StoredSource<C> {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            let is_inside = offset.checked_add(len as u64).is_some_and(|end| end <= self.len);
            if !is_inside {
                let problem = format!("bytes {offset}..+{len} are past its end at {}", self.len);
                return Err(Error::Source { source_name: self.name.clone(), problem });
            }
            self.read_range(offset, len).await
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, future::ready};

    use pollster::block_on;

    use super::*;
    use crate::format::MemorySource;

    /// Chunks in memory.
    #[derive(Default)]
    struct Shelf {
        kept: RefCell<BTreeMap<u64, (Vec<u8>, u64)>>,
        is_full: Cell<bool>,
    }

    impl Chunks for Shelf {
        fn keeps(&self) -> bool {
            !self.is_full.get()
        }

        fn checksum(&self, index: u64) -> Option<u64> {
            self.kept.borrow().get(&index).map(|(_, sum)| *sum)
        }

        fn read<'a>(&'a self, index: u64, into: &'a mut [u8]) -> LocalFuture<'a, bool> {
            into.copy_from_slice(&self.kept.borrow()[&index].0);
            Box::pin(ready(true))
        }

        fn write<'a>(&'a self, index: u64, bytes: &'a [u8], sum: u64) -> LocalFuture<'a, Result<()>> {
            self.kept.borrow_mut().insert(index, (bytes.to_vec(), sum));
            Box::pin(ready(Ok(())))
        }
    }

    const LEN: usize = 5 * CHUNK + 1000;

    fn file() -> Vec<u8> {
        (0..LEN as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
    }

    fn source(inner: bool) -> StoredSource<Shelf> {
        let inner = inner.then(|| Rc::new(MemorySource::new("inner", file())) as Rc<dyn Source>);
        StoredSource::new("file", LEN as u64, Shelf::default(), inner)
    }

    #[test]
    fn what_is_read_is_right_whatever_is_kept_and_then_is_kept_too() {
        let file = file();
        let mut rng = fastrand::Rng::new();
        for _ in 0..20 {
            let source = source(true);
            for index in 0..6 {
                if rng.bool() {
                    block_on(source.fetch(index..index + 1)).unwrap();
                }
            }
            for _ in 0..10 {
                let start = rng.usize(..LEN);
                let n = rng.usize(..=LEN - start);
                let found = block_on(source.read(start as u64, n)).unwrap();
                assert!(found == file[start..start + n], "{n} bytes from {start}");
                let touched = start / CHUNK..(start + n).div_ceil(CHUNK);
                assert!(touched.into_iter().all(|index| source.chunks.checksum(index as u64).is_some()));
            }
        }
    }

    #[test]
    fn no_byte_is_fetched_twice() {
        let source = source(true);
        for _ in 0..2 {
            for start in (0..LEN).step_by(CHUNK / 3) {
                block_on(source.read(start as u64, (CHUNK / 3).min(LEN - start))).unwrap();
            }
        }
        assert_eq!(source.traffic().fetched, LEN as u64);
        block_on(source.read(0, LEN)).unwrap();
        assert_eq!(source.traffic().fetched, LEN as u64);
        assert!(source.traffic().stored >= LEN as u64);
    }

    #[test]
    fn a_damaged_chunk_is_fetched_anew_and_healed() {
        let source = source(true);
        block_on(source.fill(&|_, _| {})).unwrap();
        for at in [0, CHUNK / 2] {
            source.chunks.kept.borrow_mut().get_mut(&2).unwrap().0[77] ^= 1;
            *source.last.borrow_mut() = None;
            let before = source.traffic().fetched;
            let found = block_on(source.read((2 * CHUNK - at) as u64, CHUNK)).unwrap();
            assert!(found == file()[2 * CHUNK - at..3 * CHUNK - at]);
            assert_eq!(source.traffic().fetched - before, CHUNK as u64);
            assert!(source.chunks.kept.borrow()[&2].0 == file()[2 * CHUNK..3 * CHUNK]);
        }
    }

    #[test]
    fn a_damaged_chunk_of_a_file_that_changed_is_an_error() {
        let source = source(true);
        block_on(source.fill(&|_, _| {})).unwrap();
        let mut kept = source.chunks.kept.take();
        let (bytes, sum) = kept.get_mut(&2).unwrap();
        bytes[77] ^= 1;
        *sum ^= 1;
        *source.chunks.kept.borrow_mut() = kept;
        let error = block_on(source.read(0, LEN)).unwrap_err().to_string();
        assert!(error.contains("file: it changed since a part of it was kept"), "{error}");
    }

    #[test]
    fn out_of_reach_it_reads_what_is_kept_and_tells_of_damage() {
        let (near, far) = (source(true), source(false));
        block_on(near.fill(&|_, _| {})).unwrap();
        *far.chunks.kept.borrow_mut() = near.chunks.kept.take();
        assert!(block_on(far.read(10, LEN - 10)).unwrap() == file()[10..]);
        far.chunks.kept.borrow_mut().get_mut(&5).unwrap().0[0] ^= 1;
        let error = block_on(far.read(0, LEN)).unwrap_err().to_string();
        assert!(error.contains("file: a part that this browser kept is damaged"), "{error}");
    }

    #[test]
    fn where_nothing_can_be_kept_it_reads_what_is_asked_for() {
        let source = source(true);
        source.chunks.is_full.set(true);
        assert!(block_on(source.read(5, 10)).unwrap() == file()[5..15]);
        assert_eq!(source.traffic(), Traffic { fetched: 10, ..Traffic::default() });
        block_on(source.fill(&|_, _| {})).unwrap();
        assert!(source.chunks.kept.borrow().is_empty());
    }

    #[test]
    fn filling_tells_what_is_kept_and_asks_for_what_is_missing_alone() {
        let source = source(true);
        block_on(source.read(CHUNK as u64, 2 * CHUNK)).unwrap();
        let told = RefCell::new(Vec::new());
        block_on(source.fill(&|at, total| told.borrow_mut().push((at / CHUNK as u64, total)))).unwrap();
        assert_eq!(told.take(), [(0, LEN as u64), (3, LEN as u64)]);
        assert_eq!(source.traffic().fetched, LEN as u64);
    }

    #[test]
    fn a_read_past_the_end_is_an_error() {
        assert!(block_on(source(true).read(LEN as u64 - 1, 2)).is_err());
        assert!(block_on(source(true).read(u64::MAX, 1)).is_err());
    }
}
