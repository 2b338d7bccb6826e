//! The numbers that GGUF gives to types of metadata values and of tensors.

use crate::quant::DType;

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

/// How a tensor type packs its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packing {
    pub dtype: DType,
    pub ggml_id: u32,
    pub block_len: u64,
    pub block_bytes: u64,
}

impl Packing {
    /// Finds a type by what distinguishes it.
    pub fn find(is: impl Fn(&Packing) -> bool) -> Option<Packing> {
        let all = [
            (DType::F32, 0, 1, 4),
            (DType::F16, 1, 1, 2),
            (DType::Q4_0, 2, 32, 18),
            (DType::Q4_1, 3, 32, 20),
            (DType::Q5_0, 6, 32, 22),
            (DType::Q5_1, 7, 32, 24),
            (DType::Q8_0, 8, 32, 34),
            (DType::Q2_K, 10, 256, 84),
            (DType::Q3_K, 11, 256, 110),
            (DType::Q4_K, 12, 256, 144),
            (DType::Q5_K, 13, 256, 176),
            (DType::Q6_K, 14, 256, 210),
            (DType::BF16, 30, 1, 2),
        ];
        all.into_iter()
            .map(|(dtype, ggml_id, block_len, block_bytes)| Packing {
                dtype,
                ggml_id,
                block_len,
                block_bytes,
            })
            .find(is)
    }

    /// Bytes of a tensor with these sizes, slowest first; or what is wrong with them.
    pub fn n_bytes(self, shape: &[u64]) -> Result<u64, String> {
        if let Some(axis) = shape.iter().position(|&n| n == 0) {
            return Err(format!("axis {axis} of {shape:?} has no elements"));
        }
        let row = shape.last().copied().unwrap_or(1);
        if !row.is_multiple_of(self.block_len) {
            return Err(format!(
                "a row of {row} is no multiple of {}, the block length of {:?}",
                self.block_len, self.dtype
            ));
        }
        let n = shape.iter().try_fold(1u64, |n, &size| n.checked_mul(size));
        n.and_then(|n| (n / self.block_len).checked_mul(self.block_bytes))
            .ok_or_else(|| format!("{shape:?} has too many elements to count"))
    }
}

/// llama.cpp's name of a tensor type that this crate does not run.
pub(super) fn foreign_name(ggml_id: u32) -> Option<&'static str> {
    Some(match ggml_id {
        4 => "Q4_2",
        5 => "Q4_3",
        9 => "Q8_1",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        31 => "Q4_0_4_4",
        32 => "Q4_0_4_8",
        33 => "Q4_0_8_8",
        34 => "TQ1_0",
        35 => "TQ2_0",
        36 => "IQ4_NL_4_4",
        37 => "IQ4_NL_4_8",
        38 => "IQ4_NL_8_8",
        39 => "MXFP4",
        40 => "NVFP4",
        41 => "Q1_0",
        42 => "Q2_0",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packing(dtype: DType) -> Packing {
        Packing::find(|p| p.dtype == dtype).unwrap()
    }

    #[test]
    fn value_types_are_listed_in_the_order_of_their_numbers() {
        for (id, kind) in ValueType::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, id);
        }
    }

    #[test]
    fn bytes_count_whole_blocks_of_rows() {
        assert_eq!(packing(DType::F32).n_bytes(&[3, 5]), Ok(60));
        assert_eq!(packing(DType::Q4_0).n_bytes(&[2, 64]), Ok(72));
        assert_eq!(packing(DType::F32).n_bytes(&[]), Ok(4));
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        assert!(
            packing(DType::Q4_K).n_bytes(&[256, 32]).unwrap_err().contains("256, the block length of Q4_K")
        );
        assert!(packing(DType::F32).n_bytes(&[1 << 32, 1 << 32]).unwrap_err().contains("too many"));
        assert!(packing(DType::F32).n_bytes(&[1 << 62]).unwrap_err().contains("too many"));
        assert!(packing(DType::F32).n_bytes(&[0, 8]).unwrap_err().contains("axis 0"));
    }

    #[test]
    fn no_type_is_both_known_and_foreign() {
        for id in 0..64 {
            assert!(Packing::find(|p| p.ggml_id == id).is_none() || foreign_name(id).is_none(), "{id}");
        }
    }
}
