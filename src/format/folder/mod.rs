//! Reads a Hugging Face folder: `config.json` and its neighbours, and weights in safetensors files.

mod adapter;
mod modules;
mod weights;

use std::{collections::BTreeMap, rc::Rc};

use serde_json::{Map, Value as Json};

pub use self::{adapter::open_adapter_folder, modules::Dense};

pub(super) use self::weights::EXTENSION as WEIGHTS_EXTENSION;
use self::weights::{INDEX, Weights};
use super::{
    Checkpoint, FileSet, LocalFuture, Place, Source,
    adapter::no_model,
    join, json,
    metadata::{Metadata, Value},
};
use crate::error::{Error, Result};

pub(super) const CONFIG: &str = "config.json";
const GENERATION_CONFIG: &str = "generation_config.json";
const TOKENIZER: &str = "tokenizer.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const SPECIAL_TOKENS: &str = "special_tokens_map.json";
const TEMPLATE: &str = "chat_template.jinja";
/// What makes a folder an adapter.
pub(super) const ADAPTER: &str = "adapter_config.json";

/// The largest are lists of added tokens, of some megabytes.
const LONGEST_JSON: u64 = 16 << 20;
/// The largest known hold 260,000 tokens in some 35 MB.
const LONGEST_TOKENIZER: u64 = 128 << 20;
const LONGEST_TEMPLATE: u64 = 1 << 20;

/// The JSON files of a Hugging Face folder. A file that is not there is null.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    /// `config.json`, an object.
    pub config: Json,
    /// `generation_config.json`.
    pub generation_config: Json,
    /// `tokenizer.json`, verbatim.
    pub tokenizer: Option<Vec<u8>>,
    /// `tokenizer_config.json`.
    pub tokenizer_config: Json,
    /// `special_tokens_map.json`.
    pub special_tokens_map: Json,
    /// `chat_template.jinja`, else `chat_template` of `tokenizer_config.json`: its text, or of several the one named
    /// `default`.
    pub chat_template: Option<String>,
    /// sentence-transformers' `modules.json`: an array of objects with `type` and `path`, in the order in which they run.
    pub modules: Json,
    /// The `config.json` of the Pooling module.
    pub pooling: Json,
    /// The Dense modules, in the order in which they run.
    pub dense: Vec<Dense>,
    /// sentence-transformers' `sentence_bert_config.json`: `max_seq_length`, `do_lower_case`.
    pub sentence_bert_config: Json,
    /// `config_sentence_transformers.json`: `prompts`, `default_prompt_name`, `similarity_fn_name`.
    pub sentence_transformers_config: Json,
}

/// The place of an adapter among chosen files, `None` where they have no folder of one.
///
/// # Errors
/// [`Error::Input`] where there are several.
pub(super) fn adapter_among(files: &[(String, Rc<dyn Source>)]) -> Result<Option<FileSet>> {
    FileSet::new(files.to_vec(), &[ADAPTER, CONFIG])
}

/// Whether the file of this name stands for the folder that it lies in.
pub(super) fn stands_for_folder(file_name: &str) -> bool {
    [CONFIG, ADAPTER, INDEX].contains(&file_name) || holds_weights(file_name)
}

/// Whether a file of this name holds weights.
pub(super) fn holds_weights(file_name: &str) -> bool {
    file_name.ends_with(WEIGHTS_EXTENSION)
}

/// The place of the folder among chosen files, `None` where there is no folder among them.
///
/// # Errors
/// [`Error::Input`] where there are several.
pub(super) fn among(files: &[(String, Rc<dyn Source>)]) -> Result<Option<FileSet>> {
    FileSet::new(files.to_vec(), &[modules::MODULES, CONFIG, ADAPTER])
}

/// Reads the folder at `place`. Its weights are `model.safetensors`, else the files that `model.safetensors.index.json`
/// lists; `named` is the file of the folder that the caller pointed at, which comes before both if it holds weights.
///
/// The checkpoint's tensors keep their names in the files; those of a Dense module are `PATH/NAME`.
///
/// # Errors
/// [`Error::Source`] for a needed file that is not there; [`Error::Format`] for one that is damaged, lies about its
/// size, or contradicts another; [`Error::Unsupported`] for an adapter, weights in another format, and a module of
/// sentence-transformers that this crate does not know.
pub async fn open_folder(place: &dyn Place, named: Option<&str>) -> Result<Checkpoint> {
    let reader = Reader { place };
    let modules = modules::read(&reader).await?;
    let base = modules.transformer_base();
    let mut folder = reader.model_files(&base).await?;
    modules.read_configs(&reader, &mut folder).await?;

    let mut weights = Weights::default();
    weights.read_model(place, &base, named).await?;
    for Dense { path, .. } in &folder.dense {
        weights.read_dense(place, path).await?;
    }
    let Weights { sources, tensors, foreign } = weights;
    let metadata = Metadata {
        file: place.address(""),
        values: BTreeMap::from([("general.name".to_string(), Value::String(place.title()))]),
        offsets: BTreeMap::new(),
    };
    Ok(Checkpoint { metadata, tensors, foreign, sources, folder: Some(folder) })
}

/// The message for a file that must be there.
fn missing(place: &dyn Place, path: &str, why: &str) -> Error {
    Error::Source { source_name: place.address(path), problem: format!("there is no such file: {why}") }
}

/// Reads the small files of a place.
struct Reader<'a> {
    place: &'a dyn Place,
}

impl Reader<'_> {
    /// Several files at a time, each with the most bytes that it may have.
    async fn texts(&self, files: &[(String, u64)]) -> Result<Vec<Option<Vec<u8>>>> {
        let reads = files.iter().map(|(path, longest)| -> LocalFuture<'_, Result<Option<Vec<u8>>>> {
            Box::pin(async move {
                match self.place.open(path).await? {
                    Some(source) => json::whole(source.as_ref(), *longest).await.map(Some),
                    None => Ok(None),
                }
            })
        });
        join::all(reads.collect()).await
    }

    /// Several JSON files at a time; null for those that are not there.
    async fn json(&self, paths: &[String]) -> Result<Vec<Json>> {
        let files: Vec<_> = paths.iter().map(|path| (path.clone(), LONGEST_JSON)).collect();
        let texts = self.texts(&files).await?;
        paths.iter().zip(texts).map(|(path, text)| self.parse(path, text.as_deref())).collect()
    }

    fn parse(&self, path: &str, text: Option<&[u8]>) -> Result<Json> {
        text.map_or(Ok(Json::Null), |text| json::parse(&self.place.address(path), text))
    }

    /// The model's own files, whose paths begin with `base`.
    async fn model_files(&self, base: &str) -> Result<Folder> {
        let files = [
            (CONFIG, LONGEST_JSON),
            (GENERATION_CONFIG, LONGEST_JSON),
            (TOKENIZER, LONGEST_TOKENIZER),
            (TOKENIZER_CONFIG, LONGEST_JSON),
            (SPECIAL_TOKENS, LONGEST_JSON),
            (TEMPLATE, LONGEST_TEMPLATE),
        ];
        let files = files.map(|(name, longest)| (format!("{base}{name}"), longest));
        let texts = self.texts(&files).await?;
        // As many texts come back as there are files.
        let [config, generation, tokenizer, tokenizer_config, special_tokens, template] =
            <[_; 6]>::try_from(texts).expect("six files");
        if config.is_none() {
            return Err(self.without_config(base).await);
        }
        let object = |name: &str, text: Option<Vec<u8>>| {
            let path = format!("{base}{name}");
            match self.parse(&path, text.as_deref())? {
                value @ (Json::Null | Json::Object(_)) => Ok(value),
                _ => Err(Error::format(self.place.address(&path), "JSON", 0, "it is not an object")),
            }
        };
        let tokenizer_config = object(TOKENIZER_CONFIG, tokenizer_config)?;
        let config = match object(CONFIG, config)? {
            Json::Null => Json::Object(Map::new()),
            config => config,
        };
        Ok(Folder {
            config,
            generation_config: object(GENERATION_CONFIG, generation)?,
            tokenizer,
            chat_template: self.template(base, template, &tokenizer_config)?,
            tokenizer_config,
            special_tokens_map: object(SPECIAL_TOKENS, special_tokens)?,
            ..Folder::default()
        })
    }

    /// Why there may be no `config.json`.
    async fn without_config(&self, base: &str) -> Error {
        match self.place.has(ADAPTER).await {
            Err(error) => error,
            Ok(true) => no_model("folder of an adapter", &self.place.address("")),
            Ok(false) => {
                let why = "a Hugging Face folder needs it, and a GGUF file has to be named itself";
                missing(self.place, &format!("{base}{CONFIG}"), why)
            }
        }
    }

    fn template(&self, base: &str, file: Option<Vec<u8>>, config: &Json) -> Result<Option<String>> {
        if let Some(bytes) = file {
            return String::from_utf8(bytes).map(Some).map_err(|error| {
                let at = error.utf8_error().valid_up_to() as u64;
                let file = self.place.address(&format!("{base}{TEMPLATE}"));
                Error::format(file, "text", at, "it is not valid UTF-8")
            });
        }
        Ok(match &config["chat_template"] {
            Json::String(text) => Some(text.clone()),
            Json::Array(list) => {
                let default = list.iter().find(|entry| entry["name"] == "default");
                default.and_then(|entry| entry["template"].as_str()).map(str::to_owned)
            }
            _ => None,
        })
    }
}
