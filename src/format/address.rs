//! What a written address names: a file, the parts of a split file, or a folder.

use super::{folder::stands_for_folder, hub, split};
use crate::error::Result;

/// Where a model lies behind URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// One GGUF file, or all parts of a split one in order.
    Files(Vec<String>),
    /// A Hugging Face folder.
    Folder(FolderAddress),
}

/// A folder behind a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderAddress {
    /// Up to the slash that files' names follow.
    base: String,
    /// What follows every file's name: a query and a fragment, or nothing.
    tail: String,
    /// A short name for the model.
    pub title: String,
    /// The file of the folder that was named.
    pub named: Option<String>,
}

impl Address {
    /// Reads a URL. One that ends in a slash, in `.safetensors`, in `config.json` (an adapter's too) or in the name of an index of weights
    /// means the folder; `hf:owner/name` and the address of a page of the Hugging Face hub are looked up there.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) for an `hf:` address that is not complete.
    pub fn parse(text: &str) -> Result<Address> {
        let found = hub::resolve(text)?;
        let url = found.as_ref().map_or(text, |hub| &hub.url);
        let path_end = url.find(['?', '#']).unwrap_or(url.len());
        let (path, tail) = url.split_at(path_end);
        let (base, file) = path.rsplit_once('/').unwrap_or(("", path));
        if !file.is_empty() && !stands_for_folder(file) {
            return Ok(Address::Files(split::siblings(url).unwrap_or_else(|| vec![url.to_string()])));
        }
        let last = || base.rsplit('/').find(|part| !part.is_empty()).unwrap_or(base).to_string();
        Ok(Address::Folder(FolderAddress {
            base: format!("{base}/"),
            tail: tail.to_string(),
            title: found.as_ref().map_or_else(last, |hub| hub.name.clone()),
            named: Some(file.to_string()).filter(|file| !file.is_empty()),
        }))
    }
}

impl FolderAddress {
    /// The URL of the file at `path`.
    pub fn file(&self, path: &str) -> String {
        let FolderAddress { base, tail, .. } = self;
        format!("{base}{path}{tail}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(text: &str) -> FolderAddress {
        match Address::parse(text) {
            Ok(Address::Folder(folder)) => folder,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn files(text: &str) -> Vec<String> {
        match Address::parse(text) {
            Ok(Address::Files(files)) => files,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_slash_at_the_end_means_a_folder() {
        let address = folder("https://x.example/models/bert/");
        assert_eq!((address.title.as_str(), address.named.as_deref()), ("bert", None));
        assert_eq!(
            address.file("1_Pooling/config.json"),
            "https://x.example/models/bert/1_Pooling/config.json"
        );
    }

    #[test]
    fn a_file_of_a_folder_stands_for_it() {
        for file in
            ["config.json", "model.safetensors", "model.fp16.safetensors", "model.safetensors.index.json"]
        {
            let address = folder(&format!("https://x.example/bert/{file}"));
            assert_eq!(address.file("config.json"), "https://x.example/bert/config.json");
            assert_eq!(address.named.as_deref(), Some(file));
        }
    }

    #[test]
    fn a_query_stays_with_every_file() {
        let address = folder("https://x.example/bert/?key=a/b#top");
        assert_eq!(address.file("config.json"), "https://x.example/bert/config.json?key=a/b#top");
        assert_eq!(files("https://x.example/m.gguf?x=/"), ["https://x.example/m.gguf?x=/"]);
    }

    #[test]
    fn other_addresses_name_files() {
        assert_eq!(files("https://x.example/m.gguf"), ["https://x.example/m.gguf"]);
        assert_eq!(files("blob:https://x.example/1234"), ["blob:https://x.example/1234"]);
        let parts = files("https://x.example/m-00001-of-00002.gguf");
        assert_eq!(parts[1], "https://x.example/m-00002-of-00002.gguf");
    }

    #[test]
    fn the_hub_is_asked_for_the_revision_that_is_named() {
        let address = folder("hf:owner/name@v1.0");
        assert_eq!(address.file("config.json"), "https://huggingface.co/owner/name/resolve/v1.0/config.json");
        assert_eq!(address.title, "name");
        let parts = files("hf:owner/name/q/m-00001-of-00002.gguf");
        assert_eq!(parts[1], "https://huggingface.co/owner/name/resolve/main/q/m-00002-of-00002.gguf");
    }
}
