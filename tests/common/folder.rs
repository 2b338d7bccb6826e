//! Hugging Face folders in memory: those under tests/data/models with their JSON and their tensors changed.

use std::rc::Rc;

use intab::{
    Error,
    format::{self, MemorySource, Source},
    run::{Engine, LoadOptions, Prefer, load},
};
use pollster::block_on;
use serde_json::{Map, Value as Json, json};

/// A folder's files while a test changes them.
pub struct Folder {
    pub config: Json,
    /// The safetensors header: what each tensor is and where.
    pub tensors: Map<String, Json>,
    /// What comes after it.
    pub data: Vec<u8>,
    /// Further files.
    pub files: Vec<(String, Vec<u8>)>,
    /// What the reference gives.
    pub expected: Json,
}

impl Folder {
    pub fn of(name: &str) -> Folder {
        Folder::at(&format!("tests/data/models/{name}"))
    }

    /// Any folder in the repository.
    pub fn at(path: &str) -> Folder {
        let read = |file: &str| std::fs::read(super::repo(&format!("{path}/{file}")));
        let parse = |file: &str| read(file).map_or(Json::Null, |json| serde_json::from_slice(&json).unwrap());
        let weights = read("model.safetensors").unwrap();
        let len = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
        let mut tensors: Map<String, Json> = serde_json::from_slice(&weights[8..8 + len]).unwrap();
        tensors.remove("__metadata__");
        let (config, expected) = (parse("config.json"), parse("expected.json"));
        Folder { config, tensors, data: weights[8 + len..].to_vec(), files: Vec::new(), expected }
    }

    /// Gives every tensor another name.
    pub fn rename(&mut self, rename: impl Fn(&str) -> String) {
        self.tensors =
            std::mem::take(&mut self.tensors).into_iter().map(|(name, info)| (rename(&name), info)).collect();
    }

    /// Adds a tensor of f32 zeros.
    pub fn add_zeros(&mut self, name: &str, shape: &[usize]) {
        let numbers = vec![0.0; shape.iter().product()];
        self.add(name, shape, &numbers);
    }

    /// Adds a tensor.
    pub fn add(&mut self, name: &str, shape: &[usize], numbers: &[f32]) {
        let start = self.data.len();
        self.data.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
        let info = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, self.data.len()] });
        self.tensors.insert(name.into(), info);
    }

    /// Gives a tensor another type, and zeros of that type.
    pub fn retype(&mut self, name: &str, dtype: &str, bits: usize) {
        let mut data = Vec::new();
        for other in self.tensors.keys().cloned().collect::<Vec<_>>() {
            let bytes = match other == name {
                true => vec![0; self.numbers(name) * bits / 8],
                false => self.bytes(&other).to_vec(),
            };
            let start = data.len();
            data.extend(bytes);
            // No byte may be between two tensors.
            self.tensors[&other]["data_offsets"] = json!([start, data.len()]);
        }
        self.data = data;
        self.tensors[name]["dtype"] = dtype.into();
    }

    /// How many numbers a tensor has.
    fn numbers(&self, name: &str) -> usize {
        self.tensors[name]["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).product()
    }

    /// The bytes of a tensor.
    pub fn bytes(&self, name: &str) -> &[u8] {
        let offsets = &self.tensors[name]["data_offsets"];
        &self.data[offsets[0].as_u64().unwrap() as usize..offsets[1].as_u64().unwrap() as usize]
    }

    pub fn load(&self) -> Result<Engine, Error> {
        self.load_with(&LoadOptions { prefer: Prefer::Cpu, ..LoadOptions::default() })
    }

    pub fn load_with(&self, options: &LoadOptions) -> Result<Engine, Error> {
        let header = serde_json::to_vec(&self.tensors).unwrap();
        let weights = [&(header.len() as u64).to_le_bytes()[..], &header, &self.data].concat();
        let mut files = self.files.clone();
        files.push(("m/config.json".into(), serde_json::to_vec(&self.config).unwrap()));
        files.push(("m/model.safetensors".into(), weights));
        let source = |(path, bytes): (String, Vec<u8>)| {
            let source: Rc<dyn Source> = Rc::new(MemorySource::new(path.clone(), bytes));
            (path, source)
        };
        let checkpoint = block_on(format::open_files(files.into_iter().map(source).collect()))?;
        block_on(load(&checkpoint, options))
    }

    /// Why it is not loaded.
    pub fn refusal(&self) -> String {
        match self.load() {
            Ok(_) => panic!("it was loaded"),
            Err(error) => error.to_string(),
        }
    }

    /// A whole safetensors file of one f32 tensor after the other.
    pub fn file(tensors: &[(&str, &[usize], &[f32])]) -> Vec<u8> {
        let mut folder = Folder {
            config: Json::Null,
            tensors: Map::new(),
            data: Vec::new(),
            files: Vec::new(),
            expected: Json::Null,
        };
        tensors.iter().for_each(|(name, shape, numbers)| folder.add(name, shape, numbers));
        let header = serde_json::to_vec(&folder.tensors).unwrap();
        [&(header.len() as u64).to_le_bytes()[..], &header, &folder.data].concat()
    }
}
