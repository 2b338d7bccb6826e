//! The folder of an adapter, as PEFT saves it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{ADAPTER, CONFIG, Reader, missing, weights::Weights};
use crate::{
    error::{Error, Result},
    format::{AdapterFiles, Checkpoint, Place, adapter::no_adapter, metadata::Metadata},
};

const WEIGHTS: &str = "adapter_model.safetensors";
/// The same in the format of old versions.
const OLD_WEIGHTS: &str = "adapter_model.bin";

/// Reads the adapter at `place`: `adapter_config.json`, and `adapter_model.safetensors` or the safetensors file that the caller
/// `named`.
///
/// # Errors
/// [`Error::Source`] for a file that is not there, [`Error::Format`] for one that is damaged, [`Error::Unsupported`] for weights
/// in another format and for the folder of a whole model.
pub async fn open_adapter_folder(place: &dyn Place, named: Option<&str>) -> Result<AdapterFiles> {
    let reader = Reader { place };
    let config = match reader.json(&[ADAPTER.to_string()]).await?.remove(0) {
        config @ Json::Object(_) => config,
        Json::Null if place.has(CONFIG).await? => return Err(no_adapter(&place.address(""))),
        Json::Null => return Err(missing(place, ADAPTER, "it says what the adapter is")),
        _ => return Err(Error::format(place.address(ADAPTER), "JSON", 0, "it is not an object")),
    };
    let file = named.filter(|name| *name != ADAPTER).unwrap_or(WEIGHTS);
    let Some(source) = place.open(file).await? else {
        if place.has(OLD_WEIGHTS).await? {
            let hint = "only safetensors are read: save the adapter again with a newer version of PEFT";
            return Err(Error::unsupported("weights file", place.address(OLD_WEIGHTS), hint));
        }
        return Err(missing(place, file, "it holds the adapter's weights"));
    };
    let mut weights = Weights::default();
    let metadata =
        Metadata { file: source.name().to_owned(), values: BTreeMap::new(), offsets: BTreeMap::new() };
    weights.add(source, "").await?;
    let Weights { sources, tensors, foreign } = weights;
    let checkpoint = Checkpoint { metadata, tensors, foreign, sources, folder: None };
    Ok(AdapterFiles { config: Some(config), title: place.title(), checkpoint })
}
