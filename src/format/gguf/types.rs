//! The numbers that GGUF gives to types of metadata values and of tensors.

use crate::quant::{DType, TypeInfo};

/// The type of a metadata value, by its number in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ValueType {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl ValueType {
    /// Every type, in the order of their numbers.
    pub const ALL: [ValueType; 13] = {
        use ValueType::*;
        [U8, I8, U16, I16, U32, I32, F32, Bool, String, Array, U64, I64, F64]
    };

    /// The type with this number.
    pub fn from_id(id: u32) -> Option<Self> {
        Self::ALL.get(id as usize).copied()
    }

    /// Bytes that a value takes at least.
    pub(super) fn smallest(self) -> u64 {
        match self {
            ValueType::U8 | ValueType::I8 | ValueType::Bool => 1,
            ValueType::U16 | ValueType::I16 => 2,
            ValueType::U32 | ValueType::I32 | ValueType::F32 => 4,
            ValueType::U64 | ValueType::I64 | ValueType::F64 => 8,
            // Its length.
            ValueType::String => 8,
            // Element type and count.
            ValueType::Array => 12,
        }
    }
}

/// Bytes of a tensor with these sizes, slowest first; or what is wrong with them.
pub(crate) fn n_bytes(dtype: DType, shape: &[u64]) -> Result<u64, String> {
    if let Some(axis) = shape.iter().position(|&n| n == 0) {
        return Err(format!("axis {axis} of {shape:?} has no elements"));
    }
    let TypeInfo { block_len, block_bytes, .. } = *dtype.info();
    let row = shape.last().copied().unwrap_or(1);
    if !row.is_multiple_of(block_len as u64) {
        return Err(format!("a row of {row} is no multiple of {block_len}, the block length of {dtype}"));
    }
    let n = shape.iter().try_fold(1u64, |n, &size| n.checked_mul(size));
    n.and_then(|n| (n / block_len as u64).checked_mul(block_bytes as u64))
        .ok_or_else(|| format!("{shape:?} has too many elements to count"))
}

/// llama.cpp's name of a tensor type that this crate does not run.
pub(super) fn foreign_name(ggml_id: u32) -> Option<&'static str> {
    Some(match ggml_id {
        4 => "Q4_2",
        5 => "Q4_3",
        9 => "Q8_1",
        15 => "Q8_K",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        31 => "Q4_0_4_4",
        32 => "Q4_0_4_8",
        33 => "Q4_0_8_8",
        36 => "IQ4_NL_4_4",
        37 => "IQ4_NL_4_8",
        38 => "IQ4_NL_8_8",
        40 => "NVFP4",
        41 => "Q1_0",
        42 => "Q2_0",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::TYPES;

    #[test]
    fn value_types_are_listed_in_the_order_of_their_numbers() {
        for (id, kind) in ValueType::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, id);
        }
    }

    #[test]
    fn bytes_count_whole_blocks_of_rows() {
        assert_eq!(n_bytes(DType::F32, &[3, 5]), Ok(60));
        assert_eq!(n_bytes(DType::Q4_0, &[2, 64]), Ok(72));
        assert_eq!(n_bytes(DType::F32, &[]), Ok(4));
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        for info in TYPES.iter().filter(|info| info.block_len > 1) {
            let problem = n_bytes(info.dtype, &[2, info.block_len as u64 * 3 / 2]).unwrap_err();
            let wanted = format!("{}, the block length of {}", info.block_len, info.name);
            assert!(problem.contains(&wanted), "{problem}");
        }
        assert!(n_bytes(DType::F32, &[1 << 32, 1 << 32]).unwrap_err().contains("too many"));
        assert!(n_bytes(DType::F32, &[1 << 62]).unwrap_err().contains("too many"));
        assert!(n_bytes(DType::F32, &[0, 8]).unwrap_err().contains("axis 0"));
    }

    #[test]
    fn no_type_is_both_known_and_foreign() {
        for id in 0..64 {
            assert!(DType::from_ggml_id(id).is_none() || foreign_name(id).is_none(), "{id}");
        }
    }
}
