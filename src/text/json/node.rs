//! A value within a `tokenizer.json` and where it stands, so that an error can say so.

use serde_json::Value;

use crate::error::{Error, Result};

pub(super) const FILE: &str = "tokenizer.json";

/// A value and its path.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> Node<'a> {
    pub fn new(value: &'a Value, path: impl Into<String>) -> Self {
        Node { value, path: path.into() }
    }

    pub fn is_null(&self) -> bool {
        self.value.is_null()
    }

    pub fn error(&self, problem: impl Into<String>) -> Error {
        Error::format(FILE, self.path.as_str(), 0, problem)
    }

    /// That this names something that is not supported.
    pub fn unsupported(&self, what: &'static str, found: &str) -> Error {
        Error::unsupported(what, found, format!("`{}` in {FILE} names it", self.path))
    }

    /// A member; `null` if there is none.
    pub fn get(&self, key: &str) -> Node<'a> {
        Node { value: self.value.get(key).unwrap_or(&Value::Null), path: format!("{}.{key}", self.path) }
    }

    fn read<T>(&self, expected: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<T> {
        let problem = || match self.value {
            Value::Null => format!("it is missing, {expected} is expected"),
            _ => format!("{expected} is expected"),
        };
        read(self.value).ok_or_else(|| self.error(problem()))
    }

    pub fn str(&self) -> Result<&'a str> {
        self.read("a text", Value::as_str)
    }

    pub fn bool(&self) -> Result<bool> {
        self.read("true or false", Value::as_bool)
    }

    /// A number that counts something.
    pub fn usize(&self) -> Result<usize> {
        self.read("a whole number", |value| value.as_u64()?.try_into().ok())
    }

    /// A token id, or the type of a sequence.
    pub fn u32(&self) -> Result<u32> {
        self.read("a whole number", |value| value.as_u64()?.try_into().ok())
    }

    /// The one character of a text.
    pub fn char(&self) -> Result<char> {
        self.read("one character", |value| {
            let mut chars = value.as_str()?.chars();
            chars.next().filter(|_| chars.next().is_none())
        })
    }

    /// What a member is if it is there and not `null`.
    pub fn opt<T>(&self, key: &str, read: impl Fn(&Node<'a>) -> Result<T>) -> Result<Option<T>> {
        let node = self.get(key);
        if node.is_null() { Ok(None) } else { read(&node).map(Some) }
    }

    /// The members of an array.
    pub fn list(&self) -> Result<Vec<Node<'a>>> {
        let list = self.read("a list", Value::as_array)?;
        let node = |(i, value)| Node { value, path: format!("{}[{i}]", self.path) };
        Ok(list.iter().enumerate().map(node).collect())
    }

    /// Its `type`.
    pub fn kind(&self) -> Result<&'a str> {
        self.get("type").str()
    }
}
