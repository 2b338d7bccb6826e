//! One tensor's entry in the header: its type, sizes and bytes, and whether they agree.

use std::borrow::Cow;

use serde::Deserialize;

use crate::{format::gguf::n_bytes, quant::DType};

/// Names of tensors are a few dozen bytes long; a message must be able to show one.
pub(super) const LONGEST_NAME: usize = 1024;
/// The largest number of sizes that PyTorch's own files have is 5.
const MOST_DIMS: usize = 16;
/// Types have short names.
const LONGEST_DTYPE: usize = 32;

/// Types of the format, and bits of one number.
const FOREIGN: &[(&str, u64)] = &[
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

/// A key of the header, borrowed from it where it has no escapes.
#[derive(Deserialize)]
pub(super) struct Name<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// An entry as it is written.
#[derive(Deserialize)]
pub(super) struct Entry<'a> {
    #[serde(borrow)]
    dtype: Cow<'a, str>,
    shape: Vec<u64>,
    /// First byte, and the byte behind the last.
    pub data_offsets: [u64; 2],
}

/// What there is to do with a tensor.
pub(super) enum Kind {
    /// Its numbers can be read, and these are its sizes.
    Known(DType, Vec<usize>),
    /// The file may hold it, but nothing may use it. In words for a message.
    Foreign(String),
}

impl Entry<'_> {
    /// Checks the entry in itself.
    ///
    /// # Errors
    /// The part of the entry that is wrong, and what is wrong with it.
    pub fn kind(&self) -> Result<Kind, (&'static str, String)> {
        let Entry { dtype, shape, data_offsets: [begin, end] } = self;
        let held = end - begin;
        let shape_error = |problem| (".shape", problem);
        if shape.len() > MOST_DIMS {
            return Err(shape_error(format!("{} sizes, but at most {MOST_DIMS} are read", shape.len())));
        }
        if dtype.len() > LONGEST_DTYPE {
            return Err((".dtype", format!("{} bytes are no name of a type", dtype.len())));
        }
        let check = |n_bytes: u64| {
            let problem =
                || format!("{dtype} {shape:?} takes {n_bytes} bytes, but {held} are set aside for it");
            if n_bytes == held { Ok(()) } else { Err((".data_offsets", problem())) }
        };
        let known = match dtype.as_ref() {
            "F32" => DType::F32,
            "F16" => DType::F16,
            "BF16" => DType::BF16,
            foreign => {
                if let Some((_, bits)) = FOREIGN.iter().find(|(name, _)| *name == foreign) {
                    check(foreign_bytes(*bits, shape).map_err(shape_error)?)?;
                }
                return Ok(Kind::Foreign(foreign.to_string()));
            }
        };
        if shape.contains(&0) {
            check(0)?;
            return Ok(Kind::Foreign(format!("{known} without elements, {shape:?}")));
        }
        check(n_bytes(known, shape).map_err(shape_error)?)?;
        let sizes: Result<_, _> = shape.iter().map(|&n| usize::try_from(n)).collect();
        let sizes = sizes.map_err(|_| shape_error(format!("{shape:?} is too large for this machine")))?;
        Ok(Kind::Known(known, sizes))
    }
}

/// Bytes of a tensor of numbers of so many bits.
fn foreign_bytes(bits: u64, shape: &[u64]) -> Result<u64, String> {
    let total = match shape.contains(&0) {
        true => Some(0),
        false => shape.iter().try_fold(bits, |n, &size| n.checked_mul(size)),
    };
    match total {
        Some(bits) if bits.is_multiple_of(8) => Ok(bits / 8),
        Some(bits) => Err(format!("{shape:?} takes {bits} bits, which are no whole bytes")),
        None => Err(format!("{shape:?} has too many elements to count")),
    }
}
