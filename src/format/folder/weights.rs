//! The weights of a folder: one safetensors file, or several and an index of which tensor is where.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use serde::Deserialize;

use super::missing;
use crate::{
    error::{Error, Result},
    format::{Place, Source, TensorInfo, json, place::is_inside, safetensors},
};

pub(in crate::format) const EXTENSION: &str = ".safetensors";
const SINGLE: &str = "model.safetensors";
pub(in crate::format) const INDEX: &str = "model.safetensors.index.json";
/// The largest known lists 90,000 tensors in 9 MB.
const LONGEST_INDEX: u64 = 32 << 20;
/// The largest known models come in some 200 files.
const MOST_SHARDS: usize = 1024;

/// Weights in formats that are not read, by the names that tools give them.
const OTHER_FORMATS: &[&str] = &[
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "tf_model.h5",
    "flax_model.msgpack",
    "model.ckpt.index",
];

/// `model.safetensors.index.json`.
#[derive(Deserialize)]
struct Index {
    /// Which file has which tensor.
    weight_map: BTreeMap<String, String>,
}

/// All tensors of a folder and the files that hold them.
#[derive(Default)]
pub(super) struct Weights {
    pub sources: Vec<Rc<dyn Source>>,
    pub tensors: BTreeMap<String, TensorInfo>,
    pub foreign: BTreeMap<String, String>,
}

impl Weights {
    /// Reads the model's weights; see [`super::open_folder`] for `named`.
    pub async fn read_model(&mut self, place: &dyn Place, base: &str, named: Option<&str>) -> Result<()> {
        let named = named.filter(|name| name.ends_with(EXTENSION) && !is_shard(name));
        let file = format!("{base}{}", named.unwrap_or(SINGLE));
        if let Some(source) = place.open(&file).await? {
            return self.add(source, "").await;
        }
        if named.is_some() {
            return Err(missing(place, &file, "it was to hold the weights"));
        }
        let index = format!("{base}{INDEX}");
        match place.open(&index).await? {
            Some(source) => self.read_shards(place, base, source.as_ref()).await,
            None => Err(without_weights(place, base, &file).await),
        }
    }

    /// Reads the weights of a Dense module, whose tensors get the module's path in front of their names.
    pub async fn read_dense(&mut self, place: &dyn Place, path: &str) -> Result<()> {
        let base = format!("{path}/");
        let file = format!("{base}{SINGLE}");
        match place.open(&file).await? {
            Some(source) => self.add(source, &base).await,
            None => Err(without_weights(place, &base, &file).await),
        }
    }

    /// Takes in the tensors of one file, with `prefix` before their names.
    pub async fn add(&mut self, source: Rc<dyn Source>, prefix: &str) -> Result<()> {
        let part = safetensors::read(source.as_ref(), self.sources.len()).await?;
        let twice = |name: &str| {
            let problem = "another file of the model has this tensor too";
            Error::format(source.name(), name, 0, problem)
        };
        for (name, info) in part.tensors {
            let name = format!("{prefix}{name}");
            if self.has(&name) {
                return Err(twice(&name));
            }
            self.tensors.insert(name, info);
        }
        for (name, dtype) in part.foreign {
            let name = format!("{prefix}{name}");
            if self.has(&name) {
                return Err(twice(&name));
            }
            self.foreign.insert(name, dtype);
        }
        self.sources.push(source);
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name) || self.foreign.contains_key(name)
    }

    /// Reads all files that the index lists.
    async fn read_shards(&mut self, place: &dyn Place, base: &str, index: &dyn Source) -> Result<()> {
        let text = json::whole(index, LONGEST_INDEX).await?;
        let index_name = index.name();
        let index: Index = serde_json::from_slice(&text)
            .map_err(|error| json::mistake(index_name, "JSON", 0, &text, &error))?;
        let in_index = |problem: String| Err(Error::format(index_name, "weight_map", 0, problem));
        let files: BTreeSet<&str> = index.weight_map.values().map(String::as_str).collect();
        if files.is_empty() {
            return in_index("it lists no file".into());
        }
        if files.len() > MOST_SHARDS {
            return in_index(format!("{} files, but at most {MOST_SHARDS} are read", files.len()));
        }
        if let Some(file) = files.iter().find(|file| !is_inside(file)) {
            return in_index(format!("{:?} is not a file in this folder", json::shortened(file)));
        }
        let mut numbers = BTreeMap::new();
        for file in files {
            let path = format!("{base}{file}");
            let Some(source) = place.open(&path).await? else {
                return Err(missing(place, &path, &format!("{INDEX} lists it")));
            };
            numbers.insert(file, self.sources.len());
            self.add(source, "").await?;
        }
        for (name, file) in &index.weight_map {
            let found = self.tensors.get(name).map(|info| info.source);
            let is_there = found.is_some_and(|source| source == numbers[file.as_str()]);
            if !is_there && !self.foreign.contains_key(name) {
                let problem = format!("{index_name} says that the tensor is in this file, but it is not");
                let file = place.address(&format!("{base}{file}"));
                return Err(Error::format(file, json::shortened(name), 0, problem));
            }
        }
        Ok(())
    }
}

/// Whether a name is one of several, `model-00001-of-00003.safetensors`: then the index tells all of them.
fn is_shard(name: &str) -> bool {
    let number = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    let stem = name.strip_suffix(EXTENSION).unwrap_or(name);
    let of = stem.rsplit_once("-of-").and_then(|(rest, count)| Some((rest.rsplit_once('-')?.1, count)));
    of.is_some_and(|(which, count)| number(which) && number(count))
}

/// Why there may be no weights.
async fn without_weights(place: &dyn Place, base: &str, file: &str) -> Error {
    for name in OTHER_FORMATS {
        match place.has(&format!("{base}{name}")).await {
            Err(error) => return error,
            Ok(false) => {}
            Ok(true) => {
                let hint = "only safetensors are read: convert it, in Python with `model.save_pretrained(folder)` of transformers";
                return Error::unsupported("weights file", place.address(&format!("{base}{name}")), hint);
            }
        }
    }
    missing(place, file, &format!("nor is there a {INDEX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_one_of_several_is_known_by_its_name() {
        assert!(is_shard("model-00001-of-00003.safetensors"));
        assert!(is_shard("x-00002-of-00003.safetensors"));
        for name in [
            "model.safetensors",
            "model-1-of-3.safetensors",
            "-of-.safetensors",
            "00001-of-00003.safetensors",
        ] {
            assert!(!is_shard(name), "{name}");
        }
    }
}
