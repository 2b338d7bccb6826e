//! Small safetensors files and folders for the tests.

use std::rc::Rc;

use intab::{
    Error,
    format::{self, Checkpoint, MemorySource, Source},
};

/// What a test calls the file.
pub const FILE: &str = "model.safetensors";

/// A file with this header, followed by `n_data` bytes that count from 0.
pub fn with_header(header: &str, n_data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend((0..n_data).map(|i| i as u8));
    bytes
}

/// An entry of a header.
pub fn entry(name: &str, dtype: &str, shape: &[u64], offsets: [u64; 2]) -> String {
    format!("{name:?}:{{\"dtype\":{dtype:?},\"shape\":{shape:?},\"data_offsets\":{offsets:?}}}")
}

/// A file of these entries, in a header as the reference implementation writes it: padded to eight bytes.
pub fn of(entries: &[String], n_data: usize) -> Vec<u8> {
    let mut header = format!("{{{}}}", entries.join(","));
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    with_header(&header, n_data)
}

/// A tensor of each type that is read, a buffer of ids, and metadata.
pub fn small() -> Vec<u8> {
    let entries = [
        "\"__metadata__\":{\"format\":\"pt\"}".to_string(),
        entry("embeddings.position_ids", "I64", &[1, 3], [0, 24]),
        entry("w", "F32", &[2, 3], [24, 48]),
        entry("h", "F16", &[5], [48, 58]),
        entry("b", "BF16", &[1, 2, 1], [58, 62]),
        entry("scalar", "F32", &[], [62, 66]),
    ];
    of(&entries, 66)
}

/// Files with their paths.
pub fn files(files: &[(&str, &[u8])]) -> Vec<(String, Rc<dyn Source>)> {
    let file = |(path, bytes): &(&str, &[u8])| {
        let source = Rc::new(MemorySource::new(*path, bytes.to_vec())) as Rc<dyn Source>;
        (path.to_string(), source)
    };
    files.iter().map(file).collect()
}

/// Opens files that were chosen together.
pub fn open_folder(these: &[(&str, &[u8])]) -> Result<Checkpoint, Error> {
    pollster::block_on(format::open_files(files(these)))
}

/// Opens `weights` beside an empty configuration.
pub fn open(weights: &[u8]) -> Result<Checkpoint, Error> {
    open_folder(&[("config.json", b"{}"), (FILE, weights)])
}

/// Says which file has which tensor.
pub const INDEX: &str = "model.safetensors.index.json";

/// `n` files of one tensor each, `t0`, `t1`…, and their index.
pub fn shards(n: usize) -> Vec<(String, Vec<u8>)> {
    let name = |i: usize| format!("model-{:05}-of-{n:05}.safetensors", i + 1);
    let map: serde_json::Map<_, _> = (0..n).map(|i| (format!("t{i}"), name(i).into())).collect();
    let index = serde_json::json!({ "metadata": { "total_size": 4 * n }, "weight_map": map })
        .to_string()
        .into_bytes();
    let shard = |i| (name(i), of(&[entry(&format!("t{i}"), "F32", &[1], [0, 4])], 4));
    (0..n)
        .map(shard)
        .chain([(INDEX.to_string(), index), ("config.json".to_string(), b"{}".to_vec())])
        .collect()
}
