//! Pipelines, made once for each text and set of constants.

use std::collections::HashMap;

use super::{
    device::Device,
    lower::{Binding, Dispatch},
    shader::{Texts, Variant},
};

/// Everything compiled so far.
#[derive(Default)]
pub struct Pipelines {
    texts: Texts,
    modules: HashMap<Variant, wgpu::ShaderModule>,
    made: HashMap<Key, (wgpu::ComputePipeline, wgpu::BindGroupLayout)>,
}

/// Pipelines are the same where the text and the constants are: the text settles the bindings.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    variant: Variant,
    constants: Vec<(&'static str, u64)>,
}

impl Pipelines {
    /// The pipeline of a dispatch and the layout of its bind group.
    pub fn get(
        &mut self,
        device: &Device,
        dispatch: &Dispatch,
    ) -> (wgpu::ComputePipeline, wgpu::BindGroupLayout) {
        let constants = dispatch.constants.iter().map(|(name, x)| (*name, x.to_bits())).collect();
        let key = Key { variant: dispatch.variant.clone(), constants };
        if let Some(made) = self.made.get(&key) {
            return made.clone();
        }
        let what = format!("the pipeline `{}`", dispatch.variant.kernel);
        let made = device.watch(what, 0, |device| self.make(device, dispatch));
        self.made.insert(key, made.clone());
        made
    }

    fn make(
        &mut self,
        device: &wgpu::Device,
        dispatch: &Dispatch,
    ) -> (wgpu::ComputePipeline, wgpu::BindGroupLayout) {
        let label = Some(dispatch.variant.kernel);
        let layout = bind_group_layout(device, dispatch);
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let texts = &mut self.texts;
        let module = self.modules.entry(dispatch.variant.clone()).or_insert_with(|| {
            let text = texts.get(&dispatch.variant);
            let source = wgpu::ShaderSource::Wgsl((&*text).into());
            device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source })
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &dispatch.constants,
                zero_initialize_workgroup_memory: true,
            },
            cache: None,
        });
        (pipeline, layout)
    }
}

/// The run's parameters, then what the dispatch binds.
fn bind_group_layout(device: &wgpu::Device, dispatch: &Dispatch) -> wgpu::BindGroupLayout {
    let storage = dispatch.bindings.iter().map(|binding| {
        let read_only =
            !matches!(binding.as_ref()?, Binding::Write(_) | Binding::Between { write: true, .. });
        Some(wgpu::BufferBindingType::Storage { read_only })
    });
    let entry = |(ty, binding): (Option<wgpu::BufferBindingType>, u32)| {
        Some(wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty: ty?, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        })
    };
    let run = Some(wgpu::BufferBindingType::Uniform);
    let entries: Vec<_> = std::iter::once(run).chain(storage).zip(0..).filter_map(entry).collect();
    let label = Some(dispatch.variant.kernel);
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries })
}
