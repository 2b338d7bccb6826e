//! Reads GGUF, versions 2 and 3, little endian: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.
//!
//! ```text
//! "GGUF"  version u32  tensor_count u64  metadata_kv_count u64
//! metadata_kv_count × (key string, type u32, value)
//! tensor_count × (name string, n_dims u32, sizes u64 × n_dims, type u32, offset u64)
//! padding to general.alignment, then the data that offsets count from
//! ```
//! A string is a length `u64` and its bytes. Every count, length and offset is checked against what is left of the
//! file before memory is taken for it.

mod cursor;
mod directory;
mod types;
mod values;

use std::collections::BTreeMap;

use self::cursor::{Cursor, Field};
pub(super) use self::{
    directory::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT, LARGEST_ALIGNMENT},
    types::n_bytes,
};
use super::{Source, TensorInfo, metadata::Metadata, sniff::looks_like};
use crate::error::{Error, Result};

pub use types::ValueType;

/// The first four bytes.
pub(super) const MAGIC: [u8; 4] = *b"GGUF";
/// Bytes that tell most kinds of files apart.
const SNIFFED: usize = 64;

/// What one GGUF file says: a whole model, or a part of a split one.
pub(super) struct Part {
    pub metadata: Metadata,
    pub tensors: BTreeMap<String, TensorInfo>,
}

/// Reads the header of `source`, whose tensors get `source_index`.
pub(super) async fn read(source: &dyn Source, source_index: usize) -> Result<Part> {
    let mut cursor = Cursor::new(source);
    check_magic(&mut cursor).await?;
    check_version(&mut cursor).await?;

    let (n_tensors, n_pairs) = (Field::new("tensor_count"), Field::new("metadata_kv_count"));
    let tensors_at = cursor.position();
    let tensor_count = cursor.u64(n_tensors).await?;
    let pairs_at = cursor.position();
    let pair_count = cursor.u64(n_pairs).await?;
    cursor.claim(tensor_count, directory::SMALLEST_RECORD, n_tensors, tensors_at)?;
    cursor.claim(pair_count, values::SMALLEST_PAIR, n_pairs, pairs_at)?;

    let metadata = values::read_metadata(&mut cursor, pair_count).await?;
    // Again, now that the metadata is behind us.
    cursor.claim(tensor_count, directory::SMALLEST_RECORD, n_tensors, tensors_at)?;
    let tensors = directory::read_tensors(&mut cursor, tensor_count, &metadata, source_index).await?;
    Ok(Part { metadata, tensors })
}

async fn check_magic(cursor: &mut Cursor<'_>) -> Result<()> {
    let field = Field::new("magic");
    let head = cursor.peek(SNIFFED, field).await?;
    if head.starts_with(&MAGIC) {
        cursor.take(MAGIC.len(), field).await?;
        return Ok(());
    }
    let problem = match looks_like(head) {
        _ if head.is_empty() => "the file is empty".to_string(),
        Some(kind) => format!("not a GGUF model: it looks like {kind}"),
        None => {
            let start = &head[..head.len().min(MAGIC.len())];
            format!("not a GGUF model: it starts with \"{}\"", start.escape_ascii())
        }
    };
    Err(cursor.error(field, 0, problem))
}

async fn check_version(cursor: &mut Cursor<'_>) -> Result<()> {
    let version = cursor.u32(Field::new("version")).await?;
    let unsupported = |found: String, hint: &str| {
        Err(Error::unsupported("GGUF file", found, format!("{}: {hint}", cursor.source().name())))
    };
    match version {
        2 | 3 => Ok(()),
        1 => unsupported("version 1".into(), "convert the model again with a tool of today"),
        // The file's own byte order: a small number swapped.
        v if v.swap_bytes() < 1 << 16 && v != 0 => {
            unsupported(format!("big endian, version {}", v.swap_bytes()), "convert it to little endian")
        }
        v => unsupported(format!("version {v}"), "only versions 2 and 3 are read"),
    }
}
