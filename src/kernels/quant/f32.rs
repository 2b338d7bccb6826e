//! F32: single precision, four little-endian bytes a weight.

use super::{DType, GpuLayout, TypeInfo, block};
use bytemuck::{Pod, Zeroable};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::F32,
    name: "F32",
    ggml_id: 0,
    block_len: 1,
    block_bytes: size_of::<F32>(),
    dequantize: block::dequantize::<F32, 1>,
    quantize: Some(block::quantize::<F32, 1>),
    levels: None,
    gpu: GpuLayout {
        unit_len: 32,
        quant_bytes: 128,
        scale_bytes: 0,
        wgsl: crate::wgsl!(include_str!("../../../shaders/lib/dequant_f32.wgsl")),
        repack: |unit, quants, _| quants.copy_from_slice(unit),
    },
};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct F32([u8; 4]);

impl block::Block<1> for F32 {
    fn dequantize(&self, [weight]: &mut [f32; 1]) {
        *weight = f32::from_le_bytes(self.0);
    }
}

impl block::Quantize<1> for F32 {
    fn quantize([weight]: &[f32; 1]) -> Self {
        F32(weight.to_le_bytes())
    }
}
