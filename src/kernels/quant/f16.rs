//! F16: half precision, two little-endian bytes a weight.

use super::{
    DType, GpuLayout, TypeInfo,
    block::{self, Half},
};

pub const INFO: TypeInfo = TypeInfo {
    dtype: DType::F16,
    name: "F16",
    ggml_id: 1,
    block_len: 1,
    block_bytes: size_of::<Half>(),
    dequantize: block::dequantize::<Half, 1>,
    quantize: Some(block::quantize::<Half, 1>),
    levels: None,
    gpu: GpuLayout {
        unit_len: 32,
        quant_bytes: 64,
        scale_bytes: 0,
        wgsl: crate::wgsl!(include_str!("../../../shaders/lib/dequant_f16.wgsl")),
        repack: |unit, quants, _| quants.copy_from_slice(unit),
    },
};

impl block::Block<1> for Half {
    fn dequantize(&self, [weight]: &mut [f32; 1]) {
        *weight = self.to_f32();
    }
}

impl block::Quantize<1> for Half {
    fn quantize([weight]: &[f32; 1]) -> Self {
        Half::from_f32(*weight)
    }
}
