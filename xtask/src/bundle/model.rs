//! The files of a model that go into a page.

use std::collections::BTreeSet;
use std::fs::File as Open;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// One of them.
pub struct File {
    /// As the page is to name it.
    pub name: String,
    pub path: PathBuf,
    pub len: u64,
}

/// What is read of a Hugging Face folder besides the weights, where it is there.
const FOLDER: [&str; 6] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
];
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Where the metadata of a GGUF file ends at the latest; the largest known have some 20 MB of tokens.
const METADATA: u64 = 64 << 20;

/// The files of the model; an error where it is none or has to be served.
pub fn files(model: &Path) -> Result<Vec<File>> {
    if model.is_dir() {
        return folder(model);
    }
    let name = model.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = file(name, model)?;
    let mut magic = [0; 4];
    let mut open = Open::open(model).with_context(|| format!("reading {}", model.display()))?;
    let is_gguf = open.read_exact(&mut magic).is_ok() && &magic == b"GGUF";
    ensure!(is_gguf, "{} is no GGUF file: give one, or the folder of a Hugging Face model", model.display());
    ensure!(
        !is_part(&file.name),
        "{} is one part of a split model: join the parts first, with llama.cpp's gguf-split --merge",
        model.display()
    );
    Ok(vec![file])
}

fn folder(model: &Path) -> Result<Vec<File>> {
    let mut names: Vec<String> =
        FOLDER.iter().filter(|name| model.join(name).is_file()).map(|name| (*name).to_owned()).collect();
    for needed in ["config.json", "tokenizer.json"] {
        ensure!(names.iter().any(|name| name == needed), "{} lacks {needed}", model.display());
    }
    if model.join(WEIGHTS).is_file() {
        names.push(WEIGHTS.to_owned());
    } else if model.join(INDEX).is_file() {
        names.push(INDEX.to_owned());
        names.extend(shards(&model.join(INDEX))?);
    } else {
        bail!("{} has neither {WEIGHTS} nor {INDEX}", model.display());
    }
    // The page sees a folder with the files, whatever it was called here.
    names.into_iter().map(|name| file(format!("model/{name}"), &model.join(&name))).collect()
}

/// The names of the files with weights that the index lists.
fn shards(index: &Path) -> Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(index).with_context(|| format!("reading {}", index.display()))?;
    let wrong = || format!("{} is no index of weights", index.display());
    let json: serde_json::Value = serde_json::from_str(&text).with_context(wrong)?;
    let map = json["weight_map"].as_object().with_context(wrong)?;
    let names: BTreeSet<String> = map.values().filter_map(|name| name.as_str().map(str::to_owned)).collect();
    let is_inside = |name: &String| !name.contains(['/', '\\']);
    ensure!(names.iter().all(is_inside), "{} names a file outside of its folder", index.display());
    Ok(names)
}

fn file(name: String, path: &Path) -> Result<File> {
    let metadata = std::fs::metadata(path).with_context(|| format!("reading {}", path.display()))?;
    ensure!(metadata.is_file(), "{} is no file", path.display());
    Ok(File { name, path: path.to_owned(), len: metadata.len() })
}

/// Whether the name ends as those of split GGUF files do: `-00001-of-00003.gguf`.
fn is_part(name: &str) -> bool {
    let Some(end) = name.strip_suffix(".gguf").and_then(|stem| stem.rsplit_once("-of-")) else {
        return false;
    };
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number(end.1) && end.0.rsplit_once('-').is_some_and(|(_, part)| is_number(part))
}

/// A title for a page with the model.
pub fn title(model: &Path) -> String {
    let name = if model.is_dir() { model.file_name() } else { model.file_stem() };
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether the model says how a conversation is written.
pub fn has_chat_template(files: &[File]) -> Result<bool> {
    for File { name, path, .. } in files {
        let is_there = match name.rsplit('/').next() {
            Some("chat_template.jinja") => true,
            Some("tokenizer_config.json") => contains(path, b"\"chat_template\"")?,
            Some(name) if name.ends_with(".gguf") => contains(path, &gguf_key("tokenizer.chat_template"))?,
            _ => false,
        };
        if is_there {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A metadata key as it stands in a GGUF file: its length, then its text.
fn gguf_key(name: &str) -> Vec<u8> {
    [&(name.len() as u64).to_le_bytes(), name.as_bytes()].concat()
}

fn contains(path: &Path, sought: &[u8]) -> Result<bool> {
    let mut bytes = Vec::new();
    let open = Open::open(path).with_context(|| format!("reading {}", path.display()))?;
    open.take(METADATA).read_to_end(&mut bytes).with_context(|| format!("reading {}", path.display()))?;
    Ok(bytes.windows(sought.len()).any(|window| window == sought))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_split_model_is_known_by_its_name() {
        assert!(is_part("big-00001-of-00003.gguf"));
        assert!(!is_part("big-of-all.gguf") && !is_part("big-1-of-3.gguf") && !is_part("big.gguf"));
    }

    #[test]
    fn what_is_no_model_is_refused_with_what_would_be_one() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let message =
            |path: PathBuf| files(&path).err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(message(here.join("Cargo.toml")).contains("no GGUF file"));
        assert!(message(here.join("src")).contains("lacks config.json"));
        assert!(message(here.join("nothing.gguf")).contains("reading"));
    }

    #[test]
    fn the_default_model_has_no_chat_template() {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/intab-stories.gguf");
        assert!(!has_chat_template(&files(&model).unwrap()).unwrap());
        assert_eq!(title(&model), "intab-stories");
    }
}
