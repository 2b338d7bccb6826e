//! A folder behind a URL.

use std::rc::Rc;

use web_sys::AbortSignal;

use super::{HttpSource, fetch::Request};
use crate::{
    error::Result,
    format::{FolderAddress, LocalFuture, Place, Source, folder::holds_weights},
};

/// A folder whose files are fetched by name.
pub struct HttpFolder {
    address: FolderAddress,
    signal: Option<AbortSignal>,
    progress: Rc<dyn Fn(u64, u64)>,
}

impl HttpFolder {
    /// See [`HttpSource::open`] for `signal` and `progress`, which is told of files with weights alone.
    pub fn new(address: FolderAddress, signal: Option<AbortSignal>, progress: Rc<dyn Fn(u64, u64)>) -> Self {
        HttpFolder { address, signal, progress }
    }
}

impl Place for HttpFolder {
    fn title(&self) -> String {
        self.address.title.clone()
    }

    fn address(&self, path: &str) -> String {
        self.address.file(path)
    }

    fn open<'a>(&'a self, path: &'a str) -> LocalFuture<'a, Result<Option<Rc<dyn Source>>>> {
        Box::pin(async move {
            let url = self.address.file(path);
            let progress = if holds_weights(path) { self.progress.clone() } else { Rc::new(|_, _| {}) };
            HttpSource::open_if_there(&url, self.signal.clone(), progress).await
        })
    }

    fn has<'a>(&'a self, path: &'a str) -> LocalFuture<'a, Result<bool>> {
        Box::pin(async move {
            let url = self.address.file(path);
            let head = Request { name: &url, signal: self.signal.as_ref() }.head().await?;
            // Whoever does not answer this kind of request does not say that the file is there.
            Ok((200..300).contains(&head.status) && !head.is_absent())
        })
    }
}
