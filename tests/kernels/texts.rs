//! The texts themselves.

use std::collections::BTreeSet;

use intab::{backend::gpu, quant::TYPES};

use crate::common;

#[test]
fn every_variant_of_every_kernel_is_valid_wgsl() {
    let mut texts = gpu::Texts::default();
    let variants = gpu::Variant::all();
    let core = naga::valid::Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    for variant in &variants {
        let text = texts.get(variant);
        let module = naga::front::wgsl::parse_str(&text)
            .unwrap_or_else(|e| panic!("{variant:?}: {}", e.emit_to_string(&text)));
        let mut validator = naga::valid::Validator::new(
            naga::valid::ValidationFlags::all(),
            // Halves are unpacked to f32 by a builtin of core WGSL; the f32 tier asks for nothing else.
            match variant.conditions.contains(&"subgroups") {
                true => core | naga::valid::Capabilities::SUBGROUP,
                false => core,
            },
        );
        validator.validate(&module).unwrap_or_else(|e| panic!("{variant:?}: {}", e.emit_to_string(&text)));
        // What WebGPU promises on every device.
        let storage = module
            .global_variables
            .iter()
            .filter(|(_, variable)| matches!(variable.space, naga::AddressSpace::Storage { .. }));
        assert!(storage.count() <= 8, "{variant:?} binds more than 8 storage buffers");
        let layouts = {
            let mut layouts = naga::proc::Layouter::default();
            layouts.update(module.to_ctx()).unwrap();
            layouts
        };
        let workgroup = module
            .global_variables
            .iter()
            .filter(|(_, variable)| variable.space == naga::AddressSpace::WorkGroup)
            .map(|(_, variable)| layouts[variable.ty].size);
        let bytes: u32 = workgroup.sum();
        assert!(bytes <= 16_384, "{variant:?} takes {bytes} bytes of workgroup memory");
    }
    assert!(variants.len() > TYPES.len() * 14);
}

#[test]
fn the_list_of_kernels_and_the_folder_agree() {
    let listed: BTreeSet<String> =
        gpu::Variant::all().iter().map(|variant| format!("{}.wgsl", variant.kernel)).collect();
    let files = std::fs::read_dir(common::repo("shaders")).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<String> = names.filter(|name| name.ends_with(".wgsl")).collect();
    assert_eq!(listed, found);
}
