//! Typed key/value metadata with errors that name the key.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// A metadata value. Integers and floats of every width are widened; arrays keep one element type.
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
    /// Unsigned integers.
    Uints(Vec<u64>),
    /// Signed integers.
    Ints(Vec<i64>),
    /// Floats.
    Floats(Vec<f32>),
    /// Truth values.
    Bools(Vec<bool>),
    /// Texts, as in a vocabulary.
    Strings(Vec<String>),
    /// Arrays of arrays, which the format allows and nothing known uses.
    Arrays(Vec<Value>),
}

/// The metadata of one model, by key.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// How messages name the file.
    pub file: String,
    /// The pairs.
    pub values: BTreeMap<String, Value>,
}

impl Metadata {
    /// The value of `key`, if the file has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    fn wrong(&self, key: &str, expected: &str) -> Error {
        Error::format(&self.file, key, 0, format!("expected {expected}, found {:?}", self.get(key)))
    }

    fn missing(&self, key: &str) -> Error {
        Error::format(&self.file, key, 0, "the key is missing")
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
    pub fn opt_strings(&self, key: &str) -> Result<Option<&[String]>> {
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
            Some(Value::Uints(v)) => v
                .iter()
                .map(|&u| i64::try_from(u).map_err(|_| self.wrong(key, "integers of at most 63 bits")))
                .collect::<Result<_>>()
                .map(Some),
            Some(_) => Err(self.wrong(key, "an array of integers")),
        }
    }
}
