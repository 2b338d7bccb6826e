//! Models in several files, on disk, and behind sources that answer slowly or short.

#[path = "gguf/inputs.rs"]
#[allow(dead_code)]
mod inputs;

use std::{cell::Cell, fs, path::Path, rc::Rc};

use inputs::{patched, small, source, split};
use intab::{
    Error,
    format::{self, Checkpoint, FileSource, LocalFuture, Source, gguf_writer::GgufWriter, metadata::Value},
    quant::DType,
};

/// A file of zeros behind a header, which counts what is asked of it.
struct Counted {
    header: Vec<u8>,
    len: u64,
    requests: Cell<u64>,
    bytes: Cell<u64>,
    /// Answers with one byte less.
    short: bool,
}

impl Source for Counted {
    fn name(&self) -> &str {
        "counted.gguf"
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>, Error>> {
        assert!(offset + len as u64 <= self.len);
        self.requests.update(|n| n + 1);
        self.bytes.update(|n| n + len as u64);
        let mut bytes = self.header[(offset as usize).min(self.header.len())..].to_vec();
        bytes.resize(len - usize::from(self.short), 0);
        Box::pin(std::future::ready(Ok(bytes)))
    }
}

/// A model with a vocabulary of 100,000 tokens and a gigabyte of weights.
fn large(short: bool) -> Rc<Counted> {
    let mut writer = GgufWriter::new();
    let tokens = (0..100_000).map(|i| format!("token{i}")).collect();
    writer.put("tokenizer.ggml.tokens", &Value::Strings(tokens)).unwrap();
    writer.tensor("w", DType::F32, &[1 << 14, 1 << 14]).unwrap();
    let mut header = Vec::new();
    writer.start(&mut header).unwrap();
    let len = header.len() as u64 + (4 << 28);
    Rc::new(Counted { header, len, requests: Cell::new(0), bytes: Cell::new(0), short })
}

#[test]
fn a_large_header_takes_few_requests_and_no_weights() {
    let file = large(false);
    let checkpoint = pollster::block_on(format::open(vec![file.clone()])).unwrap();
    let tokens = checkpoint.metadata.opt_strings("tokenizer.ggml.tokens").unwrap().unwrap();
    assert_eq!((tokens.len(), &tokens[99_999]), (100_000, "token99999"));
    assert_eq!(checkpoint.tensors["w"].offset, file.header.len() as u64);
    assert!(file.requests.get() <= 4, "{} requests", file.requests.get());
    assert!(file.bytes.get() <= 2 * file.header.len() as u64, "{} bytes", file.bytes.get());
}

#[test]
fn a_source_that_gives_less_than_asked_is_an_error() {
    let error = pollster::block_on(format::open(vec![large(true)])).map(|_| ()).unwrap_err();
    assert!(matches!(&error, Error::Source { source_name, .. } if source_name == "counted.gguf"), "{error}");
}

fn open_path(path: impl AsRef<Path>) -> Result<Checkpoint, Error> {
    pollster::block_on(format::open_path(path))
}

fn open_parts(parts: &[(String, Vec<u8>)]) -> Result<Checkpoint, Error> {
    let sources = parts.iter().map(|(name, bytes)| source(name, bytes.clone())).collect();
    pollster::block_on(format::open(sources))
}

#[test]
fn a_split_model_loads_as_one_whatever_the_order() {
    let mut parts = split(3);
    parts.rotate_left(1);
    let checkpoint = open_parts(&parts).unwrap();
    assert_eq!(checkpoint.tensors.len(), 3);
    assert_eq!(checkpoint.metadata.str("general.name"), Ok("split"));
    for i in 0..3 {
        let tensor = &checkpoint.tensors[&format!("t{i}")];
        assert_eq!(checkpoint.sources[tensor.source].name(), format!("m-{:05}-of-00003.gguf", i + 1));
        assert_eq!(pollster::block_on(checkpoint.read(tensor, 0, 4)).unwrap(), (i as f32).to_le_bytes());
    }
}

#[test]
fn a_split_model_that_is_not_whole_says_what_is_wrong() {
    let problem = |parts: &[(String, Vec<u8>)]| match open_parts(parts).map(|_| ()).unwrap_err() {
        Error::Format { field, offset, problem, .. } => {
            assert!(offset > 0 && field.starts_with("split."), "{field} at {offset}");
            format!("{field}: {problem}")
        }
        other => panic!("expected a format error, got: {other}"),
    };
    let parts = split(3);
    assert_eq!(
        problem(&parts[..2]),
        "split.count: the model has 3 parts, but 2 were given: m-00003-of-00003.gguf is missing"
    );
    assert_eq!(
        problem(&parts[1..2]),
        "split.count: the model has 3 parts, but 1 was given: m-00001-of-00003.gguf and 1 more are missing"
    );
    let twice = [parts[0].clone(), parts[1].clone(), ("copy.gguf".to_string(), parts[1].1.clone())];
    assert_eq!(problem(&twice), "split.no: part 2 is there twice: m-00002-of-00003.gguf and copy.gguf");
    let other = [parts[0].clone(), parts[1].clone(), split(2)[1].clone()];
    assert!(problem(&other).starts_with("split.count: the model has 2 parts, but 3 were given"));
    let stranger = [parts[0].clone(), parts[1].clone(), ("small.gguf".to_string(), small())];
    let error = open_parts(&stranger).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("not a part of a split model"), "{error}");
}

#[test]
fn a_split_model_with_other_tensors_than_promised_is_refused() {
    let mut parts = split(2);
    let at = parts[0].1.windows(19).position(|w| w == b"split.tensors.count").unwrap() + 19 + 4;
    parts[0].1 = patched(parts[0].1.clone(), at, &5i32.to_le_bytes());
    let error = open_parts(&parts).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("5 tensors promised, but the parts hold 2"), "{error}");
}

#[test]
fn a_tensor_in_two_parts_is_refused() {
    let mut parts = split(2);
    let at = parts[1].1.windows(2).rposition(|w| w == b"t1").unwrap();
    parts[1].1 = patched(parts[1].1.clone(), at, b"t0");
    let error = open_parts(&parts).map(|_| ()).unwrap_err();
    assert!(matches!(&error, Error::Format { field, .. } if field == "t0"), "{error}");
}

#[test]
fn a_path_to_any_part_finds_the_others() {
    let folder = std::env::temp_dir().join(format!("intab-split-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in split(3) {
        fs::write(folder.join(name), bytes).unwrap();
    }
    assert_eq!(open_path(folder.join("m-00002-of-00003.gguf")).unwrap().tensors.len(), 3);
    fs::remove_file(folder.join("m-00003-of-00003.gguf")).unwrap();
    let error = open_path(folder.join("m-00001-of-00003.gguf")).map(|_| ()).unwrap_err();
    fs::remove_dir_all(&folder).unwrap();
    assert!(
        matches!(&error, Error::Source { source_name, .. } if source_name.contains("m-00003")),
        "{error}"
    );
}

#[test]
fn a_native_file_is_read_by_ranges_and_says_when_it_shrank() {
    let path = std::env::temp_dir().join(format!("intab-file-{}.bin", std::process::id()));
    fs::write(&path, (0..100u8).collect::<Vec<_>>()).unwrap();
    let file = FileSource::open(&path).unwrap();
    assert_eq!(pollster::block_on(file.read(97, 3)).unwrap(), [97, 98, 99]);
    assert!(matches!(pollster::block_on(file.read(97, 4)), Err(Error::Source { .. })));
    assert!(matches!(pollster::block_on(file.read(u64::MAX, 4)), Err(Error::Source { .. })));
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(50).unwrap();
    let error = pollster::block_on(file.read(40, 20)).unwrap_err();
    fs::remove_file(&path).unwrap();
    assert!(error.to_string().contains("became shorter"), "{error}");
    assert!(matches!(FileSource::open(&path), Err(Error::Source { .. })));
    assert!(matches!(FileSource::open(std::env::temp_dir()), Err(Error::Source { .. })));
}
