//! Small GGUF files for the tests.

use std::rc::Rc;

use intab::{
    Result,
    format::{
        self, Checkpoint, MemorySource, Source, gguf::ValueType, gguf_writer::GgufWriter, metadata::Value,
    },
    quant::DType,
};

pub fn source(name: &str, bytes: Vec<u8>) -> Rc<dyn Source> {
    Rc::new(MemorySource::new(name, bytes))
}

pub fn open(bytes: Vec<u8>) -> Result<Checkpoint> {
    pollster::block_on(format::open(vec![source("small.gguf", bytes)]))
}

/// A file of what `describe` puts, its tensors filled with zeros.
pub fn file(describe: impl FnOnce(&mut GgufWriter) -> bool) -> Vec<u8> {
    let mut writer = GgufWriter::new();
    assert!(describe(&mut writer));
    let mut data = writer.start(Vec::new()).unwrap();
    while data.write(&[0]).is_ok() {}
    data.finish().unwrap()
}

/// Three pairs and two tensors.
pub fn small() -> Vec<u8> {
    let mut writer = GgufWriter::new();
    writer.put("t.texts", &Value::Strings(["hello", "world"].into_iter().collect())).unwrap();
    writer.put("t.count", &Value::Uint(7)).unwrap();
    writer.put("t.float", &Value::Floats(vec![1.5, -2.0])).unwrap();
    writer.tensor("blk.0.w", DType::Q8_0, &[3, 64]).unwrap();
    writer.tensor("norm", DType::F32, &[5]).unwrap();
    let mut data = writer.start(Vec::new()).unwrap();
    // In pieces, as a tool would.
    for _ in 0..6 {
        data.write(&[1; 34]).unwrap();
    }
    for value in 1..=5 {
        data.write(&(value as f32).to_le_bytes()).unwrap();
    }
    data.finish().unwrap()
}

fn after(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).position(|w| w == text.as_bytes()).unwrap() + text.len()
}

type Find = fn(&[u8]) -> usize;

/// Every 64-bit count, length, size and offset of [`small`]: what messages call it, and where it is.
pub const FIELDS: [(&str, Find); 15] = [
    ("tensor_count", |_| 8),
    ("metadata_kv_count", |_| 16),
    ("metadata[0].key.length", |_| 24),
    ("t.texts.count", |b| after(b, "t.texts") + 8),
    ("t.texts[0].length", |b| after(b, "t.texts") + 16),
    ("t.texts[1].length", |b| after(b, "hello")),
    ("metadata[1].key.length", |b| after(b, "world")),
    ("metadata[2].key.length", |b| after(b, "t.count") + 8),
    ("t.float.count", |b| after(b, "t.float") + 8),
    ("tensors[0].name.length", |b| after(b, "t.float") + 24),
    ("blk.0.w.shape", |b| after(b, "blk.0.w") + 4),
    ("blk.0.w.offset", |b| after(b, "blk.0.w") + 24),
    ("tensors[1].name.length", |b| after(b, "blk.0.w") + 32),
    ("norm.shape", |b| after(b, "norm") + 4),
    ("norm.offset", |b| after(b, "norm") + 16),
];

/// `bytes` with `new` at `at`.
pub fn patched(mut bytes: Vec<u8>, at: usize, new: &[u8]) -> Vec<u8> {
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

/// Every type, alone and in an array, at its bounds.
pub fn every_value() -> Vec<(String, ValueType, Value)> {
    use Value::*;
    let mut values = vec![
        (ValueType::F32, Float(f32::MIN_POSITIVE.into())),
        (ValueType::F32, Floats(vec![0.0, -1.5, f32::INFINITY])),
        (ValueType::F64, Float(0.1)),
        (ValueType::F64, Floats(vec![0.25])),
        (ValueType::Bool, Bool(true)),
        (ValueType::Bool, Bools(vec![true, false])),
        (ValueType::String, String("日本 \0 x".into())),
        (ValueType::String, Strings(["", "é"].into_iter().collect())),
        (ValueType::String, Strings(Default::default())),
        (ValueType::U8, Uint(255)),
        (ValueType::U8, Bytes((0..=255).collect())),
        (
            ValueType::Array,
            Arrays(vec![Uints(vec![1, 2]), Strings(["a"].into_iter().collect()), Arrays(vec![])]),
        ),
    ];
    for (kind, max) in
        [(ValueType::U16, 65_535), (ValueType::U32, u32::MAX.into()), (ValueType::U64, u64::MAX)]
    {
        values.extend([(kind, Uint(max)), (kind, Uints(vec![0, max]))]);
    }
    let signed = [
        (ValueType::I8, -128),
        (ValueType::I16, -32_768),
        (ValueType::I32, i32::MIN.into()),
        (ValueType::I64, i64::MIN),
    ];
    for (kind, min) in signed {
        values.extend([(kind, Int(min)), (kind, Ints(vec![min, -1, 1]))]);
    }
    // More numbers than are decoded in one step.
    values.push((ValueType::U16, Uints((0..40_000).collect())));
    values.into_iter().enumerate().map(|(i, (kind, value))| (format!("key{i}"), kind, value)).collect()
}

/// A model in `n` parts of one tensor each, `t0`, `t1`…, whose one number is its index.
pub fn split(n: usize) -> Vec<(String, Vec<u8>)> {
    let part = |i: usize| {
        let mut writer = GgufWriter::new();
        if i == 0 {
            writer.put("general.name", &Value::String("split".into())).unwrap();
        }
        writer.put_as("split.no", ValueType::U16, &Value::Uint(i as u64)).unwrap();
        writer.put_as("split.count", ValueType::U16, &Value::Uint(n as u64)).unwrap();
        writer.put_as("split.tensors.count", ValueType::I32, &Value::Int(n as i64)).unwrap();
        writer.tensor(&format!("t{i}"), DType::F32, &[1]).unwrap();
        let mut data = writer.start(Vec::new()).unwrap();
        data.write(&(i as f32).to_le_bytes()).unwrap();
        (format!("m-{:05}-of-{n:05}.gguf", i + 1), data.finish().unwrap())
    };
    (0..n).map(part).collect()
}
