//! The GGUF reader on files that are right, wrong, cut and lying.

#[path = "gguf/inputs.rs"]
#[allow(dead_code)]
mod inputs;

use std::{
    fs,
    path::{Path, PathBuf},
};

use inputs::{FIELDS, every_value, file, open, patched, small};
use intab::{
    Error,
    format::{self, Checkpoint, gguf::ValueType, gguf_writer::GgufWriter, metadata::Value},
    quant::DType,
};

fn error(bytes: Vec<u8>) -> Error {
    match open(bytes) {
        Ok(_) => panic!("the file was accepted"),
        Err(error) => error,
    }
}

fn format_error(bytes: Vec<u8>) -> (String, u64, String) {
    match error(bytes) {
        Error::Format { file, field, offset, problem } => {
            assert_eq!(file, "small.gguf");
            (field, offset, problem)
        }
        other => panic!("expected a format error, got: {other}"),
    }
}

#[test]
fn every_value_type_comes_back_as_it_was_written() {
    let mut writer = GgufWriter::new();
    for (key, kind, value) in every_value() {
        writer.put_as(&key, kind, &value).unwrap();
    }
    let checkpoint = open(writer.start(Vec::new()).unwrap().finish().unwrap()).unwrap();
    assert_eq!(checkpoint.metadata.values.len(), every_value().len());
    for (key, _, value) in every_value() {
        assert_eq!(checkpoint.metadata.get(&key), Some(&value), "{key}");
    }
}

#[test]
fn a_value_written_without_a_type_gets_the_usual_one() {
    let mut writer = GgufWriter::new();
    writer.put("small", &Value::Uint(7)).unwrap().put("large", &Value::Uint(1 << 40)).unwrap();
    let bytes = writer.start(Vec::new()).unwrap().finish().unwrap();
    let type_after = |key: &str| {
        let at = bytes.windows(key.len()).position(|w| w == key.as_bytes()).unwrap() + key.len();
        ValueType::from_id(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()))
    };
    assert_eq!(type_after("small"), Some(ValueType::U32));
    assert_eq!(type_after("large"), Some(ValueType::U64));
}

#[test]
fn tensors_come_back_with_shape_slowest_first_and_their_bytes() {
    let checkpoint = open(small()).unwrap();
    let names: Vec<_> = checkpoint.tensors.keys().map(String::as_str).collect();
    assert_eq!(names, ["blk.0.w", "norm"]);
    let w = &checkpoint.tensors["blk.0.w"];
    assert_eq!((w.dtype, w.shape.as_slice(), w.n_bytes), (DType::Q8_0, [3, 64].as_slice(), 3 * 2 * 34));
    let norm = &checkpoint.tensors["norm"];
    let bytes = pollster::block_on(checkpoint.read(norm, 4, 8)).unwrap();
    assert_eq!(bytes, [2f32.to_le_bytes(), 3f32.to_le_bytes()].concat());
    assert!(norm.offset.is_multiple_of(32) && w.offset.is_multiple_of(32));
}

#[test]
fn another_alignment_is_obeyed() {
    let mut writer = GgufWriter::new();
    writer.put("general.alignment", &Value::Uint(256)).unwrap();
    writer.tensor("a", DType::F32, &[1]).unwrap().tensor("b", DType::F32, &[1]).unwrap();
    let mut data = writer.start(Vec::new()).unwrap();
    data.write(&1f32.to_le_bytes()).unwrap();
    data.write(&2f32.to_le_bytes()).unwrap();
    let checkpoint = open(data.finish().unwrap()).unwrap();
    let (a, b) = (&checkpoint.tensors["a"], &checkpoint.tensors["b"]);
    assert_eq!((a.offset % 256, b.offset), (0, a.offset + 256));
    assert_eq!(pollster::block_on(checkpoint.read(b, 0, 4)).unwrap(), 2f32.to_le_bytes());
}

#[test]
fn version_2_is_read_like_version_3() {
    let bytes = patched(small(), 4, &2u32.to_le_bytes());
    assert_eq!(open(bytes).unwrap().metadata.values, open(small()).unwrap().metadata.values);
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let whole = small();
    // The last tensor is the last thing in the file, up to its padding.
    let end =
        open(whole.clone()).unwrap().tensors.values().map(|t| t.offset + t.n_bytes).max().unwrap() as usize;
    for length in 0..end {
        let problem = error(whole[..length].to_vec());
        assert!(matches!(problem, Error::Format { .. }), "cut at {length}: {problem}");
    }
    assert!(open(whole[..end].to_vec()).is_ok());
}

#[test]
fn a_truncated_header_names_the_field_and_the_byte() {
    let (field, offset, problem) = format_error(small()[..20].to_vec());
    assert_eq!((field.as_str(), offset), ("metadata_kv_count", 16));
    assert!(problem.contains("truncated"), "{problem}");
}

#[test]
fn truncated_data_names_the_tensor() {
    let whole = small();
    let (field, _, problem) = format_error(whole[..whole.len() - 40].to_vec());
    assert_eq!(field, "norm.offset");
    assert!(problem.contains("truncated") && problem.contains("get it again"), "{problem}");
}

#[test]
fn a_lying_count_length_or_offset_is_named_with_its_byte() {
    let bytes = small();
    for (name, at) in FIELDS.map(|(name, find)| (name, find(&bytes))) {
        for lie in [1u64 << 63, 1 << 32, u64::MAX] {
            let (field, offset, problem) = format_error(patched(bytes.clone(), at, &lie.to_le_bytes()));
            assert_eq!(field, name, "{lie}: {problem}");
            assert_eq!(offset, at as u64, "{name}");
        }
    }
}

#[test]
fn an_unknown_tensor_type_names_the_tensor_and_the_type() {
    let bytes = small();
    let at = FIELDS.iter().find(|(name, _)| *name == "blk.0.w.offset").unwrap().1(&bytes) - 4;
    for (id, name) in [(40u32, "NVFP4 (40)"), (1000, "unknown (1000)")] {
        let Error::Unsupported { what, found, hint } = error(patched(bytes.clone(), at, &id.to_le_bytes()))
        else {
            panic!("expected Unsupported")
        };
        assert_eq!((what, found.as_str()), ("tensor type", name));
        assert!(hint.contains("blk.0.w"), "{hint}");
    }
}

#[test]
fn an_unknown_value_type_names_the_key() {
    let bytes = small();
    let at = bytes.windows(7).position(|w| w == b"t.count").unwrap() + 7;
    let (field, offset, problem) = format_error(patched(bytes, at, &13u32.to_le_bytes()));
    assert_eq!((field.as_str(), offset), ("t.count.type", at as u64));
    assert!(problem.contains("13"), "{problem}");
}

#[test]
fn overlapping_tensors_are_refused() {
    let bytes = small();
    let at = FIELDS.iter().find(|(name, _)| *name == "norm.offset").unwrap().1(&bytes);
    let (field, offset, problem) = format_error(patched(bytes, at, &192u64.to_le_bytes()));
    assert_eq!((field.as_str(), offset), ("norm.offset", at as u64));
    assert!(problem.contains("overlaps that of blk.0.w"), "{problem}");
}

#[test]
fn a_misaligned_tensor_is_refused() {
    let bytes = small();
    let at = FIELDS.iter().find(|(name, _)| *name == "norm.offset").unwrap().1(&bytes);
    let (field, _, problem) = format_error(patched(bytes, at, &225u64.to_le_bytes()));
    assert_eq!(field, "norm.offset");
    assert!(problem.contains("225 is no multiple of the alignment 32"), "{problem}");
}

#[test]
fn an_alignment_that_is_no_power_of_two_is_refused() {
    for alignment in [0u32, 3, 1 << 21] {
        let mut writer = GgufWriter::new();
        writer.put("general.alignment", &Value::Uint(32)).unwrap();
        let bytes = writer.start(Vec::new()).unwrap().finish().unwrap();
        let at = bytes.windows(9).position(|w| w == b"alignment").unwrap() + 9 + 4;
        let (field, offset, _) = format_error(patched(bytes, at, &alignment.to_le_bytes()));
        assert_eq!((field.as_str(), offset), ("general.alignment", at as u64));
    }
}

#[test]
fn a_row_that_is_no_multiple_of_the_block_is_refused() {
    let bytes = small();
    let at = FIELDS.iter().find(|(name, _)| *name == "blk.0.w.shape").unwrap().1(&bytes);
    let (field, offset, problem) = format_error(patched(bytes, at, &33u64.to_le_bytes()));
    assert_eq!((field.as_str(), offset), ("blk.0.w.shape", at as u64));
    assert!(problem.contains("33") && problem.contains("Q8_0"), "{problem}");
}

#[test]
fn more_than_four_dimensions_are_refused() {
    let bytes = small();
    let at = bytes.windows(4).position(|w| w == b"norm").unwrap() + 4;
    let (field, offset, _) = format_error(patched(bytes, at, &5u32.to_le_bytes()));
    assert_eq!((field.as_str(), offset), ("norm.n_dims", at as u64));
}

#[test]
fn a_key_or_tensor_that_comes_twice_is_refused() {
    let bytes = small();
    let at = bytes.windows(7).position(|w| w == b"t.float").unwrap();
    let (field, offset, problem) = format_error(patched(bytes, at, b"t.count"));
    assert_eq!((field.as_str(), offset), ("metadata[2].key", at as u64 - 8));
    assert!(problem.contains("`t.count` appears twice"), "{problem}");

    let bytes =
        file(|writer| writer.tensor("a", DType::F32, &[2]).unwrap().tensor("b", DType::F32, &[2]).is_ok());
    let at = bytes.iter().rposition(|&b| b == b'b').unwrap();
    let (field, _, problem) = format_error(patched(bytes, at, b"a"));
    assert_eq!(field, "tensors[1].name");
    assert!(problem.contains("`a` appears twice"), "{problem}");
}

#[test]
fn text_that_is_not_utf8_is_refused_with_its_byte() {
    let bytes = small();
    let at = bytes.windows(5).position(|w| w == b"world").unwrap() + 2;
    let (field, offset, problem) = format_error(patched(bytes, at, &[0xff]));
    assert_eq!((field.as_str(), offset), ("t.texts[1]", at as u64));
    assert!(problem.contains("UTF-8"), "{problem}");
}

#[test]
fn a_truth_value_is_0_or_1() {
    let mut writer = GgufWriter::new();
    writer.put("flags", &Value::Bools(vec![true, false])).unwrap();
    let bytes = writer.start(Vec::new()).unwrap().finish().unwrap();
    let at = bytes.windows(5).position(|w| w == b"flags").unwrap() + 5 + 4 + 4 + 8 + 1;
    let (field, offset, problem) = format_error(patched(bytes, at, &[2]));
    assert_eq!((field.as_str(), offset), ("flags[1]", at as u64));
    assert!(problem.contains("not 2"), "{problem}");
}

#[test]
fn arrays_nest_only_so_deep() {
    let nested = |depth| (0..depth).fold(Value::Uints(vec![1]), |inner, _| Value::Arrays(vec![inner]));
    let with = |depth| file(|writer| writer.put("deep", &nested(depth)).is_ok());
    assert_eq!(open(with(3)).unwrap().metadata.get("deep"), Some(&nested(3)));
    let (field, _, problem) = format_error(with(4));
    assert_eq!(field, "deep[0].type");
    assert!(problem.contains("nested more than 4 deep"), "{problem}");
}

#[test]
fn other_versions_say_what_to_do() {
    for (version, found, hint) in [
        (1u32.to_le_bytes(), "version 1", "convert the model again"),
        (3u32.to_be_bytes(), "big endian, version 3", "little endian"),
        (4u32.to_le_bytes(), "version 4", "versions 2 and 3"),
    ] {
        let Error::Unsupported { found: f, hint: h, .. } = error(patched(small(), 4, &version)) else {
            panic!("expected Unsupported")
        };
        assert_eq!(f, found);
        assert!(h.contains(hint) && h.contains("small.gguf"), "{h}");
    }
}

#[test]
fn a_file_that_is_no_model_is_told_by_its_kind() {
    for (bytes, kind) in [
        (b"<!DOCTYPE html><html><body>404".as_slice(), "HTML page"),
        (b"PK\x03\x04\x14\0\0\0\x08\0", "zip"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
        (b"\x80\x02}q\0X", "pickle"),
        (b"\x10\0\0\0\0\0\0\0{\"a\":{\"dtype\":", "safetensors"),
        (b"", "the file is empty"),
        (b"GG", "it starts with \"GG\""),
    ] {
        let (field, offset, problem) = format_error(bytes.to_vec());
        assert_eq!((field.as_str(), offset), ("magic", 0));
        assert!(problem.contains(kind), "{problem}");
    }
}

fn open_path(path: impl AsRef<Path>) -> Result<Checkpoint, Error> {
    pollster::block_on(format::open_path(path))
}

#[test]
fn the_writer_refuses_what_readers_would_refuse() {
    let mut writer = GgufWriter::new();
    writer.put("a", &Value::Uint(1)).unwrap();
    assert!(writer.put("a", &Value::Uint(2)).is_err());
    assert!(writer.put_as("b", ValueType::U8, &Value::Uint(256)).is_err());
    assert!(writer.put_as("c", ValueType::Bool, &Value::Uint(1)).is_err());
    assert!(writer.put("general.alignment", &Value::Uint(24)).is_err());
    writer.tensor("w", DType::F32, &[2]).unwrap();
    assert!(writer.tensor("w", DType::F32, &[2]).is_err());
    assert!(writer.tensor("q", DType::Q8_0, &[2, 31]).is_err());
    assert!(writer.tensor("five", DType::F32, &[1; 5]).is_err());
    let mut data = writer.start(Vec::new()).unwrap();
    assert!(data.write(&[0; 9]).is_err());
    data.write(&[0; 4]).unwrap();
    assert!(
        matches!(data.finish(), Err(Error::Input { problem, .. }) if problem.contains("w has 4 of 8 bytes"))
    );
}

/// Files of a folder beside the repository; none, and a line that says so, where it is not there.
fn shared(folder: &str) -> Vec<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")).join(folder);
    let Ok(entries) = fs::read_dir(&path) else {
        println!("skipped: {} is not there", path.display());
        return Vec::new();
    };
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "gguf"))
        .collect()
}

#[test]
fn every_fixture_opens_and_its_weights_fill_the_file() {
    for path in [shared("fixtures"), shared("fixtures/quants")].concat() {
        let checkpoint = open_path(&path).unwrap_or_else(|error| panic!("{error}"));
        assert!(checkpoint.metadata.str("general.architecture").is_ok(), "{}", path.display());
        let end = checkpoint.tensors.values().map(|t| t.offset + t.n_bytes).max().unwrap();
        assert_eq!(end.next_multiple_of(32), checkpoint.sources[0].len(), "{}", path.display());
    }
}

#[test]
fn the_llama_fixture_has_the_shapes_of_its_config() {
    let Some(path) = shared("fixtures").into_iter().find(|path| path.ends_with("llama.gguf")) else { return };
    let config: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path.with_extension("").join("config.json")).unwrap())
            .unwrap();
    let size = |key: &str| config[key].as_u64().unwrap() as usize;
    let checkpoint = open_path(&path).unwrap();
    let metadata = &checkpoint.metadata;
    assert_eq!(metadata.str("general.architecture"), Ok("llama"));
    assert_eq!(metadata.usize("llama.block_count"), Ok(size("num_hidden_layers")));
    assert_eq!(metadata.usize("llama.embedding_length"), Ok(size("hidden_size")));
    let up = &checkpoint.tensors["blk.0.ffn_up.weight"];
    assert_eq!(up.shape, [size("intermediate_size"), size("hidden_size")]);
    assert_eq!(checkpoint.tensors["token_embd.weight"].shape, [size("vocab_size"), size("hidden_size")]);
}

#[test]
fn every_vocabulary_has_as_many_tokens_as_its_model() {
    let expected = [
        ("ggml-vocab-bert-bge.gguf", 30522),
        ("ggml-vocab-gpt-2.gguf", 50257),
        ("ggml-vocab-llama-bpe.gguf", 128256),
        ("ggml-vocab-llama-spm.gguf", 32000),
        ("ggml-vocab-phi-3.gguf", 32064),
        ("ggml-vocab-qwen2.gguf", 151936),
    ];
    for path in shared("tokenizers") {
        let metadata = open_path(&path).unwrap_or_else(|error| panic!("{error}")).metadata;
        let tokens = metadata.opt_strings("tokenizer.ggml.tokens").unwrap().unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let (_, n) =
            expected.iter().find(|(file, _)| *file == name).unwrap_or_else(|| panic!("{name} is new"));
        assert_eq!(tokens.len(), *n, "{name}");
        assert!(
            metadata.opt_ints("tokenizer.ggml.token_type").unwrap().is_none_or(|types| types.len() == *n),
            "{name}"
        );
    }
}
