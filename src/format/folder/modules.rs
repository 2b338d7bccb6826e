//! What sentence-transformers puts around a model: `modules.json` and a folder for each module.

use serde_json::Value as Json;

use super::{CONFIG, Folder, Reader, missing};
use crate::{
    error::{Error, Result},
    format::{json, place::is_inside},
};

pub(super) const MODULES: &str = "modules.json";
/// More modules than anybody chains.
const MOST_MODULES: usize = 16;

/// A Dense module: `activation(W x + b)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// Its directory, such as `2_Dense`. Its tensors are `PATH/linear.weight`, `[out_features, in_features]`, and with a
    /// bias `PATH/linear.bias`, `[out_features]`.
    pub path: String,
    /// Its `config.json`: `in_features`, `out_features`, `bias`, `activation_function` (a Python path, such as
    /// `torch.nn.modules.activation.Tanh`).
    pub config: Json,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Transformer,
    Pooling,
    Dense,
    Normalize,
}

/// The modules of a folder, none where it has no `modules.json`.
pub(super) struct Modules {
    json: Json,
    list: Vec<(Kind, String)>,
}

/// Reads `modules.json`, if it is there.
///
/// # Errors
/// [`Error::Unsupported`] for a module of another type, [`Error::Format`] where the file is no list of modules.
pub(super) async fn read(reader: &Reader<'_>) -> Result<Modules> {
    let json = reader.json(&[MODULES.to_string()]).await?.remove(0);
    let file = reader.place.address(MODULES);
    let entries = match &json {
        Json::Null => &[],
        Json::Array(entries) if entries.len() <= MOST_MODULES => entries.as_slice(),
        Json::Array(entries) => {
            let problem = format!("{} modules, but at most {MOST_MODULES} are read", entries.len());
            return Err(Error::format(file, "modules", 0, problem));
        }
        _ => return Err(Error::format(file, "JSON", 0, "it is not an array")),
    };
    let list = entries.iter().enumerate().map(|(i, entry)| module(&file, i, entry));
    let list = list.collect::<Result<_>>()?;
    Ok(Modules { json, list })
}

fn module(file: &str, i: usize, entry: &Json) -> Result<(Kind, String)> {
    let text = |key: &str| {
        entry[key].as_str().ok_or_else(|| Error::format(file, format!("[{i}].{key}"), 0, "a text is missing"))
    };
    let (name, path) = (text("type")?, text("path")?);
    // A Python path. Versions of the library moved the classes about, but keep their names.
    let class = name.strip_prefix("sentence_transformers.").and_then(|path| path.rsplit('.').next());
    let kind = match class {
        Some("Transformer") => Kind::Transformer,
        Some("Pooling") => Kind::Pooling,
        Some("Dense") => Kind::Dense,
        Some("Normalize") => Kind::Normalize,
        _ => {
            let hint = format!("{file} lists it; Transformer, Pooling, Dense and Normalize are run");
            return Err(Error::unsupported("sentence-transformers module", json::shortened(name), hint));
        }
    };
    let path = path.trim_end_matches('/');
    // The model itself may lie at the top, and what has no files may lie nowhere.
    let may_be_empty = matches!(kind, Kind::Transformer | Kind::Normalize);
    if !(is_inside(path) || path.is_empty() && may_be_empty) {
        let problem = format!("{:?} is not a directory in this folder", json::shortened(path));
        return Err(Error::format(file, format!("[{i}].path"), 0, problem));
    }
    Ok((kind, path.to_string()))
}

impl Modules {
    fn paths(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.list.iter().filter(move |(of, _)| *of == kind).map(|(_, path)| path.as_str())
    }

    /// What the paths of the model's own files begin with: nothing, or in old folders `0_Transformer/`.
    pub fn transformer_base(&self) -> String {
        match self.paths(Kind::Transformer).next() {
            None | Some("") => String::new(),
            Some(path) => format!("{path}/"),
        }
    }

    /// Fills in what modules have to say.
    pub async fn read_configs(self, reader: &Reader<'_>, folder: &mut Folder) -> Result<()> {
        if self.json.is_null() {
            return Ok(());
        }
        let pooling = self.paths(Kind::Pooling).next();
        let dense: Vec<&str> = self.paths(Kind::Dense).collect();
        let mut files = vec![
            format!("{}sentence_bert_config.json", self.transformer_base()),
            "config_sentence_transformers.json".into(),
        ];
        files.extend(pooling.iter().chain(&dense).map(|path| format!("{path}/{CONFIG}")));
        let mut configs = reader.json(&files).await?;
        let of_modules = configs.split_off(2);
        if let Some(at) = of_modules.iter().position(Json::is_null) {
            return Err(missing(reader.place, &files[2 + at], &format!("{MODULES} lists its module")));
        }
        let mut of_modules = of_modules.into_iter();
        if pooling.is_some() {
            folder.pooling = of_modules.next().unwrap_or_default();
        }
        let dense = dense.into_iter().zip(of_modules);
        folder.dense = dense.map(|(path, config)| Dense { path: path.to_string(), config }).collect();
        folder.sentence_transformers_config = configs.pop().unwrap_or_default();
        folder.sentence_bert_config = configs.pop().unwrap_or_default();
        folder.modules = self.json;
        Ok(())
    }
}
