//! The safetensors reader on files that are right, wrong, cut and lying.

#[path = "safetensors/inputs.rs"]
#[allow(dead_code)]
mod inputs;

use std::{cell::Cell, rc::Rc};

use inputs::{FILE, entry, of, open, small, with_header};
use intab::{
    Error,
    format::{self, LocalFuture, MemorySource, Source},
    quant::DType,
};

fn format_error(bytes: &[u8]) -> (String, u64, String) {
    match open(bytes).map(|_| ()) {
        Err(Error::Format { file, field, offset, problem }) => {
            assert_eq!(file, FILE);
            (field, offset, problem)
        }
        other => panic!("expected a format error, got: {other:?}"),
    }
}

/// The error for a file of one entry, whose place is told.
fn entry_error(entry: &str, n_data: usize) -> (String, String) {
    let (field, offset, problem) = format_error(&of(&[entry.to_string()], n_data));
    assert_eq!(offset as usize, 8 + 1 + entry.find(":{").unwrap() + 1, "{field}: {problem}");
    (field, problem)
}

#[test]
fn tensors_come_back_with_type_shape_and_bytes() {
    let checkpoint = open(&small()).unwrap();
    let found: Vec<_> =
        checkpoint.tensors.iter().map(|(name, t)| (name.as_str(), t.dtype, t.shape.as_slice())).collect();
    assert_eq!(
        found,
        [
            ("b", DType::BF16, [1, 2, 1].as_slice()),
            ("h", DType::F16, &[5]),
            ("scalar", DType::F32, &[]),
            ("w", DType::F32, &[2, 3]),
        ]
    );
    let w = &checkpoint.tensors["w"];
    let bytes = pollster::block_on(checkpoint.read(w, 4, 8)).unwrap();
    assert_eq!(bytes, (28..36).collect::<Vec<u8>>());
}

#[test]
fn a_tensor_of_another_type_is_an_error_only_when_it_is_used() {
    let checkpoint = open(&small()).unwrap();
    assert_eq!(checkpoint.foreign["embeddings.position_ids"], "I64");
    let error = checkpoint.tensor("embeddings.position_ids").unwrap_err();
    let Error::Unsupported { what, found, hint } = &error else { panic!("{error}") };
    assert_eq!((*what, found.as_str()), ("tensor type", "I64"));
    assert!(hint.contains("embeddings.position_ids"), "{hint}");
    assert_eq!(checkpoint.tensor("w").unwrap().map(|w| w.n_bytes), Some(24));
    assert_eq!(checkpoint.tensor("nothing"), Ok(None));
}

#[test]
fn every_type_of_the_format_is_known_by_its_size() {
    let sizes = [
        ("F64", 64),
        ("C64", 64),
        ("I64", 64),
        ("U64", 64),
        ("I32", 32),
        ("U32", 32),
        ("I16", 16),
        ("U16", 16),
        ("I8", 8),
        ("U8", 8),
        ("BOOL", 8),
        ("F8_E4M3", 8),
        ("F8_E5M2", 8),
        ("F8_E8M0", 8),
        ("F6_E2M3", 6),
        ("F6_E3M2", 6),
        ("F4", 4),
    ];
    for (dtype, bits) in sizes {
        let n_bytes = 4 * bits / 8;
        let right = of(&[entry("x", dtype, &[2, 2], [0, n_bytes])], n_bytes as usize);
        assert_eq!(open(&right).unwrap().foreign["x"], dtype);
        let (field, problem) =
            entry_error(&entry("x", dtype, &[2, 2], [0, n_bytes + 1]), n_bytes as usize + 1);
        assert_eq!(field, "x.data_offsets");
        assert!(
            problem.contains(&format!("takes {n_bytes} bytes, but {} are set aside", n_bytes + 1)),
            "{problem}"
        );
    }
    let (field, problem) = entry_error(&entry("x", "F4", &[3], [0, 2]), 2);
    assert!(field == "x.shape" && problem.contains("no whole bytes"), "{field}: {problem}");
    // One that does not exist yet.
    assert_eq!(open(&of(&[entry("x", "F3", &[8], [0, 3])], 3)).unwrap().foreign["x"], "F3");
}

#[test]
fn a_tensor_without_elements_loads_and_cannot_be_used() {
    let entries = [entry("empty", "F32", &[0, 64], [0, 0]), entry("w", "F32", &[1], [0, 4])];
    let checkpoint = open(&of(&entries, 4)).unwrap();
    assert_eq!(checkpoint.tensors["w"].n_bytes, 4);
    assert!(checkpoint.tensor("empty").unwrap_err().to_string().contains("F32 without elements"));
    let (field, _) = entry_error(&entry("empty", "F32", &[0], [0, 4]), 4);
    assert_eq!(field, "empty.data_offsets");
}

#[test]
fn names_may_have_escapes_and_entries_more_than_is_read() {
    let header = r#"{"a\u002fb":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":[{"x":null}]}}"#;
    assert!(open(&with_header(header, 4)).unwrap().tensors.contains_key("a/b"));
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let whole = small();
    for length in 0..whole.len() {
        let error = open(&whole[..length]).map(|_| ()).unwrap_err();
        assert!(matches!(&error, Error::Format { file, .. } if file == FILE), "cut at {length}: {error}");
    }
}

#[test]
fn truncated_data_names_the_tensor() {
    let whole = small();
    let (field, _, problem) = format_error(&whole[..whole.len() - 7]);
    assert_eq!(field, "b.data_offsets");
    assert!(problem.contains("has only 59 of them") && problem.contains("get it again"), "{problem}");
}

#[test]
fn a_lying_header_length_is_found_before_memory_is_taken() {
    for length in [200u64, 100_000_001, 1 << 32, 1 << 63, u64::MAX] {
        let mut bytes = small();
        bytes.truncate(100);
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        let (field, offset, problem) = format_error(&bytes);
        assert_eq!((field.as_str(), offset), ("header_length", 0));
        assert!(problem.contains(&format!("{length} bytes, but the file ends after 92 more")), "{problem}");
    }
}

/// A file of any length that begins as told; the rest reads as spaces.
struct Endless {
    start: Vec<u8>,
    len: u64,
    most: Rc<Cell<usize>>,
}

impl Source for Endless {
    fn name(&self) -> &str {
        FILE
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>, Error>> {
        self.most.set(self.most.get().max(len));
        let mut bytes = self.start[(offset as usize).min(self.start.len())..].to_vec();
        bytes.resize(len, b' ');
        Box::pin(std::future::ready(Ok(bytes)))
    }
}

fn open_endless(length: u64, header: &str) -> (Result<(), Error>, usize) {
    let most = Rc::new(Cell::new(0));
    let start = [&length.to_le_bytes(), header.as_bytes()].concat();
    let weights = Rc::new(Endless { start, len: 1 << 40, most: most.clone() });
    let config = Rc::new(MemorySource::new("config.json", b"{}".to_vec()));
    let files: Vec<(String, Rc<dyn Source>)> = vec![("config.json".into(), config), (FILE.into(), weights)];
    (pollster::block_on(format::open_files(files)).map(|_| ()), most.get())
}

#[test]
fn a_header_has_the_reference_implementation_s_limit() {
    let (result, most) = open_endless(100_000_001, "{}");
    assert!(result.unwrap_err().to_string().contains("at most 100000000 are allowed"));
    assert!(most <= 256 << 10, "{most} bytes were read");
}

#[test]
fn a_header_longer_than_the_first_read_is_read_whole() {
    let entries: Vec<_> =
        (0..10_000u64).map(|i| entry(&format!("t{i}"), "F16", &[1], [2 * i, 2 * i + 2])).collect();
    let file = of(&entries, 20_000);
    assert!(file.len() > 600 << 10);
    let checkpoint = open(&file).unwrap();
    assert_eq!(checkpoint.tensors.len(), 10_000);
    assert_eq!(pollster::block_on(checkpoint.read(&checkpoint.tensors["t9999"], 0, 2)).unwrap(), [30, 31]);
}

#[test]
fn other_kinds_of_files_are_told_by_name() {
    let problem = |bytes: &[u8]| format_error(bytes).2;
    assert!(problem(b"<!DOCTYPE html><html></html>").contains("looks like an HTML page"));
    assert!(problem(b"version https://git-lfs.github.com/spec/v1\n").contains("Git LFS pointer"));
    assert!(problem(b"PK\x03\x04 and so on").contains("zip archive"));
    assert!(problem(b"GGUF\x03\0\0\0\0\0\0\0").contains("GGUF file"));
    assert!(problem(b"").contains("truncated"));
    let (field, offset, problem) = format_error(&with_header("[]", 0));
    assert_eq!((field.as_str(), offset), ("header", 8));
    assert!(problem.contains("does not begin with `{`"), "{problem}");
}

#[test]
fn text_that_is_no_header_is_told_with_its_place() {
    let (field, offset, problem) = format_error(&with_header("{\"a\":oops}", 0));
    assert_eq!((field.as_str(), offset, problem.as_str()), ("header", 8 + 5, "expected value"));
    let (field, offset, problem) = format_error(&with_header("{} {}", 0));
    assert_eq!((field.as_str(), offset), ("header", 8 + 3));
    assert!(problem.contains("trailing characters"), "{problem}");
    let mut bytes = with_header("{\"?\":1}", 0);
    bytes[10] = 0xff;
    let (field, offset, problem) = format_error(&bytes);
    assert_eq!((field.as_str(), offset), ("header", 10));
    assert!(problem.contains("UTF-8"), "{problem}");
}

#[test]
fn an_entry_of_another_form_names_the_tensor_and_the_byte() {
    for entry in [
        "\"w\":{}",
        "\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}",
        "\"w\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}",
    ] {
        let (field, offset, problem) = format_error(&of(&[entry.to_string()], 4));
        assert!(field == "w" && offset >= 13, "{field} at {offset}: {problem}");
    }
    // Deep, and long enough for a stack to overflow.
    let deep = format!("\"w\":{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    let (field, _, problem) = format_error(&of(&[deep], 0));
    assert_eq!(field, "w");
    assert!(problem.len() < 400, "{problem}");
}

#[test]
fn sizes_and_offsets_that_do_not_agree_are_refused() {
    let (field, problem) = entry_error(&entry("w", "F32", &[2, 3], [0, 20]), 20);
    assert_eq!(
        (field.as_str(), problem.as_str()),
        ("w.data_offsets", "F32 [2, 3] takes 24 bytes, but 20 are set aside for it")
    );
    let (field, problem) = entry_error(&entry("w", "F32", &[1], [8, 4]), 8);
    assert_eq!((field.as_str(), problem.as_str()), ("w.data_offsets", "it ends at 4, before it begins at 8"));
    for end in [5, 1 << 40, u64::MAX] {
        let (field, problem) = entry_error(&entry("w", "F32", &[1], [0, end]), 4);
        assert!(field == "w.data_offsets" && problem.contains("truncated or damaged"), "{field}: {problem}");
    }
    for shape in [&[u64::MAX, 2][..], &[1 << 32, 1 << 32], &[1 << 62]] {
        let (field, problem) = entry_error(&entry("w", "F32", shape, [0, 4]), 4);
        assert!(field == "w.shape" && problem.contains("too many elements"), "{field}: {problem}");
    }
    let (field, problem) = entry_error(&entry("w", "F32", &[1; 17], [0, 4]), 4);
    assert!(field == "w.shape" && problem.contains("17 sizes"), "{field}: {problem}");
}

#[test]
fn tensors_that_overlap_and_bytes_of_no_tensor_are_refused() {
    let two = |first, second, n_data| {
        let entries = [entry("a", "F32", &[2], first), entry("b", "F32", &[2], second)];
        let (field, _, problem) = format_error(&of(&entries, n_data));
        format!("{field}: {problem}")
    };
    assert_eq!(two([0, 8], [4, 12], 12), "b.data_offsets: its data overlap those of a");
    assert_eq!(two([0, 8], [0, 8], 8), "b.data_offsets: its data overlap those of a");
    assert_eq!(two([0, 8], [12, 20], 20), "b.data_offsets: 4 bytes before its data belong to no tensor");
    assert_eq!(two([12, 20], [4, 12], 20), "b.data_offsets: 4 bytes before its data belong to no tensor");
    assert_eq!(two([0, 8], [8, 16], 19), "data: 3 bytes behind the last tensor belong to none");
}

#[test]
fn a_name_comes_once_and_is_a_name() {
    let twice = [entry("w", "F32", &[1], [0, 4]), entry("w", "I32", &[1], [4, 8])];
    let (field, _, problem) = format_error(&of(&twice, 8));
    assert_eq!((field.as_str(), problem.as_str()), ("w", "the name appears twice"));
    for name in [String::new(), "n".repeat(5000)] {
        let (field, _, problem) = format_error(&of(&[entry(&name, "F32", &[1], [0, 4])], 4));
        assert_eq!(field, "header");
        assert!(problem.contains("from 1 to 1024 are allowed"), "{problem}");
    }
}
