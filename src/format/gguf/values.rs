//! The key/value pairs of a GGUF header.

use std::collections::btree_map::Entry;

use super::{
    ValueType,
    cursor::{Cursor, Field},
};
use crate::{
    error::{Error, Result},
    format::{
        LocalFuture,
        metadata::{Metadata, Value},
        strings::StringArray,
    },
};

/// The format's own limit on keys; names of tensors get the same.
pub(super) const LONGEST_NAME: u64 = 65_535;
/// Arrays in arrays go no deeper.
const DEEPEST_ARRAY: usize = 4;
/// A pair takes at least the key's length, one byte of key, a type and one byte of value.
pub(super) const SMALLEST_PAIR: u64 = 8 + 1 + 4 + 1;
/// Numbers decoded per step, so that a long array is not held twice.
const NUMBERS_PER_STEP: usize = 16 << 10;

/// Reads `count` pairs.
pub(super) async fn read_metadata(cursor: &mut Cursor<'_>, count: u64) -> Result<Metadata> {
    let mut metadata = Metadata { file: cursor.source().name().to_string(), ..Metadata::default() };
    for i in 0..count {
        let offset = cursor.position();
        let field = Field::new("metadata").at(i).part("key");
        let key = read_name(cursor, field).await?;
        let type_field = Field::new(&key).part("type");
        let kind = read_type(cursor, type_field).await?;
        let start = cursor.position();
        let value = read_value(cursor, kind, Field::new(&key)).await?;
        match metadata.values.entry(key) {
            Entry::Occupied(entry) => {
                return Err(cursor.error(field, offset, format!("`{}` appears twice", entry.key())));
            }
            Entry::Vacant(entry) => {
                metadata.offsets.insert(entry.key().clone(), start);
                entry.insert(value);
            }
        }
    }
    Ok(metadata)
}

/// A key or a tensor's name: not empty, not beyond [`LONGEST_NAME`].
pub(super) async fn read_name(cursor: &mut Cursor<'_>, field: Field<'_>) -> Result<String> {
    let offset = cursor.position();
    let name = cursor.string(field, LONGEST_NAME).await?.to_string();
    if name.is_empty() {
        return Err(cursor.error(field, offset, "it is empty"));
    }
    Ok(name)
}

async fn read_type(cursor: &mut Cursor<'_>, field: Field<'_>) -> Result<ValueType> {
    let offset = cursor.position();
    let id = cursor.u32(field).await?;
    ValueType::from_id(id).ok_or_else(|| cursor.error(field, offset, format!("{id} is not a type of GGUF")))
}

async fn read_value(cursor: &mut Cursor<'_>, kind: ValueType, field: Field<'_>) -> Result<Value> {
    Ok(match kind {
        ValueType::U8 => Value::Uint(cursor.array::<1>(field).await?[0].into()),
        ValueType::U16 => Value::Uint(u16::from_le_bytes(cursor.array(field).await?).into()),
        ValueType::U32 => Value::Uint(cursor.u32(field).await?.into()),
        ValueType::U64 => Value::Uint(cursor.u64(field).await?),
        ValueType::I8 => Value::Int(i8::from_le_bytes(cursor.array(field).await?).into()),
        ValueType::I16 => Value::Int(i16::from_le_bytes(cursor.array(field).await?).into()),
        ValueType::I32 => Value::Int(i32::from_le_bytes(cursor.array(field).await?).into()),
        ValueType::I64 => Value::Int(i64::from_le_bytes(cursor.array(field).await?)),
        ValueType::F32 => Value::Float(f32::from_le_bytes(cursor.array(field).await?).into()),
        ValueType::F64 => Value::Float(f64::from_le_bytes(cursor.array(field).await?)),
        ValueType::Bool => {
            let offset = cursor.position();
            let [byte] = cursor.array::<1>(field).await?;
            Value::Bool(to_bool(byte).ok_or_else(|| not_bool(cursor, field, offset, byte))?)
        }
        ValueType::String => Value::String(cursor.string(field, u64::MAX).await?.to_string()),
        ValueType::Array => read_array(cursor, field, 1).await?,
    })
}

/// An array's element type, count and elements. Boxed because arrays may hold arrays.
fn read_array<'a>(
    cursor: &'a mut Cursor<'_>,
    field: Field<'a>,
    depth: usize,
) -> LocalFuture<'a, Result<Value>> {
    Box::pin(async move {
        let kind = read_type(cursor, field.part("type")).await?;
        let offset = cursor.position();
        let count = cursor.u64(field.part("count")).await?;
        let n = cursor.claim(count, kind.smallest(), field.part("count"), offset)?;
        Ok(match kind {
            ValueType::U8 => Value::Bytes(numbers(cursor, n, field, |[b]: [u8; 1]| b).await?),
            ValueType::U16 => {
                Value::Uints(numbers(cursor, n, field, |b| u16::from_le_bytes(b).into()).await?)
            }
            ValueType::U32 => {
                Value::Uints(numbers(cursor, n, field, |b| u32::from_le_bytes(b).into()).await?)
            }
            ValueType::U64 => Value::Uints(numbers(cursor, n, field, u64::from_le_bytes).await?),
            ValueType::I8 => Value::Ints(numbers(cursor, n, field, |b| i8::from_le_bytes(b).into()).await?),
            ValueType::I16 => Value::Ints(numbers(cursor, n, field, |b| i16::from_le_bytes(b).into()).await?),
            ValueType::I32 => Value::Ints(numbers(cursor, n, field, |b| i32::from_le_bytes(b).into()).await?),
            ValueType::I64 => Value::Ints(numbers(cursor, n, field, i64::from_le_bytes).await?),
            ValueType::F32 => Value::Floats(numbers(cursor, n, field, f32::from_le_bytes).await?),
            ValueType::F64 => {
                Value::Floats(numbers(cursor, n, field, |b| f64::from_le_bytes(b) as f32).await?)
            }
            ValueType::Bool => Value::Bools(bools(cursor, n, field).await?),
            ValueType::String => Value::Strings(strings(cursor, n, field).await?),
            ValueType::Array if depth == DEEPEST_ARRAY => {
                let problem = format!("arrays are nested more than {DEEPEST_ARRAY} deep");
                return Err(cursor.error(field.part("type"), offset - 4, problem));
            }
            ValueType::Array => {
                let mut arrays = Vec::new();
                for i in 0..count {
                    arrays.push(read_array(cursor, field.at(i), depth + 1).await?);
                }
                Value::Arrays(arrays)
            }
        })
    })
}

async fn numbers<const N: usize, T>(
    cursor: &mut Cursor<'_>,
    n: usize,
    field: Field<'_>,
    decode: fn([u8; N]) -> T,
) -> Result<Vec<T>> {
    let mut out = Vec::new();
    out.try_reserve_exact(n).map_err(|_| Error::OutOfMemory {
        device: "main",
        what: field.to_string(),
        bytes: n as u64 * size_of::<T>() as u64,
    })?;
    while out.len() < n {
        let step = NUMBERS_PER_STEP.min(n - out.len());
        let (elements, _) = cursor.take(step * N, field).await?.as_chunks::<N>();
        out.extend(elements.iter().map(|&bytes| decode(bytes)));
    }
    Ok(out)
}

async fn bools(cursor: &mut Cursor<'_>, n: usize, field: Field<'_>) -> Result<Vec<bool>> {
    let start = cursor.position();
    let bytes = numbers(cursor, n, field, |[b]: [u8; 1]| b).await?;
    let of = |(i, &b): (usize, &u8)| {
        to_bool(b).ok_or_else(|| not_bool(cursor, field.at(i as u64), start + i as u64, b))
    };
    bytes.iter().enumerate().map(of).collect()
}

async fn strings(cursor: &mut Cursor<'_>, n: usize, field: Field<'_>) -> Result<StringArray> {
    let mut array = StringArray::with_capacity(n);
    for i in 0..n as u64 {
        let fits = array.push(cursor.string(field.at(i), u64::MAX).await?);
        // A header is limited to far less.
        assert!(fits, "texts of more than 4 GiB");
    }
    Ok(array)
}

fn to_bool(byte: u8) -> Option<bool> {
    match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn not_bool(cursor: &Cursor<'_>, field: Field<'_>, offset: u64, byte: u8) -> Error {
    cursor.error(field, offset, format!("a truth value is 0 or 1, not {byte}"))
}
