//! Block formats of quantized weights: for every GGUF type one file with its block, the scalar dequantization
//! that is the truth for all kernels, and how its bytes are laid out for the GPU.
//!
//! A new type is one Rust file here, one `shaders/lib/dequant_<name>.wgsl` (or that of a type whose layout it shares), its
//! `mod` line and its line in [`types!`]; nothing else knows the types one by one.

mod block;
mod dot;
mod fit;
mod grid;
mod info;
mod iq1;
mod iq2;
mod iq3;
mod levels;
mod rows;

mod bf16;
mod f16;
mod f32;
mod iq1_m;
mod iq1_s;
mod iq2_s;
mod iq2_xs;
mod iq2_xxs;
mod iq3_s;
mod iq3_xxs;
mod iq4_nl;
mod iq4_xs;
mod mxfp4;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
mod tq1_0;
mod tq2_0;

use std::fmt;

pub use block::Half;
pub use dot::dot_f32;
pub use info::{GpuLayout, Quantizer, TypeInfo};
pub use levels::{ABREAST, Levels, Unpacked};
pub use rows::{QuantizedRow, Rows};

/// Weights that kernels on the CPU unpack at a time: a multiple of every block's length.
pub const CHUNK: usize = 256;

/// Makes the enum and the table from one list.
macro_rules! types {
    ($($name:ident => $module:ident,)*) => {
        /// How the numbers of a tensor are stored. Names are llama.cpp's.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(non_camel_case_types)] // `Q4_K` is the name that everybody knows
        #[non_exhaustive]
        pub enum DType { $($name),* }

        /// Every type, in the order of [`DType`].
        pub static TYPES: &[TypeInfo] = &[$($module::INFO),*];
    };
}

types! {
    F32 => f32,
    F16 => f16,
    BF16 => bf16,
    Q4_0 => q4_0,
    Q4_1 => q4_1,
    Q5_0 => q5_0,
    Q5_1 => q5_1,
    Q8_0 => q8_0,
    Q2_K => q2_k,
    Q3_K => q3_k,
    Q4_K => q4_k,
    Q5_K => q5_k,
    Q6_K => q6_k,
    IQ1_S => iq1_s,
    IQ1_M => iq1_m,
    IQ2_XXS => iq2_xxs,
    IQ2_XS => iq2_xs,
    IQ2_S => iq2_s,
    IQ3_XXS => iq3_xxs,
    IQ3_S => iq3_s,
    IQ4_NL => iq4_nl,
    IQ4_XS => iq4_xs,
    TQ1_0 => tq1_0,
    TQ2_0 => tq2_0,
    MXFP4 => mxfp4,
}

impl DType {
    /// What there is to know about the type.
    pub fn info(self) -> &'static TypeInfo {
        &TYPES[self as usize]
    }

    /// The type with this `ggml_type` number, or none if it is one we do not read.
    pub fn from_ggml_id(id: u32) -> Option<DType> {
        TYPES.iter().find(|info| info.ggml_id == id).map(|info| info.dtype)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.info().name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_the_enum() {
        for (i, info) in TYPES.iter().enumerate() {
            assert_eq!(info.dtype as usize, i, "{}", info.name);
            assert_eq!(format!("{:?}", info.dtype), info.name);
        }
    }

    #[test]
    fn a_ggml_number_finds_its_type_and_an_unknown_one_none() {
        for info in TYPES {
            assert_eq!(DType::from_ggml_id(info.ggml_id), Some(info.dtype));
        }
        assert_eq!(DType::from_ggml_id(4), None); // Q4_2, withdrawn from the format
        assert_eq!(DType::from_ggml_id(u32::MAX), None);
    }

    #[test]
    fn a_type_prints_as_llama_cpp_calls_it() {
        assert_eq!(DType::Q4_K.to_string(), "Q4_K");
        assert_eq!(format!("{:>6}", DType::F16), "   F16");
    }
}
