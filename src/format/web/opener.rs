//! Opens files behind URLs, with what the browser's storage keeps of them.

use std::{cell::RefCell, rc::Rc};

use wasm_bindgen::JsCast;
use web_sys::AbortSignal;

use super::{
    HttpSource, end_within,
    fetch::Request,
    keeper::{Keeper, Kept, KeptChunks},
};
use crate::{
    error::{Error, Result},
    format::{
        LocalFuture, Source, StoredSource, Traffic,
        http_answer::{Access, Version},
        integrity::{self, Checks},
        source::FIRST_READ,
    },
};

/// What to make of a file that the server does not have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Absence {
    /// It is an error.
    Wrong,
    /// It is an answer.
    Fine,
}

/// Opens the files of one load.
pub struct Web {
    signal: Option<AbortSignal>,
    progress: Rc<dyn Fn(u64, u64)>,
    keeper: Keeper,
    checks: Rc<Checks>,
    opened: RefCell<Vec<Rc<StoredSource<KeptChunks>>>>,
}

impl Web {
    /// `progress(loaded, total)` tells of files with weights that a server without ranges makes us download whole, in bytes;
    /// `total` is 0 where it is unknown. `signal` also ends later reads. `checks` are told of every file.
    pub fn new(
        keeper: Keeper,
        checks: Rc<Checks>,
        signal: Option<AbortSignal>,
        progress: Rc<dyn Fn(u64, u64)>,
    ) -> Self {
        Web { signal, progress, keeper, checks, opened: RefCell::default() }
    }

    /// The file at `url`, which has weights.
    ///
    /// # Errors
    /// [`Error::Source`] for a status that is no success, a failed connection or a body shorter than promised;
    /// [`Error::Aborted`].
    pub async fn open(&self, url: &str) -> Result<Rc<dyn Source>> {
        let opened = self.find(url, Absence::Wrong, true).await?;
        // Absence was an error.
        opened.ok_or_else(|| self.not_kept(url, 0, None))
    }

    /// As [`Web::open`], but `None` where the server answers that there is no such file, or nobody can be asked and the
    /// others of the model are kept.
    pub(super) async fn open_if_there(
        &self,
        url: &str,
        holds_weights: bool,
    ) -> Result<Option<Rc<dyn Source>>> {
        self.find(url, Absence::Fine, holds_weights).await
    }

    pub(super) fn request<'a>(&'a self, url: &'a str) -> Request<'a> {
        Request { name: url, signal: self.signal.as_ref() }
    }

    /// Whether the network may be asked.
    pub(super) fn may_ask(&self) -> bool {
        !self.keeper.only()
    }

    async fn find(&self, url: &str, absence: Absence, holds_weights: bool) -> Result<Option<Rc<dyn Source>>> {
        let Some(stored) = self.stored(url, absence, holds_weights).await? else {
            return Ok(None);
        };
        let stored = Rc::new(stored);
        self.opened.borrow_mut().push(stored.clone());
        let kept = &stored.chunks().kept;
        Ok(Some(match self.checks.expect(url, holds_weights) {
            // What is kept was compared before, and each chunk is compared with what it was then.
            Some(sha) if kept.complete() && kept.digest().is_some_and(|old| old == integrity::text(&sha)) => {
                stored
            }
            Some(sha) => self.checks.watch(stored, sha),
            None => stored,
        }))
    }

    async fn stored(
        &self,
        url: &str,
        absence: Absence,
        holds_weights: bool,
    ) -> Result<Option<StoredSource<KeptChunks>>> {
        let request = self.request(url);
        let failed = |error| request.failed(&error, "this browser's storage failed");
        let kept: Kept = self.keeper.open(url).await.map_err(failed)?.unchecked_into();
        let (known, is_whole) = (kept.version(), kept.complete());
        let chunks = KeptChunks { url: url.to_string(), signal: self.signal.clone(), kept };
        let may_miss = async |known: &Option<Version>| {
            let holds = known.is_none() && absence == Absence::Fine;
            Ok::<bool, Error>(holds && self.keeper.holds().await.map_err(failed)?.is_truthy())
        };
        if self.keeper.only() {
            return match known {
                Some(Version { len: Some(len), .. }) if is_whole => self.kept_whole(chunks, len, None).await,
                known if may_miss(&known).await? => Ok(None),
                known => Err(self.not_kept(url, chunks.kept.stored_bytes() as u64, known)),
            };
        }
        let first = if known.is_some() { 1 } else { FIRST_READ as u64 };
        let answer = match request.fetch(Some((0, first))).await {
            Ok(answer) if is_whole && answer.head.is_trouble() => {
                answer.discard();
                None
            }
            Ok(answer) => Some(answer),
            Err(Error::Source { .. }) if is_whole => None,
            Err(Error::Source { .. }) if may_miss(&known).await? => return Ok(None),
            Err(error) => return Err(error),
        };
        let later = |len| Rc::new(LaterSource::new(url, self.signal.clone(), len)) as Rc<dyn Source>;
        let kept_len = known.as_ref().and_then(|known| known.len).unwrap_or(0);
        let Some(answer) = answer else {
            return self.kept_whole(chunks, kept_len, Some(later(kept_len))).await;
        };
        if absence == Absence::Fine && answer.head.is_absent() {
            answer.discard();
            chunks.kept.drop().await.map_err(failed)?;
            return Ok(None);
        }
        let version = answer.head.version();
        let is_same = known.is_some_and(|known| known.is_same(&version));
        let has_ranges = matches!(answer.head.access(), Ok(Access::Ranges { .. }));
        if is_same && is_whole && !has_ranges {
            answer.discard();
            return self.kept_whole(chunks, kept_len, Some(later(kept_len))).await;
        }
        let progress = if holds_weights { self.progress.clone() } else { Rc::new(|_, _| {}) };
        let inner = HttpSource::from_answer(answer, self.signal.clone(), progress).await?;
        let is_same = is_same && inner.len() == kept_len;
        chunks.start(is_same, inner.len(), version).await?;
        Ok(Some(StoredSource::new(url, inner.len(), chunks, Some(inner))))
    }

    /// A file that is kept whole.
    async fn kept_whole(
        &self,
        chunks: KeptChunks,
        len: u64,
        inner: Option<Rc<dyn Source>>,
    ) -> Result<Option<StoredSource<KeptChunks>>> {
        chunks.start(true, len, Version::default()).await?;
        Ok(Some(StoredSource::new(chunks.url.clone(), len, chunks, inner)))
    }

    fn not_kept(&self, url: &str, stored: u64, known: Option<Version>) -> Error {
        let how_much = match known.and_then(|known| known.len) {
            Some(len) => format!("only {stored} of its {len} bytes are in this browser's storage"),
            None => "it is not in this browser's storage".to_string(),
        };
        let problem = format!("{how_much}: load it once without cache \"only\"");
        Error::Source { source_name: url.to_string(), problem }
    }

    /// Ends a load that went well: what it did not need of the files is kept too, as `progress(kept, total)` tells in bytes,
    /// and hashes are compared.
    ///
    /// # Errors
    /// [`Error::Integrity`], [`Error::Aborted`], and [`Error::Source`] where files must be kept or compared and cannot be read.
    pub async fn finish(&self, progress: &dyn Fn(u64, u64)) -> Result<()> {
        let opened = self.opened.take();
        for source in &opened {
            match source.fill(progress).await {
                // The next load fetches the rest.
                Err(Error::Source { .. }) if !self.keeper.required() => {}
                result => result?,
            }
        }
        let checked = self.checks.finish().await?;
        let mut all = Traffic::default();
        for source in &opened {
            if let Some((_, sha)) = checked.iter().find(|(name, _)| name == source.name()) {
                let chunks = source.chunks();
                let set = chunks.kept.set_digest(&integrity::text(sha)).await;
                set.map_err(|error| chunks.failed(&error))?;
            }
            let Traffic { stored, fetched, reading } = source.traffic();
            all.stored += stored;
            all.fetched += fetched;
            all.reading += reading;
        }
        self.keeper.tell(all.stored as f64, all.fetched as f64, all.reading.as_secs_f64() * 1e3);
        Ok(())
    }
}

/// A file that is asked for only when something is read of it.
struct LaterSource {
    url: String,
    signal: Option<AbortSignal>,
    len: u64,
    opened: RefCell<Option<Rc<dyn Source>>>,
}

impl LaterSource {
    fn new(url: &str, signal: Option<AbortSignal>, len: u64) -> Self {
        LaterSource { url: url.to_string(), signal, len, opened: RefCell::default() }
    }

    async fn open(&self) -> Result<Rc<dyn Source>> {
        let opened = self.opened.borrow().clone();
        if let Some(source) = opened {
            return Ok(source);
        }
        let request = Request { name: &self.url, signal: self.signal.as_ref() };
        let answer = request.fetch(Some((0, 1))).await?;
        let source = HttpSource::from_answer(answer, self.signal.clone(), Rc::new(|_, _| {})).await?;
        *self.opened.borrow_mut() = Some(source.clone());
        Ok(source)
    }
}

impl Source for LaterSource {
    fn name(&self) -> &str {
        &self.url
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            let source = self.open().await?;
            end_within(&self.url, source.len(), offset, len)?;
            source.read(offset, len).await
        })
    }
}
