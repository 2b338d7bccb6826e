//! Adapters as the worker names them: by number, with a weight.

use std::rc::Rc;

use serde::Deserialize;
use wasm_bindgen::JsValue;

use super::{convert, source::Files};
use crate::{
    error::{Error, Result},
    format::AdapterFiles,
    run::{AdapterId, AdapterOptions, AdapterUse, Engine, Progress},
};

/// `{id, weight}`.
#[derive(Deserialize)]
pub struct Use {
    id: u32,
    weight: f32,
}

/// Which adapters, out of a list; none where it is undefined.
pub fn uses(list: JsValue) -> Result<Vec<AdapterUse>> {
    Ok(named(convert::arguments(list)?))
}

/// The same out of what was read already.
pub fn named(list: Vec<Use>) -> Vec<AdapterUse> {
    list.into_iter().map(|Use { id, weight }| AdapterUse { adapter: AdapterId::of(id), weight }).collect()
}

/// Loads one; gives an `AdapterInfo` and its number as `id`.
pub async fn load(
    engine: &mut Engine,
    files: &Files,
    mut adapter: AdapterFiles,
    name: Option<String>,
    options: AdapterOptions,
) -> Result<JsValue> {
    if let Some(name) = name {
        adapter.title = name;
    }
    let id = engine.load_adapter(&adapter, &options).await?;
    if let Err(error) = files.finish(&|_, _| ()).await {
        engine.unload_adapter(id)?;
        return Err(error);
    }
    let facts = engine.adapter_facts(id)?;
    let mut object = serde_json::to_value(&facts).unwrap_or_default();
    object["id"] = id.number().into();
    convert::to_js(&object).map_err(|error| Error::input("adapter", format!("it cannot be told: {error:?}")))
}

/// What an abort and a progress callback are to a load.
pub fn options(signal: web_sys::AbortSignal, tell: Rc<dyn Fn(Progress)>) -> AdapterOptions {
    AdapterOptions { progress: Some(tell), aborted: Some(Rc::new(move || signal.aborted())) }
}
