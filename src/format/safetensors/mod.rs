//! Reads safetensors: <https://huggingface.co/docs/safetensors/index#format>.
//!
//! ```text
//! header_length u64, little endian
//! header        {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …, "__metadata__": {…}}
//! data          offsets count from here; every byte belongs to one tensor
//! ```
//! The header's length is checked against the file before memory is taken for it, and every tensor's place against
//! the file and against all others.

mod entry;

use std::{collections::BTreeMap, fmt};

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use self::entry::{Entry, Kind, LONGEST_NAME, Name};
use super::{Source, TensorInfo, json, sniff::looks_like, source::FIRST_READ};
use crate::error::{Error, Result};

/// The limit of the reference implementation.
const LARGEST_HEADER: u64 = 100_000_000;
/// Bytes of the length in front of the header.
const LENGTH_BYTES: u64 = 8;
/// The one name that is no tensor's: texts that a tool left about the file.
const METADATA: &str = "__metadata__";

/// What one safetensors file holds.
#[derive(Default)]
pub(super) struct Part {
    /// Tensors of types that are run, by name.
    pub tensors: BTreeMap<String, TensorInfo>,
    /// The others: their type as the file writes it.
    pub foreign: BTreeMap<String, String>,
}

/// Reads the header of `source`, whose tensors get `source_index`.
///
/// # Errors
/// [`Error::Format`] where it is no safetensors file, damaged or truncated, naming the tensor and the byte of the header;
/// and those of the source.
pub(super) async fn read(source: &dyn Source, source_index: usize) -> Result<Part> {
    let header = read_header(source).await?;
    let file = source.name();
    let text = str::from_utf8(&header).map_err(|error| {
        let at = LENGTH_BYTES + error.valid_up_to() as u64;
        Error::format(file, "header", at, "the text is not valid UTF-8")
    })?;
    let data_start = LENGTH_BYTES + header.len() as u64;
    let data = Data { start: data_start, len: source.len() - data_start };
    let mut directory =
        Directory { file, text, data, source_index, part: Part::default(), spans: Vec::new(), error: None };
    let mut parser = serde_json::Deserializer::from_str(text);
    let parsed = parser.deserialize_map(&mut directory).and_then(|()| parser.end());
    if let Some(error) = directory.error {
        return Err(error);
    }
    parsed.map_err(|error| json::mistake(file, "header", LENGTH_BYTES, &header, &error))?;
    directory.check_spans()?;
    Ok(directory.part)
}

/// The header's text.
async fn read_header(source: &dyn Source) -> Result<Vec<u8>> {
    let (file, len) = (source.name(), source.len());
    let error = |problem: String| Err(Error::format(file, "header_length", 0, problem));
    let first = source.read(0, usize::try_from(len).unwrap_or(FIRST_READ).min(FIRST_READ)).await?;
    let opening = first.get(LENGTH_BYTES as usize);
    if opening.is_some_and(|&byte| byte != b'{')
        && let Some(kind) = looks_like(&first)
    {
        return error(format!("not a safetensors file: it looks like {kind}"));
    }
    let Some((length, rest)) = first.split_first_chunk() else {
        return error(format!("the file is truncated: it has {len} bytes, less than a header's length"));
    };
    let length = u64::from_le_bytes(*length);
    let left = len - LENGTH_BYTES;
    if length > left {
        return error(format!(
            "{length} bytes, but the file ends after {left} more: not a safetensors file, or a truncated one"
        ));
    }
    if length > LARGEST_HEADER {
        return error(format!("{length} bytes, but at most {LARGEST_HEADER} are allowed"));
    }
    if opening != Some(&b'{') {
        return Err(Error::format(file, "header", LENGTH_BYTES, "it does not begin with `{`"));
    }
    // At most LARGEST_HEADER, so it fits.
    let length = length as usize;
    let mut header = rest[..length.min(rest.len())].to_vec();
    if header.len() < length {
        let more = source.read(first.len() as u64, length - header.len()).await?;
        header.extend_from_slice(&more);
    }
    if header.len() != length {
        let problem = format!("{} bytes instead of {length}: it changed while being read", header.len());
        return Err(Error::Source { source_name: file.to_string(), problem });
    }
    Ok(header)
}

/// Where the data lie in the file.
#[derive(Clone, Copy)]
struct Data {
    start: u64,
    len: u64,
}

/// Where one tensor's bytes lie in the data, and which of the header's bytes says so.
struct Span {
    begin: u64,
    end: u64,
    name: String,
    said_at: u64,
}

/// A header on its way to a [`Part`].
struct Directory<'a> {
    file: &'a str,
    text: &'a str,
    data: Data,
    source_index: usize,
    part: Part,
    spans: Vec<Span>,
    /// What is wrong with an entry, which the JSON parser's own errors cannot carry.
    error: Option<Error>,
}

impl<'a> Directory<'a> {
    fn add(&mut self, name: &str, entry: &'a RawValue) -> Result<()> {
        // Both are slices of one text.
        let said_at = LENGTH_BYTES + (entry.get().as_ptr().addr() - self.text.as_ptr().addr()) as u64;
        if name.is_empty() || name.len() > LONGEST_NAME {
            let problem = format!("a name of {} bytes: from 1 to {LONGEST_NAME} are allowed", name.len());
            return Err(Error::format(self.file, "header", said_at, problem));
        }
        let wrong =
            |part: &str, problem: String| Error::format(self.file, format!("{name}{part}"), said_at, problem);
        let parsed = serde_json::from_str(entry.get());
        let entry: Entry<'a> = parsed
            .map_err(|error| json::mistake(self.file, name, said_at, entry.get().as_bytes(), &error))?;
        let [begin, end] = entry.data_offsets;
        if begin > end {
            return Err(wrong(".data_offsets", format!("it ends at {end}, before it begins at {begin}")));
        }
        if end > self.data.len {
            let problem = format!(
                "its data end at byte {end} of the data, but the file has only {} of them: it is truncated or damaged, \
                 get it again",
                self.data.len
            );
            return Err(wrong(".data_offsets", problem));
        }
        if self.part.tensors.contains_key(name) || self.part.foreign.contains_key(name) {
            return Err(wrong("", "the name appears twice".into()));
        }
        match entry.kind().map_err(|(part, problem)| wrong(part, problem))? {
            Kind::Foreign(dtype) => {
                self.part.foreign.insert(name.to_string(), dtype);
            }
            Kind::Known(dtype, shape) => {
                let (source, offset) = (self.source_index, self.data.start + begin);
                let info = TensorInfo { dtype, shape, source, offset, n_bytes: end - begin };
                self.part.tensors.insert(name.to_string(), info);
            }
        }
        self.spans.push(Span { begin, end, name: name.to_string(), said_at });
        Ok(())
    }

    /// Every byte of the data must belong to one tensor, as the format demands.
    fn check_spans(&mut self) -> Result<()> {
        self.spans.sort_by_key(|span| (span.begin, span.end));
        let mut before = ("", 0);
        for Span { begin, end, name, said_at } in &self.spans {
            let (previous, covered) = before;
            if *begin != covered {
                let problem = if *begin < covered {
                    format!("its data overlap those of {previous}")
                } else {
                    format!("{} bytes before its data belong to no tensor", begin - covered)
                };
                return Err(Error::format(self.file, format!("{name}.data_offsets"), *said_at, problem));
            }
            before = (name, *end);
        }
        if before.1 != self.data.len {
            let problem = format!("{} bytes behind the last tensor belong to none", self.data.len - before.1);
            return Err(Error::format(self.file, "data", self.data.start + before.1, problem));
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for &mut Directory<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((Name(name), entry)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            if name == METADATA {
                continue;
            }
            if let Err(error) = self.add(&name, entry) {
                let text = error.to_string();
                self.error = Some(error);
                return Err(A::Error::custom(text));
            }
        }
        Ok(())
    }
}
