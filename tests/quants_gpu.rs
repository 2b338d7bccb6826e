//! The shaders that unpack weights, run on a GPU and held to the scalar truth.
//!
//! Needs a Vulkan, Metal or DirectX adapter (a software one will do). Without one the test says that it was skipped,
//! or fails where `INTAB_REQUIRE_GPU=1` is set.

mod random;

use std::{collections::BTreeMap, fs, path::Path};

use random::Random;

use intab::quant::{TYPES, TypeInfo};
use wgpu::util::DeviceExt as _;

const SHADERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/lib");

/// A kernel that writes down every group of 32 weights.
fn kernel(info: &TypeInfo) -> String {
    format!(
        "@group(0) @binding(0) var<storage, read> w_quants: array<vec4<u32>>;
        @group(0) @binding(1) var<storage, read> w_scales: array<u32>;
        @group(0) @binding(2) var<storage, read_write> weights: array<array<vec4<f32>, 8>>;
        {}
        @compute @workgroup_size(1)
        fn main(@builtin(workgroup_id) group: vec3<u32>) {{
            weights[group.x] = load_block(group.x);
        }}",
        info.gpu.wgsl
    )
}

/// A file without comments and indentation.
fn code_of(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.lines().map(|line| line.split("//").next().unwrap().trim_start_matches(' '));
    code.filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_list_of_types_and_the_folder_of_shaders_agree() {
    let mut left: BTreeMap<String, String> = fs::read_dir(SHADERS)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("dequant_"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into(), code_of(&path)))
        .collect();
    // The types that are laid out as another one is on the GPU.
    let kin = BTreeMap::from([("IQ2_S", "IQ2_XS"), ("TQ1_0", "TQ2_0")]);
    let files = left.clone();
    for info in TYPES {
        let name = kin.get(info.name).unwrap_or(&info.name);
        let file = format!("dequant_{}", name.to_lowercase());
        assert!(info.gpu.wgsl.ends_with(files[&file].as_str()), "{}", info.name);
        left.remove(&file);
    }
    assert!(left.is_empty(), "no type has {:?}", left.keys());
}

#[test]
fn every_shader_is_valid_without_any_optional_feature() {
    for info in TYPES {
        let module = naga::front::wgsl::parse_str(&kernel(info))
            .unwrap_or_else(|e| panic!("{}: {}", info.name, e.emit_to_string(&kernel(info))));
        // naga counts `unpack2x16float` as an extra; WGSL has it everywhere.
        let core = naga::valid::Capabilities::SHADER_FLOAT16_IN_FLOAT32;
        naga::valid::Validator::new(Default::default(), core)
            .validate(&module)
            .unwrap_or_else(|e| panic!("{}: {e:?}", info.name));
    }
}

#[test]
fn the_gpu_unpacks_the_same_weights_as_the_cpu() {
    let Some((device, queue)) = device() else { return };
    let mut random = Random::fresh();
    for info in TYPES {
        // An odd number of units, more than one, so that scales begin in the middle of words.
        let (units, gpu) = (7, &info.gpu);
        let bytes = random.blocks(info.name, info.block_bytes, units * gpu.unit_len / info.block_len);
        let mut expected = vec![0.0; units * gpu.unit_len];
        info.dequantize_row(&bytes, &mut expected);

        let mut quants = vec![0; units * gpu.quant_bytes];
        let mut scales = vec![0; (units * gpu.scale_bytes).next_multiple_of(4).max(4)];
        for (u, unit) in bytes.chunks_exact(info.row_bytes(gpu.unit_len)).enumerate() {
            let scales = &mut scales[u * gpu.scale_bytes..][..gpu.scale_bytes];
            (gpu.repack)(unit, &mut quants[u * gpu.quant_bytes..][..gpu.quant_bytes], scales);
        }
        let weights = run(&device, &queue, &kernel(info), &quants, &scales, expected.len() / 32);
        for (i, (ours, truth)) in weights.iter().zip(&expected).enumerate() {
            let largest = expected[i / 32 * 32..][..32].iter().fold(0.0f32, |most, w| most.max(w.abs()));
            assert!((ours - truth).abs() <= 1e-6 * largest, "{} weight {i}: {ours} for {truth}", info.name);
        }
    }
}

fn device() -> Option<(wgpu::Device, wgpu::Queue)> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = match pollster::block_on(instance.request_adapter(&Default::default())) {
        Ok(adapter) => adapter,
        Err(problem) => {
            assert!(std::env::var("INTAB_REQUIRE_GPU").is_err(), "no GPU adapter: {problem}");
            println!("skipped: no GPU adapter ({problem})");
            return None;
        }
    };
    println!("on {}", adapter.get_info().name);
    Some(
        pollster::block_on(adapter.request_device(&Default::default()))
            .expect("a device with default limits"),
    )
}

fn run(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    wgsl: &str,
    quants: &[u8],
    scales: &[u8],
    groups: usize,
) -> Vec<f32> {
    use wgpu::BufferUsages as Usage;
    let input = |contents| {
        device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents,
            usage: Usage::STORAGE,
        })
    };
    let poison = vec![0xff; groups * 128]; // NaN in every place
    let output = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: None,
        contents: &poison,
        usage: Usage::STORAGE | Usage::COPY_SRC,
    });
    let buffers = [input(quants), input(scales), output];
    let read_only = [true, true, false];
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: None,
        entries: &[0, 1, 2].map(|i| wgpu::BindGroupLayoutEntry {
            binding: i as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only: read_only[i] },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        }),
    });
    let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &layout,
        entries: &[0, 1, 2]
            .map(|i| wgpu::BindGroupEntry { binding: i as u32, resource: buffers[i].as_entire_binding() }),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: Some(&device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        })),
        module: &device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(wgsl.into()),
        }),
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    });
    let staging = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: poison.len() as u64,
        usage: Usage::MAP_READ | Usage::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bind_group, &[]);
        pass.dispatch_workgroups(groups as u32, 1, 1);
    }
    encoder.copy_buffer_to_buffer(&buffers[2], 0, &staging, 0, staging.size());
    queue.submit([encoder.finish()]);
    staging.map_async(wgpu::MapMode::Read, .., |result| result.expect("mapped"));
    device.poll(wgpu::PollType::wait_indefinitely()).expect("the GPU finishes");
    let mapped = staging.get_mapped_range(..).expect("mapped");
    bytemuck::pod_collect_to_vec(&mapped[..])
}
