//! The files behind what the page names as a model.

use std::rc::Rc;

use js_sys::{Array, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{AbortSignal, Blob};

use super::convert;
use crate::{
    error::{Error, Result},
    format::{
        self, AdapterFiles, Address, BlobSource, BufferSource, Checkpoint, HttpFolder, Keeper, Source, Web,
        integrity::{Checks, Expected},
        open_adapter_files, open_adapter_folder, open_files, open_folder,
    },
};

/// The files of one load, and what has to be done with them at its end.
pub struct Files {
    web: Web,
    checks: Rc<Checks>,
}

impl Files {
    /// `keeper` is a `Keeper` (`www/lib/storage/keeper.js`). `progress(loaded, total)` is told of files that have to be
    /// downloaded whole. Hashes are compared with what is `expected`.
    pub fn new(
        keeper: Keeper,
        expected: Option<Expected>,
        signal: &AbortSignal,
        progress: Rc<dyn Fn(u64, u64)>,
    ) -> Self {
        let checks = Rc::new(Checks::new(expected));
        Files { web: Web::new(keeper, checks.clone(), Some(signal.clone()), progress), checks }
    }

    /// Reads the headers of a model from a `WireSource` (`www/lib/types.js`): an address, bytes, a `Blob`, or files with
    /// their paths.
    pub async fn open(&self, source: &JsValue) -> Result<Checkpoint> {
        if let Some(address) = source.as_string() {
            return self.open_address(&address).await;
        }
        if let Some(bytes) = convert::bytes(source) {
            let source = self.checked(Rc::new(BufferSource::new("the given bytes", bytes)), true);
            return format::open(vec![source]).await;
        }
        if !Array::is_array(source) {
            return format::open(vec![self.checked(blob("the given blob", source)?, true)]).await;
        }
        open_files(self.named(source)?).await
    }

    async fn open_address(&self, address: &str) -> Result<Checkpoint> {
        match Address::parse(address)? {
            Address::Folder(address) => {
                let named = address.named.clone();
                open_folder(&HttpFolder::new(address, &self.web), named.as_deref()).await
            }
            Address::Files(urls) => {
                let mut sources = Vec::with_capacity(urls.len());
                for url in urls {
                    sources.push(self.web.open(&url).await?);
                }
                format::open(sources).await
            }
        }
    }

    /// Reads an adapter from a `WireSource`.
    pub async fn open_adapter(&self, source: &JsValue) -> Result<AdapterFiles> {
        if let Some(address) = source.as_string() {
            return match Address::parse(&address)? {
                Address::Folder(address) => {
                    let named = address.named.clone();
                    open_adapter_folder(&HttpFolder::new(address, &self.web), named.as_deref()).await
                }
                Address::Files(urls) => match &urls[..] {
                    [url] => format::open_adapter(self.web.open(url).await?).await,
                    _ => Err(Error::input("source", "an adapter is in one file, not in several parts")),
                },
            };
        }
        if let Some(bytes) = convert::bytes(source) {
            return format::open_adapter(Rc::new(BufferSource::new("the given bytes", bytes))).await;
        }
        if !Array::is_array(source) {
            return format::open_adapter(blob("the given blob", source)?).await;
        }
        open_adapter_files(self.named(source)?).await
    }

    /// See [`Web::finish`].
    pub async fn finish(&self, progress: &dyn Fn(u64, u64)) -> Result<()> {
        self.web.finish(progress).await
    }

    /// Files with their paths.
    fn named(&self, source: &JsValue) -> Result<Vec<(String, Rc<dyn Source>)>> {
        let named = |entry: JsValue| {
            let field = |name: &str| Reflect::get(&entry, &name.into()).unwrap_or_default();
            let path = field("path").as_string().ok_or_else(unknown)?;
            let is_weights = path.ends_with(".gguf") || path.ends_with(".safetensors");
            let file = self.checked(blob(&path, &field("file"))?, is_weights);
            Ok((path, file))
        };
        Array::from(source).iter().map(named).collect()
    }

    fn checked(&self, source: Rc<dyn Source>, holds_weights: bool) -> Rc<dyn Source> {
        match self.checks.expect(source.name(), holds_weights) {
            Some(sha) => self.checks.watch(source, sha),
            None => source,
        }
    }
}

fn blob(name: &str, value: &JsValue) -> Result<Rc<dyn Source>> {
    let blob: Blob = value.dyn_ref::<Blob>().cloned().ok_or_else(unknown)?;
    Ok(Rc::new(BlobSource::new(name, blob)))
}

fn unknown() -> Error {
    Error::input("source", "it is not an address, a Blob, files with their paths, or bytes")
}
