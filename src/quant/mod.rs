//! Block formats of quantized weights: for every GGUF type one file with its block, the scalar dequantization
//! that is the truth for all kernels, and how its bytes are laid out for the GPU.
//!
//! A type is one Rust file here and one `shaders/lib/dequant_<name>.wgsl`; [`DType`] and [`TYPES`] list them.

/// How the numbers of a tensor are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(non_camel_case_types)]
pub enum DType {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
}

/// What there is to know about a type.
pub struct TypeInfo {
    /// The type.
    pub dtype: DType,
    /// As llama.cpp prints it, e.g. `Q4_K`.
    pub name: &'static str,
    /// `ggml_type` in a GGUF file.
    pub ggml_id: u32,
    /// Weights in a block; a row's length must be a multiple of it.
    pub block_len: usize,
    /// Bytes of a block.
    pub block_bytes: usize,
    /// One block's bytes to its `block_len` weights.
    pub dequantize: fn(block: &[u8], out: &mut [f32]),
    /// Its layout on the GPU.
    pub gpu: GpuLayout,
}

/// A type's layout on the GPU. A weight matrix becomes two arrays that can be read aligned: `quants` as
/// `array<vec4<u32>>` and `scales` as `array<u32>`; block `b` of the matrix (counting along rows) owns
/// `quants[b * quant_bytes ..]` and `scales[b * scale_bytes ..]`.
pub struct GpuLayout {
    /// Weights that one repacked unit stands for: `block_len`, or 32 for the unblocked float types.
    pub unit_len: usize,
    /// Bytes of `quants` for a unit; a multiple of 16.
    pub quant_bytes: usize,
    /// Bytes of `scales` for a unit; 0 where the type has none.
    pub scale_bytes: usize,
    /// The WGSL text that defines `fn load_block(b: u32) -> array<vec4<f32>, 8>`.
    pub wgsl: &'static str,
    /// One unit's file bytes to its place in the two arrays.
    pub repack: fn(unit: &[u8], quants: &mut [u8], scales: &mut [u8]),
}

/// Every type, in the order of [`DType`].
pub static TYPES: &[TypeInfo] = &[];
