//! Hugging Face folders on disk: directories, the files in them, and the reference folders.

#[path = "safetensors/inputs.rs"]
#[allow(dead_code)]
mod inputs;

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use inputs::{INDEX, entry, of, shards, small};
use intab::{
    Error,
    format::{self, Checkpoint},
};

/// A directory that goes when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, files: &[(&str, &[u8])]) -> Scratch {
        let path = std::env::temp_dir().join(format!("intab-{name}-{}", std::process::id()));
        for (file, bytes) in files {
            let file = path.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, bytes).unwrap();
        }
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open_path(path: impl AsRef<Path>) -> Result<Checkpoint, Error> {
    pollster::block_on(format::open_path(path))
}

#[test]
fn a_directory_and_the_files_in_it_name_the_folder() {
    let (weights, other) = (small(), of(&[entry("other", "F32", &[1], [0, 4])], 4));
    let scratch = Scratch::new(
        "folder",
        &[("m/config.json", b"{}"), ("m/model.safetensors", &weights), ("m/model.fp32.safetensors", &other)],
    );
    for path in ["m", "m/", "m/config.json", "m/model.safetensors"] {
        let checkpoint = open_path(scratch.0.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(checkpoint.tensors.len(), 4, "{path}");
        assert_eq!(checkpoint.metadata.str("general.name"), Ok("m"), "{path}");
    }
    let checkpoint = open_path(scratch.0.join("m/model.fp32.safetensors")).unwrap();
    assert_eq!(checkpoint.tensors.keys().collect::<Vec<_>>(), ["other"]);

    let Err(Error::Source { source_name, .. }) = open_path(scratch.0.join("m/none.safetensors")).map(|_| ())
    else {
        panic!("accepted")
    };
    assert!(source_name.ends_with("none.safetensors"), "{source_name}");
    let error = open_path(&scratch.0).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("config.json: there is no such file"), "{error}");
}

#[test]
fn one_file_of_several_stands_for_all() {
    let parts = shards(2);
    let all: Vec<(&str, &[u8])> =
        parts.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let scratch = Scratch::new("shards", &all);
    for name in ["model-00002-of-00002.safetensors", INDEX, "config.json"] {
        assert_eq!(open_path(scratch.0.join(name)).unwrap().tensors.len(), 2, "{name}");
    }
}

#[test]
fn the_reference_folders_open_with_all_their_tensors() {
    let Some(fixtures) = common::shared("fixtures") else { return };
    let mut seen = 0;
    for entry in fs::read_dir(fixtures).unwrap() {
        let path = entry.unwrap().path();
        if !path.join("config.json").exists() {
            continue;
        }
        let checkpoint = open_path(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let folder = checkpoint.folder.as_ref().unwrap();
        assert!(folder.config["model_type"].is_string(), "{}", path.display());
        assert!(folder.tokenizer.as_ref().is_some_and(|json| json.starts_with(b"{")), "{}", path.display());
        assert!(checkpoint.foreign.is_empty() && checkpoint.tensors.len() > 20, "{}", path.display());
        // Every number of the model, as a float32 should be.
        for (name, tensor) in &checkpoint.tensors {
            let bytes = pollster::block_on(checkpoint.read(tensor, 0, tensor.n_bytes as usize)).unwrap();
            let numbers = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
            assert!(numbers.clone().all(f32::is_finite) && numbers.len() > 0, "{} {name}", path.display());
        }
        seen += 1;
    }
    assert_eq!(seen, 12, "folders of reference models");
}

#[test]
fn the_reference_adapters_are_refused_as_such() {
    let Some(adapters) = common::shared("fixtures/adapters") else { return };
    for entry in fs::read_dir(adapters).unwrap() {
        let error = open_path(entry.unwrap().path()).map(|_| ()).unwrap_err();
        assert!(matches!(&error, Error::Unsupported { what: "folder of an adapter", .. }), "{error}");
    }
}
