//! The files behind what the page names as a model.

use std::rc::Rc;

use js_sys::{Array, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{AbortSignal, Blob};

use super::convert;
use crate::{
    error::{Error, Result},
    format::{
        self, AdapterFiles, Address, BlobSource, BufferSource, Checkpoint, HttpFolder, HttpSource, Source,
        open_adapter_files, open_adapter_folder, open_files, open_folder,
    },
};

/// Reads the headers of a model from a `WireSource` (`www/lib/types.js`): an address, bytes, a `Blob`, or files with
/// their paths. `progress(loaded, total)` is told of files that have to be downloaded whole.
pub async fn open(
    source: &JsValue,
    signal: &AbortSignal,
    progress: Rc<dyn Fn(u64, u64)>,
) -> Result<Checkpoint> {
    if let Some(address) = source.as_string() {
        return open_address(&address, signal, progress).await;
    }
    if let Some(bytes) = convert::bytes(source) {
        return format::open(vec![Rc::new(BufferSource::new("the given bytes", bytes))]).await;
    }
    if !Array::is_array(source) {
        return format::open(vec![blob("the given blob", source)?]).await;
    }
    open_files(named_files(source)?).await
}

async fn open_address(
    address: &str,
    signal: &AbortSignal,
    progress: Rc<dyn Fn(u64, u64)>,
) -> Result<Checkpoint> {
    match Address::parse(address)? {
        Address::Folder(address) => {
            let named = address.named.clone();
            let folder = HttpFolder::new(address, Some(signal.clone()), progress);
            open_folder(&folder, named.as_deref()).await
        }
        Address::Files(urls) => {
            let mut sources = Vec::with_capacity(urls.len());
            for url in urls {
                sources.push(HttpSource::open(&url, Some(signal.clone()), progress.clone()).await?);
            }
            format::open(sources).await
        }
    }
}

/// The same for an adapter.
pub async fn open_adapter(
    source: &JsValue,
    signal: &AbortSignal,
    progress: Rc<dyn Fn(u64, u64)>,
) -> Result<AdapterFiles> {
    if let Some(address) = source.as_string() {
        return match Address::parse(&address)? {
            Address::Folder(address) => {
                let named = address.named.clone();
                let folder = HttpFolder::new(address, Some(signal.clone()), progress);
                open_adapter_folder(&folder, named.as_deref()).await
            }
            Address::Files(urls) => match &urls[..] {
                [url] => {
                    let file = HttpSource::open(url, Some(signal.clone()), progress).await?;
                    format::open_adapter(file).await
                }
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
    open_adapter_files(named_files(source)?).await
}

/// Files with their paths.
fn named_files(source: &JsValue) -> Result<Vec<(String, Rc<dyn Source>)>> {
    let named = |entry: JsValue| {
        let field = |name: &str| Reflect::get(&entry, &name.into()).unwrap_or_default();
        let path = field("path").as_string().ok_or_else(unknown)?;
        let file = blob(&path, &field("file"))?;
        Ok((path, file))
    };
    Array::from(source).iter().map(named).collect()
}

fn blob(name: &str, value: &JsValue) -> Result<Rc<dyn Source>> {
    let blob: Blob = value.dyn_ref::<Blob>().cloned().ok_or_else(unknown)?;
    Ok(Rc::new(BlobSource::new(name, blob)))
}

fn unknown() -> Error {
    Error::input("source", "it is not an address, a Blob, files with their paths, or bytes")
}
