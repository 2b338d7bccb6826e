//! Writes GGUF version 3. The header is gathered first, then the tensors' bytes stream through in the order in which
//! they were declared, so a model of any size needs no more memory than one piece of it.

use std::io::Write;

use super::{
    gguf::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT, LARGEST_ALIGNMENT, MAGIC, ValueType, n_bytes},
    metadata::Value,
};
use crate::{
    error::{Error, Result},
    quant::DType,
};

const VERSION: u32 = 3;

/// A GGUF header in the making.
pub struct GgufWriter {
    alignment: u64,
    /// Keys and encoded type and value.
    pairs: Vec<(String, Vec<u8>)>,
    tensors: Vec<Declared>,
}

struct Declared {
    name: String,
    shape: Vec<u64>,
    ggml_id: u32,
    n_bytes: u64,
}

impl Default for GgufWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl GgufWriter {
    /// No metadata, no tensors, data aligned to 32 bytes unless `general.alignment` is put.
    pub fn new() -> Self {
        GgufWriter { alignment: DEFAULT_ALIGNMENT, pairs: Vec::new(), tensors: Vec::new() }
    }

    /// Adds a pair with the type that other readers expect: 32 bits for numbers that fit, else 64.
    pub fn put(&mut self, key: &str, value: &Value) -> Result<&mut Self> {
        self.put_as(key, usual_type(value), value)
    }

    /// Adds a pair whose value, or whose elements, have a certain type.
    ///
    /// # Errors
    /// [`Error::Input`] where the value does not fit the type, or the key is there already.
    pub fn put_as(&mut self, key: &str, kind: ValueType, value: &Value) -> Result<&mut Self> {
        if key.is_empty() || self.pairs.iter().any(|(other, _)| other == key) {
            return Err(Error::input("metadata key", format!("`{key}` is empty or there already")));
        }
        if key == ALIGNMENT_KEY {
            self.alignment = match value {
                Value::Uint(n) if n.is_power_of_two() && *n <= LARGEST_ALIGNMENT => *n,
                other => {
                    return Err(Error::input("general.alignment", format!("{other:?} is no power of two")));
                }
            };
        }
        let outer = if is_array(value) { ValueType::Array } else { kind };
        let mut bytes = (outer as u32).to_le_bytes().to_vec();
        encode(&mut bytes, kind, value)
            .map_err(|problem| Error::input("metadata value", format!("{key}: {problem}")))?;
        self.pairs.push((key.to_string(), bytes));
        Ok(self)
    }

    /// Declares the next tensor; `shape` is slowest first.
    ///
    /// # Errors
    /// [`Error::Input`] where the type cannot hold the shape, or the name is there already.
    pub fn tensor(&mut self, name: &str, dtype: DType, shape: &[usize]) -> Result<&mut Self> {
        if name.is_empty() || self.tensors.iter().any(|other| other.name == name) {
            return Err(Error::input("tensor name", format!("`{name}` is empty or there already")));
        }
        if shape.len() > 4 {
            return Err(Error::input("tensor shape", format!("{name}: {shape:?} has more than 4 axes")));
        }
        let shape: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
        let n_bytes = n_bytes(dtype, &shape)
            .map_err(|problem| Error::input("tensor shape", format!("{name}: {problem}")))?;
        self.tensors.push(Declared { name: name.to_string(), shape, ggml_id: dtype.info().ggml_id, n_bytes });
        Ok(self)
    }

    /// Writes the header. The bytes of the declared tensors follow through the answer.
    pub fn start<W: Write>(self, out: W) -> Result<GgufData<W>> {
        let mut header = Vec::new();
        header.extend(MAGIC);
        header.extend(VERSION.to_le_bytes());
        header.extend((self.tensors.len() as u64).to_le_bytes());
        header.extend((self.pairs.len() as u64).to_le_bytes());
        for (key, value) in &self.pairs {
            string(&mut header, key);
            header.extend(value);
        }
        let mut offset = 0u64;
        for tensor in &self.tensors {
            string(&mut header, &tensor.name);
            header.extend((tensor.shape.len() as u32).to_le_bytes());
            for size in tensor.shape.iter().rev() {
                header.extend(size.to_le_bytes());
            }
            header.extend(tensor.ggml_id.to_le_bytes());
            header.extend(offset.to_le_bytes());
            let next = offset
                .checked_add(tensor.n_bytes)
                .and_then(|end| end.checked_next_multiple_of(self.alignment));
            offset =
                next.ok_or_else(|| Error::input("tensors", "together they are larger than a file can be"))?;
        }
        header.resize(header.len().next_multiple_of(self.alignment as usize), 0);
        let mut data =
            GgufData { out, alignment: self.alignment, tensors: self.tensors, current: 0, written: 0 };
        data.write_all(&header)?;
        Ok(data)
    }
}

/// The data section in the making.
pub struct GgufData<W> {
    out: W,
    alignment: u64,
    tensors: Vec<Declared>,
    /// The tensor that the next byte belongs to, and how many it has.
    current: usize,
    written: u64,
}

impl<W: Write> GgufData<W> {
    /// The next bytes of the current tensor. A piece must not cross into the next tensor.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(tensor) = self.tensors.get(self.current) else {
            return Err(Error::input("tensor data", "all declared tensors are complete"));
        };
        let left = tensor.n_bytes - self.written;
        if bytes.len() as u64 > left {
            let problem = format!("{} bytes for {}, which lacks {left}", bytes.len(), tensor.name);
            return Err(Error::input("tensor data", problem));
        }
        let complete = bytes.len() as u64 == left;
        let padding = (tensor.n_bytes.next_multiple_of(self.alignment) - tensor.n_bytes) as usize;
        self.written += bytes.len() as u64;
        self.write_all(bytes)?;
        if complete {
            self.write_all(&vec![0; padding])?;
            self.current += 1;
            self.written = 0;
        }
        Ok(())
    }

    /// Flushes, and hands the output back.
    ///
    /// # Errors
    /// [`Error::Input`] where a declared tensor lacks bytes.
    pub fn finish(mut self) -> Result<W> {
        if let Some(tensor) = self.tensors.get(self.current) {
            let problem = format!("{} has {} of {} bytes", tensor.name, self.written, tensor.n_bytes);
            return Err(Error::input("tensor data", problem));
        }
        self.out.flush().map_err(cannot_write)?;
        Ok(self.out)
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(cannot_write)
    }
}

fn cannot_write(error: std::io::Error) -> Error {
    Error::Source { source_name: "the GGUF file being written".into(), problem: error.to_string() }
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn is_array(value: &Value) -> bool {
    !matches!(value, Value::Uint(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::String(_))
}

/// The type of a value, or of an array's elements.
fn usual_type(value: &Value) -> ValueType {
    let unsigned = |v: &u64| u32::try_from(*v).is_ok();
    let signed = |v: &i64| i32::try_from(*v).is_ok();
    match value {
        Value::Uint(v) if unsigned(v) => ValueType::U32,
        Value::Uints(v) if v.iter().all(unsigned) => ValueType::U32,
        Value::Uint(_) | Value::Uints(_) => ValueType::U64,
        Value::Int(v) if signed(v) => ValueType::I32,
        Value::Ints(v) if v.iter().all(signed) => ValueType::I32,
        Value::Int(_) | Value::Ints(_) => ValueType::I64,
        Value::Float(v) if v.is_nan() || f64::from(*v as f32) == *v => ValueType::F32,
        Value::Float(_) => ValueType::F64,
        Value::Floats(_) => ValueType::F32,
        Value::Bool(_) | Value::Bools(_) => ValueType::Bool,
        Value::String(_) | Value::Strings(_) => ValueType::String,
        Value::Bytes(_) => ValueType::U8,
        Value::Arrays(_) => ValueType::Array,
    }
}

/// Appends a value; an array as its element type, count and elements.
fn encode(out: &mut Vec<u8>, kind: ValueType, value: &Value) -> Result<(), String> {
    let mut head = |n: usize| {
        out.extend((kind as u32).to_le_bytes());
        out.extend((n as u64).to_le_bytes());
    };
    match value {
        Value::Uint(v) => integer(out, kind, i128::from(*v)),
        Value::Int(v) => integer(out, kind, i128::from(*v)),
        Value::Float(v) => float(out, kind, *v),
        Value::Bool(v) => truth(out, kind, *v),
        Value::String(v) => text(out, kind, v),
        Value::Bytes(v) => {
            head(v.len());
            v.iter().try_for_each(|&v| integer(out, kind, i128::from(v)))
        }
        Value::Uints(v) => {
            head(v.len());
            v.iter().try_for_each(|&v| integer(out, kind, i128::from(v)))
        }
        Value::Ints(v) => {
            head(v.len());
            v.iter().try_for_each(|&v| integer(out, kind, i128::from(v)))
        }
        Value::Floats(v) => {
            head(v.len());
            v.iter().try_for_each(|&v| float(out, kind, f64::from(v)))
        }
        Value::Bools(v) => {
            head(v.len());
            v.iter().try_for_each(|&v| truth(out, kind, v))
        }
        Value::Strings(v) => {
            head(v.len());
            v.iter().try_for_each(|v| text(out, kind, v))
        }
        Value::Arrays(v) => {
            head(v.len());
            v.iter().try_for_each(|v| match is_array(v) {
                true => encode(out, usual_type(v), v),
                false => Err("an array of arrays holds something else".to_string()),
            })
        }
    }
}

fn integer(out: &mut Vec<u8>, kind: ValueType, v: i128) -> Result<(), String> {
    let no = |_| format!("{v} does not fit {kind:?}");
    match kind {
        ValueType::U8 => out.extend(u8::try_from(v).map_err(no)?.to_le_bytes()),
        ValueType::I8 => out.extend(i8::try_from(v).map_err(no)?.to_le_bytes()),
        ValueType::U16 => out.extend(u16::try_from(v).map_err(no)?.to_le_bytes()),
        ValueType::I16 => out.extend(i16::try_from(v).map_err(no)?.to_le_bytes()),
        ValueType::U32 => out.extend(u32::try_from(v).map_err(no)?.to_le_bytes()),
        ValueType::I32 => out.extend(i32::try_from(v).map_err(no)?.to_le_bytes()),
        ValueType::U64 => out.extend(u64::try_from(v).map_err(no)?.to_le_bytes()),
        ValueType::I64 => out.extend(i64::try_from(v).map_err(no)?.to_le_bytes()),
        _ => return Err(format!("an integer cannot be written as {kind:?}")),
    }
    Ok(())
}

fn float(out: &mut Vec<u8>, kind: ValueType, v: f64) -> Result<(), String> {
    match kind {
        ValueType::F32 => out.extend((v as f32).to_le_bytes()),
        ValueType::F64 => out.extend(v.to_le_bytes()),
        _ => return Err(format!("a float cannot be written as {kind:?}")),
    }
    Ok(())
}

fn truth(out: &mut Vec<u8>, kind: ValueType, v: bool) -> Result<(), String> {
    if kind != ValueType::Bool {
        return Err(format!("a truth value cannot be written as {kind:?}"));
    }
    out.push(v.into());
    Ok(())
}

fn text(out: &mut Vec<u8>, kind: ValueType, v: &str) -> Result<(), String> {
    if kind != ValueType::String {
        return Err(format!("a string cannot be written as {kind:?}"));
    }
    string(out, v);
    Ok(())
}
