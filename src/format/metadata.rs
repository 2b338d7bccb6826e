//! Typed key/value metadata with errors that name the key.

use std::collections::BTreeMap;

use super::strings::StringArray;
use crate::error::{Error, Result};

/// A metadata value. Integers and floats are widened, but for arrays of bytes, which are kept as they are, and
/// arrays of `float64`, which are rounded to `float32`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any unsigned integer type.
    Uint(u64),
    /// Any signed integer type.
    Int(i64),
    /// `float32` or `float64`.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Text.
    String(String),
    /// `uint8` elements, as of a normalizer's character map.
    Bytes(Vec<u8>),
    /// Unsigned integers of 16 bits and more.
    Uints(Vec<u64>),
    /// Signed integers.
    Ints(Vec<i64>),
    /// Floats.
    Floats(Vec<f32>),
    /// Truth values.
    Bools(Vec<bool>),
    /// Texts, as in a vocabulary.
    Strings(StringArray),
    /// Arrays of arrays, which the format allows and nothing known uses.
    Arrays(Vec<Value>),
}

impl Value {
    /// What it is, in a few words for messages: a long text or array is never printed whole.
    fn describe(&self) -> String {
        match self {
            Value::Uint(v) => format!("the integer {v}"),
            Value::Int(v) => format!("the integer {v}"),
            Value::Float(v) => format!("the number {v}"),
            Value::Bool(v) => format!("the truth value {v}"),
            Value::String(v) => match v.char_indices().nth(40) {
                None => format!("the string {v:?}"),
                Some((end, _)) => format!("the string {:?}… of {} bytes", &v[..end], v.len()),
            },
            Value::Bytes(v) => format!("an array of {} bytes", v.len()),
            Value::Uints(v) => format!("an array of {} integers", v.len()),
            Value::Ints(v) => format!("an array of {} integers", v.len()),
            Value::Floats(v) => format!("an array of {} floats", v.len()),
            Value::Bools(v) => format!("an array of {} truth values", v.len()),
            Value::Strings(v) => format!("an array of {} strings", v.len()),
            Value::Arrays(v) => format!("an array of {} arrays", v.len()),
        }
    }

    /// The same for showing: of an array of more than [`LONGEST_SHOWN`] elements only their number is told, as a text.
    fn brief(&self) -> Value {
        let n = match self {
            Value::Bytes(v) => v.len(),
            Value::Uints(v) => v.len(),
            Value::Ints(v) => v.len(),
            Value::Floats(v) => v.len(),
            Value::Bools(v) => v.len(),
            Value::Strings(v) => v.len(),
            Value::Arrays(v) => v.len(),
            Value::Uint(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::String(_) => 0,
        };
        match self {
            _ if n > LONGEST_SHOWN => Value::String(format!("[{n} values]")),
            Value::Arrays(v) => Value::Arrays(v.iter().map(Value::brief).collect()),
            short => short.clone(),
        }
    }
}

/// Elements of the longest array that [`Metadata::brief`] keeps.
const LONGEST_SHOWN: usize = 16;

/// The metadata of one model, by key.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// How messages name the file.
    pub file: String,
    /// The pairs.
    pub values: BTreeMap<String, Value>,
    /// Where in the file each value starts, for messages. Keys that came from elsewhere are absent.
    pub offsets: BTreeMap<String, u64>,
}

impl Metadata {
    /// The same for showing: instead of a long array, like a vocabulary, there is the text `[32000 values]`. Places in
    /// the file are left out.
    pub fn brief(&self) -> Metadata {
        let values = self.values.iter().map(|(key, value)| (key.clone(), value.brief())).collect();
        Metadata { file: self.file.clone(), values, offsets: BTreeMap::new() }
    }

    /// The value of `key`, if the file has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// An [`Error::Format`] about the value of `key`, with its place in the file.
    pub fn error(&self, key: &str, problem: impl Into<String>) -> Error {
        Error::format(&self.file, key, self.offsets.get(key).copied().unwrap_or(0), problem)
    }

    fn wrong(&self, key: &str, expected: &str) -> Error {
        let found = self.get(key).map_or_else(|| "nothing".to_string(), Value::describe);
        self.error(key, format!("expected {expected}, found {found}"))
    }

    fn missing(&self, key: &str) -> Error {
        self.error(key, "the key is missing")
    }

    /// An optional integer that fits `usize`.
    pub fn opt_usize(&self, key: &str) -> Result<Option<usize>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Uint(v)) => usize::try_from(*v).map(Some).map_err(|_| self.wrong(key, "a size")),
            Some(Value::Int(v)) => usize::try_from(*v).map(Some).map_err(|_| self.wrong(key, "a size")),
            Some(_) => Err(self.wrong(key, "an integer")),
        }
    }

    /// A required integer that fits `usize`.
    pub fn usize(&self, key: &str) -> Result<usize> {
        self.opt_usize(key)?.ok_or_else(|| self.missing(key))
    }

    /// An optional number.
    pub fn opt_f32(&self, key: &str) -> Result<Option<f32>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Float(v)) => Ok(Some(*v as f32)),
            Some(Value::Uint(v)) => Ok(Some(*v as f32)),
            Some(Value::Int(v)) => Ok(Some(*v as f32)),
            Some(_) => Err(self.wrong(key, "a number")),
        }
    }

    /// An optional truth value.
    pub fn opt_bool(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(v)) => Ok(Some(*v)),
            Some(_) => Err(self.wrong(key, "a bool")),
        }
    }

    /// An optional text.
    pub fn opt_str(&self, key: &str) -> Result<Option<&str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(v)) => Ok(Some(v)),
            Some(_) => Err(self.wrong(key, "a string")),
        }
    }

    /// A required text.
    pub fn str(&self, key: &str) -> Result<&str> {
        self.opt_str(key)?.ok_or_else(|| self.missing(key))
    }

    /// An optional list of texts.
    pub fn opt_strings(&self, key: &str) -> Result<Option<&StringArray>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Strings(v)) => Ok(Some(v)),
            Some(_) => Err(self.wrong(key, "an array of strings")),
        }
    }

    /// An optional list of numbers.
    pub fn opt_floats(&self, key: &str) -> Result<Option<&[f32]>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Floats(v)) => Ok(Some(v)),
            Some(_) => Err(self.wrong(key, "an array of floats")),
        }
    }

    /// An optional list of integers, of either sign in the file.
    pub fn opt_ints(&self, key: &str) -> Result<Option<Vec<i64>>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Ints(v)) => Ok(Some(v.clone())),
            Some(Value::Bytes(v)) => Ok(Some(v.iter().map(|&b| i64::from(b)).collect())),
            Some(Value::Uints(v)) => v
                .iter()
                .map(|&u| i64::try_from(u).map_err(|_| self.wrong(key, "integers of at most 63 bits")))
                .collect::<Result<_>>()
                .map(Some),
            Some(_) => Err(self.wrong(key, "an array of integers")),
        }
    }

    /// An optional list of bytes; some converters wrote them as signed.
    pub fn opt_bytes(&self, key: &str) -> Result<Option<Vec<u8>>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bytes(v)) => Ok(Some(v.clone())),
            Some(Value::Ints(v)) => v
                .iter()
                .map(|&i| {
                    i8::try_from(i).map(i8::cast_unsigned).map_err(|_| self.wrong(key, "an array of bytes"))
                })
                .collect::<Result<_>>()
                .map(Some),
            Some(_) => Err(self.wrong(key, "an array of bytes")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: &str, value: Value) -> Metadata {
        Metadata {
            file: "m.gguf".into(),
            values: BTreeMap::from([(key.to_string(), value)]),
            offsets: BTreeMap::from([(key.to_string(), 77)]),
        }
    }

    #[test]
    fn a_value_of_the_wrong_type_names_key_place_and_both_types() {
        let error =
            with("llama.block_count", Value::String("two".into())).usize("llama.block_count").unwrap_err();
        assert_eq!(
            error.to_string(),
            "m.gguf: llama.block_count at byte 77: expected an integer, found the string \"two\""
        );
    }

    #[test]
    fn a_message_never_prints_a_vocabulary() {
        let tokens = (0..100_000).map(|i| i.to_string()).collect();
        let error = with("tokens", Value::Strings(tokens)).opt_f32("tokens").unwrap_err();
        assert!(
            error.to_string().ends_with("expected a number, found an array of 100000 strings"),
            "{error}"
        );
    }

    #[test]
    fn what_is_kept_for_showing_holds_no_vocabulary() {
        let tokens = (0..100_000).map(|i| i.to_string()).collect();
        let brief = |value: Value| with("key", value).brief().values["key"].clone();
        assert_eq!(brief(Value::Strings(tokens)), Value::String("[100000 values]".into()));
        let nested = Value::Arrays(vec![Value::Floats(vec![0.5; 17]), Value::Ints(vec![1; 16])]);
        let kept = Value::Arrays(vec![Value::String("[17 values]".into()), Value::Ints(vec![1; 16])]);
        assert_eq!(brief(nested), kept);
        assert_eq!(brief(Value::Bool(true)), Value::Bool(true));
    }

    #[test]
    fn a_missing_required_key_is_named() {
        let error = Metadata::default().str("general.architecture").unwrap_err();
        assert!(matches!(error, Error::Format { field, .. } if field == "general.architecture"));
    }

    #[test]
    fn integers_of_either_sign_are_sizes_where_they_fit() {
        assert_eq!(with("n", Value::Int(3)).usize("n"), Ok(3));
        assert!(with("n", Value::Int(-3)).usize("n").is_err());
    }

    #[test]
    fn bytes_are_read_whatever_their_sign_in_the_file() {
        assert_eq!(with("map", Value::Bytes(vec![0, 255])).opt_bytes("map"), Ok(Some(vec![0, 255])));
        assert_eq!(with("map", Value::Ints(vec![0, -1])).opt_bytes("map"), Ok(Some(vec![0, 255])));
        assert!(with("map", Value::Ints(vec![256])).opt_bytes("map").is_err());
    }
}
