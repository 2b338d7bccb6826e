//! A folder behind a URL.

use std::rc::Rc;

use super::Web;
use crate::{
    error::Result,
    format::{FolderAddress, LocalFuture, Place, Source, folder::holds_weights},
};

/// A folder whose files are fetched by name.
pub struct HttpFolder<'a> {
    address: FolderAddress,
    web: &'a Web,
}

impl<'a> HttpFolder<'a> {
    /// The folder at an address, whose files `web` opens.
    pub fn new(address: FolderAddress, web: &'a Web) -> Self {
        HttpFolder { address, web }
    }
}

impl Place for HttpFolder<'_> {
    fn title(&self) -> String {
        self.address.title.clone()
    }

    fn address(&self, path: &str) -> String {
        self.address.file(path)
    }

    fn open<'a>(&'a self, path: &'a str) -> LocalFuture<'a, Result<Option<Rc<dyn Source>>>> {
        Box::pin(async move {
            let url = self.address.file(path);
            self.web.open_if_there(&url, holds_weights(path)).await
        })
    }

    fn has<'a>(&'a self, path: &'a str) -> LocalFuture<'a, Result<bool>> {
        Box::pin(async move {
            if !self.web.may_ask() {
                return Ok(false);
            }
            let url = self.address.file(path);
            let head = self.web.request(&url).head().await?;
            // Whoever does not answer this kind of request does not say that the file is there.
            Ok((200..300).contains(&head.status) && !head.is_absent())
        })
    }
}
