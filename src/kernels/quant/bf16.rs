//! BF16: the upper half of single precision, two little-endian bytes a weight.

use super::{DType, GpuLayout, TypeInfo, block};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::BF16,
    name: "BF16",
    ggml_id: 30,
    block_len: 1,
    block_bytes: size_of::<BF16>(),
    dequantize: block::dequantize::<BF16, 1>,
    quantize: Some(block::quantize::<BF16, 1>),
    levels: None,
    gpu: GpuLayout {
        unit_len: 32,
        quant_bytes: 64,
        scale_bytes: 0,
        wgsl: crate::wgsl!(include_str!("../../../shaders/lib/dequant_bf16.wgsl")),
        repack: |unit, quants, _| quants.copy_from_slice(unit),
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct BF16([u8; 2]);

impl block::Block<1> for BF16 {
    fn dequantize(&self, [weight]: &mut [f32; 1]) {
        *weight = f32::from_bits(u32::from(u16::from_le_bytes(self.0)) << 16);
    }
}

impl block::Quantize<1> for BF16 {
    /// Nearest, ties to even; a NaN stays one.
    fn quantize([weight]: &[f32; 1]) -> Self {
        BF16(half::bf16::from_f32(*weight).to_le_bytes())
    }
}
