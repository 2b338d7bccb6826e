//! What every type says of itself.

use super::{DType, Levels};

/// Weights to whole blocks.
pub type Quantizer = fn(weights: &[f32], bytes: &mut [u8]);

/// What there is to know about a type.
#[derive(Debug)]
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
    /// Whole blocks to their weights: `[n * block_bytes] -> [n * block_len]`. The truth for every kernel.
    pub dequantize: fn(bytes: &[u8], weights: &mut [f32]),
    /// Weights to whole blocks, `[n * block_len] -> [n * block_bytes]`, or none where this crate only reads the type.
    pub quantize: Option<Quantizer>,
    /// Its weights as small integers, or none where they are floats or come from a codebook.
    pub levels: Option<Levels>,
    /// Its layout on the GPU.
    pub gpu: GpuLayout,
}

/// A type's layout on the GPU, which has no codebooks: what a block names in one is written out. A weight matrix becomes
/// two arrays that can be read aligned: `quants` as `array<vec4<u32>>` and `scales` as `array<u32>`; unit `u` of the
/// matrix (counting along rows) owns `quants[u * quant_bytes ..]` and `scales[u * scale_bytes ..]`, in bytes.
#[derive(Debug)]
pub struct GpuLayout {
    /// Weights that one repacked unit stands for: `block_len`, or 32 for the unblocked float types, whose rows
    /// are padded with zero weights to whole units.
    pub unit_len: usize,
    /// Bytes of `quants` for a unit; a multiple of 16.
    pub quant_bytes: usize,
    /// Bytes of `scales` for a unit, any even number; 0 where the type has none. The array is padded to words.
    pub scale_bytes: usize,
    /// The WGSL text that defines `fn load_block(b: u32) -> array<vec4<f32>, 8>`: the 32 weights of group `b`,
    /// where groups of 32 weights are counted along rows through the whole matrix.
    pub wgsl: &'static str,
    /// One unit's file bytes to its place in the two arrays (`quant_bytes` and `scale_bytes` long).
    pub repack: fn(unit: &[u8], quants: &mut [u8], scales: &mut [u8]),
}

impl GpuLayout {
    /// Bytes of a row of `n` weights: quants and scales.
    pub fn row_bytes(&self, n: usize) -> [u64; 2] {
        let units = n.div_ceil(self.unit_len) as u64;
        [units * self.quant_bytes as u64, units * self.scale_bytes as u64]
    }
}

impl TypeInfo {
    /// Bytes of a row of `n` weights, where `n` is a multiple of `block_len`.
    pub fn row_bytes(&self, n: usize) -> usize {
        n / self.block_len * self.block_bytes
    }

    /// Unpacks a row: `row_bytes(n)` bytes to `n` weights.
    pub fn dequantize_row(&self, bytes: &[u8], weights: &mut [f32]) {
        debug_assert_eq!(bytes.len(), self.row_bytes(weights.len()), "{} row", self.name);
        (self.dequantize)(bytes, weights);
    }
}
