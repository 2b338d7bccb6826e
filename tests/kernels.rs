//! Every operation, alone, on both backends: odd sizes, fresh random inputs, outputs poisoned first. The CPU backend is
//! the reference; where its own formula is in question (attention, norms) golden tests hold it to other people's numbers.

mod common;
mod random;

use intab::{
    backend::{Backend, Kind, Prepared, WeightSpec, gpu},
    plan::{AttentionShape, Builder, Plan, RopeStyle, Run, Sampling, Stage, Value},
    quant::{DType, TYPES},
};
use pollster::block_on;
use random::Random;

/// A plan on one backend.
struct Bench {
    backend: Box<dyn Backend>,
    plan: Plan,
    prepared: Prepared,
}

/// A weight to write before the plan is prepared: name, type, rows, columns, bytes, whether it is a vector.
struct Weight {
    name: &'static str,
    dtype: DType,
    rows: usize,
    cols: usize,
    bytes: Vec<u8>,
    vector: bool,
}

impl Weight {
    fn vector(name: &'static str, numbers: &[f32]) -> Weight {
        let bytes = bytemuck::cast_slice(numbers).to_vec();
        Weight { name, dtype: DType::F32, rows: 1, cols: numbers.len(), bytes, vector: true }
    }

    /// Random weights; where this crate cannot quantize to the type, random blocks.
    fn matrix(name: &'static str, dtype: DType, rows: usize, cols: usize, rng: &mut fastrand::Rng) -> Weight {
        let info = dtype.info();
        let n_blocks = rows * cols / info.block_len;
        let bytes = if let Some(quantize) = info.quantize {
            let mut bytes = vec![0; n_blocks * info.block_bytes];
            quantize(&common::floats(rng, rows * cols), &mut bytes);
            bytes
        } else {
            Random(rng.u64(..)).blocks(info.name, info.block_bytes, n_blocks)
        };
        Weight { name, dtype, rows, cols, bytes, vector: false }
    }
}

impl Bench {
    fn new(kind: Kind, plan: &Plan, weights: &[Weight]) -> Option<Bench> {
        let mut backend = common::backend(kind)?;
        for w in weights {
            let Weight { name, dtype, rows, cols, vector, .. } = *w;
            let spec = WeightSpec { name, dtype, rows, cols, vector };
            backend.write_weight(&spec, 0, &w.bytes).unwrap();
        }
        let prepared = block_on(backend.prepare(plan)).unwrap();
        Some(Bench { backend, plan: plan.clone(), prepared })
    }

    /// Writes rows of `cols` numbers at the value's stride, with zeros as padding.
    fn write(&mut self, value: Value, numbers: &[f32]) {
        let info = &self.plan[value];
        let mut padded = vec![0.0; info.rows * info.stride()];
        for (row, from) in padded.chunks_exact_mut(info.stride()).zip(numbers.chunks_exact(info.cols)) {
            row[..info.cols].copy_from_slice(from);
        }
        self.backend.write_value(self.prepared, value, &padded).unwrap();
    }

    /// Fills a value with numbers that no kernel may leave or read.
    fn poison(&mut self, value: Value) {
        let n = self.plan[value].rows * self.plan[value].cols;
        self.write(value, &vec![-1e30; n]);
    }

    fn run(&mut self, pos: usize, n_rows: usize) {
        let run = Run { pos: pos as u32, n_rows: n_rows as u32, draw: 0, sampling: Sampling::GREEDY };
        self.backend.run(self.prepared, &run, Stage::Sample).unwrap();
    }

    /// The first `n_rows` rows of a value, without padding.
    fn read(&mut self, value: Value, n_rows: usize) -> Vec<f32> {
        let (stride, cols) = (self.plan[value].stride(), self.plan[value].cols);
        let all = block_on(self.backend.read_value(self.prepared, value, 0, n_rows * stride)).unwrap();
        all.chunks_exact(stride).flat_map(|row| row[..cols].to_vec()).collect()
    }
}

/// Runs one plan on both backends, with the same inputs, and compares one output.
fn compare(
    what: &str,
    plan: &Plan,
    weights: &[Weight],
    inputs: &[(Value, Vec<f32>)],
    (pos, n_rows): (usize, usize),
    (output, out_rows): (Value, usize),
    limit: f64,
) {
    let mut results = Vec::new();
    for kind in [Kind::Cpu, Kind::Gpu] {
        let Some(mut bench) = Bench::new(kind, plan, weights) else { return };
        if !inputs.iter().any(|(value, _)| *value == output) {
            bench.poison(output);
        }
        for (value, numbers) in inputs {
            bench.write(*value, numbers);
        }
        bench.run(pos, n_rows);
        results.push(bench.read(output, out_rows));
    }
    let nmse = common::nmse(&results[0], &results[1]);
    assert!(nmse <= limit, "{what}: NMSE {nmse:e} is above {limit:e}");
}

/// The NMSE allowed between two orders of f32 sums.
const F32: f64 = 1e-7;

#[test]
fn linear_agrees_for_every_type() {
    let mut rng = common::rng();
    for info in TYPES {
        let step = info.block_len;
        // Rows of one block and of several; outputs and rows that fill no tile.
        for (n_in, n_out, rows) in
            [(step.max(32), 1, 1), (step * 3, 37, 1), (step * 3, 70, 33), (step * 40, 9, 5)]
        {
            let w = Weight::matrix("w", info.dtype, n_out, n_in, &mut rng);
            for (with_bias, add) in [(false, false), (true, true)] {
                let mut b = Builder::new("linear", rows);
                let x = b.activation("x", rows, n_in);
                let matrix = b.matrix("w", info.dtype, n_out, n_in);
                let bias = with_bias.then(|| b.vector("bias", n_out));
                let y = b.activation("y", rows, n_out);
                b.linear_to(x, matrix, bias, y, add);
                let plan = b.finish();
                let bias = Weight::vector("bias", &common::floats(&mut rng, n_out));
                let weights = [Weight { bytes: w.bytes.clone(), ..w }, bias];
                let mut inputs = vec![(x, common::floats(&mut rng, rows * n_in))];
                if add {
                    inputs.push((y, common::floats(&mut rng, rows * n_out)));
                }
                let what =
                    format!("{} [{n_out}, {n_in}] on {rows} rows, bias {with_bias}, add {add}", info.name);
                compare(&what, &plan, &weights, &inputs, (0, rows), (y, rows), F32);
            }
        }
    }
}

#[test]
fn rows_that_are_no_multiple_of_a_group_are_padded() {
    let mut rng = common::rng();
    for (dtype, n_in) in [(DType::F32, 1), (DType::F32, 45), (DType::F16, 100), (DType::BF16, 33)] {
        for rows in [1, 3] {
            let w = Weight::matrix("w", dtype, 19, n_in, &mut rng);
            let mut b = Builder::new("linear", rows);
            let x = b.activation("x", rows, n_in);
            let matrix = b.matrix("w", dtype, 19, n_in);
            let y = b.linear(x, matrix, None, "y");
            let plan = b.finish();
            let inputs = [(x, common::floats(&mut rng, rows * n_in))];
            compare(&format!("{dtype:?} {n_in}"), &plan, &[w], &inputs, (0, rows), (y, rows), F32);
        }
    }
}

#[test]
fn a_run_of_fewer_rows_leaves_the_others_alone() {
    let mut rng = common::rng();
    let w = Weight::matrix("w", DType::F32, 40, 64, &mut rng);
    let mut b = Builder::new("linear", 50);
    let x = b.activation("x", 50, 64);
    let matrix = b.matrix("w", DType::F32, 40, 64);
    let y = b.linear(x, matrix, None, "y");
    let plan = b.finish();
    let inputs = [(x, common::floats(&mut rng, 50 * 64))];
    for kind in [Kind::Cpu, Kind::Gpu] {
        let weight = Weight { bytes: w.bytes.clone(), ..w };
        let Some(mut bench) = Bench::new(kind, &plan, &[weight]) else { return };
        bench.poison(y);
        bench.write(x, &inputs[0].1);
        bench.run(0, 35);
        let all = bench.read(y, 50);
        assert!(all[..35 * 40].iter().all(|v| *v > -1e29), "{kind:?}: rows of the run are written");
        assert!(all[35 * 40..].iter().all(|v| *v == -1e30), "{kind:?}: the others are not");
    }
}

#[test]
fn embedding_rows_are_unpacked() {
    let mut rng = common::rng();
    for info in TYPES {
        let n_embd = info.block_len.max(32) * 3;
        let table = Weight::matrix("table", info.dtype, 11, n_embd, &mut rng);
        let mut results = Vec::new();
        for kind in [Kind::Cpu, Kind::Gpu] {
            let mut b = Builder::new("embed", 5);
            let ids = b.state_u32("ids", 5);
            let matrix = b.matrix("table", info.dtype, 11, n_embd);
            let y = b.embed(ids, matrix);
            let weight = Weight { bytes: table.bytes.clone(), ..table };
            let Some(mut bench) = Bench::new(kind, &b.finish(), &[weight]) else { return };
            bench.poison(y);
            bench.backend.write_u32("ids", 0, &[10, 0, 3, 3]).unwrap();
            bench.run(0, 4);
            results.push(bench.read(y, 4));
        }
        assert!(common::nmse(&results[0], &results[1]) <= 1e-12, "{}", info.name);
    }
}

#[test]
fn rms_norm_agrees_on_whole_rows_and_on_heads() {
    let mut rng = common::rng();
    for (n, groups, rows) in [(1, 1, 1), (33, 1, 3), (576, 1, 2), (16, 5, 7)] {
        let weight = Weight::vector("weight", &common::floats(&mut rng, n));
        let mut b = Builder::new("norm", rows);
        let x = b.activation("x", rows, n * groups);
        let w = b.vector("weight", n);
        let y = b.rms_norm(x, w, 1e-5);
        let plan = b.finish();
        let inputs = [(x, common::floats(&mut rng, rows * n * groups))];
        compare("rms_norm", &plan, &[weight], &inputs, (0, rows), (y, rows), F32);

        let weight = Weight::vector("weight", &common::floats(&mut rng, n));
        let mut b = Builder::new("norm", rows);
        let x = b.activation("x", rows, n * groups);
        let w = b.vector("weight", n);
        b.rms_norm_in_place(x, w, 1e-5);
        compare("rms_norm in place", &b.finish(), &[weight], &inputs, (0, rows), (x, rows), F32);
    }
}

#[test]
fn rope_agrees_in_both_styles_and_on_part_of_a_head() {
    let mut rng = common::rng();
    for style in [RopeStyle::Interleaved, RopeStyle::Halves] {
        for (n_heads, head_dim, dims) in [(1, 2, 2), (3, 20, 20), (5, 64, 16)] {
            let mut b = Builder::new("rope", 4);
            let x = b.activation("x", 4, n_heads * head_dim);
            let table = b.constant("table", common::floats(&mut rng, 30 * dims).into(), dims);
            b.rope(x, table, head_dim, style);
            let inputs = [(x, common::floats(&mut rng, 4 * n_heads * head_dim))];
            compare("rope", &b.finish(), &[], &inputs, (17, 3), (x, 4), F32);
        }
    }
}

#[test]
fn cache_rows_land_at_their_positions_and_nowhere_else() {
    let mut rng = common::rng();
    let mut b = Builder::new("cache", 6);
    let x = b.activation("x", 6, 20);
    let cache = b.state("cache", 50, 20);
    b.cache_write(x, cache);
    let inputs = [(x, common::floats(&mut rng, 6 * 20))];
    compare("cache_write", &b.finish(), &[], &inputs, (31, 5), (cache, 50), 0.0);
}

#[test]
fn attention_agrees_over_tiles_groups_and_windows() {
    let mut rng = common::rng();
    let shapes = [
        // heads, KV heads, head size, window, position, rows
        (1, 1, 4, None, 0, 1),
        (6, 2, 20, None, 63, 1),
        (4, 4, 64, None, 200, 3),
        (3, 1, 256, None, 5, 2),
        (2, 1, 128, None, 126, 5),
        (4, 2, 32, Some(7), 100, 4),
        (4, 2, 32, Some(70), 3, 4),
    ];
    for (n_heads, n_kv_heads, head_dim, window, pos, rows) in shapes {
        let n_ctx = pos + rows + 3;
        let shape =
            AttentionShape { n_heads, n_kv_heads, head_dim, scale: 1.0 / (head_dim as f32).sqrt(), window };
        let mut b = Builder::new("attention", rows);
        let q = b.activation("q", rows, n_heads * head_dim);
        let k = b.state("k", n_ctx, n_kv_heads * head_dim);
        let v = b.state("v", n_ctx, n_kv_heads * head_dim);
        let y = b.attention(q, k, v, shape);
        // Large scores, so that the running maximum moves from tile to tile.
        let queries = common::floats(&mut rng, rows * n_heads * head_dim).iter().map(|x| x * 30.0).collect();
        let seen = (pos + rows) * n_kv_heads * head_dim;
        let cache = |rng: &mut _| {
            let mut cache = common::floats(rng, seen);
            cache.resize(n_ctx * n_kv_heads * head_dim, 1e30); // positions that nobody may look at
            cache
        };
        let inputs = [(q, queries), (k, cache(&mut rng)), (v, cache(&mut rng))];
        let what = format!("attention {n_heads}/{n_kv_heads} x {head_dim} at {pos}, window {window:?}");
        compare(&what, &b.finish(), &[], &inputs, (pos, rows), (y, rows), F32);
    }
}

#[test]
fn swiglu_and_last_row_agree() {
    let mut rng = common::rng();
    let mut b = Builder::new("swiglu", 3);
    let gate = b.activation("gate", 3, 77);
    let up = b.activation("up", 3, 77);
    b.swiglu(gate, up);
    let wide = |rng: &mut _| common::floats(rng, 3 * 77).iter().map(|x| x * 20.0).collect::<Vec<f32>>();
    let inputs = [(gate, wide(&mut rng)), (up, wide(&mut rng))];
    compare("swiglu", &b.finish(), &[], &inputs, (0, 3), (gate, 3), F32);

    let mut b = Builder::new("last row", 5);
    let x = b.activation("x", 5, 77);
    let y = b.last_row(x);
    let inputs = [(x, common::floats(&mut rng, 5 * 77))];
    compare("last_row", &b.finish(), &[], &inputs, (9, 4), (y, 1), 0.0);
}

#[test]
fn a_matrix_larger_than_a_binding_is_split() {
    // 40,000 rows of 1,024 F32 numbers are 164 MB; a binding of WebGPU's default limits holds 128 MiB.
    let (n_out, n_in) = (40_000, 1024);
    let mut rng = common::rng();
    let mut b = Builder::new("linear", 1);
    let x = b.activation("x", 1, n_in);
    let matrix = b.matrix("w", DType::F32, n_out, n_in);
    let y = b.linear(x, matrix, None, "y");
    let plan = b.finish();
    let weights = common::floats(&mut rng, n_out * n_in);
    let row = common::floats(&mut rng, n_in);
    let mut gpu = match block_on(gpu::Gpu::open(gpu::Options { default_limits: true })) {
        Ok(gpu) => gpu,
        Err(error) => return common::no_gpu(&error),
    };
    let spec = WeightSpec { name: "w", dtype: DType::F32, rows: n_out, cols: n_in, vector: false };
    for (i, rows) in weights.chunks(n_in * 998).enumerate() {
        gpu.write_weight(&spec, i * 998, bytemuck::cast_slice(rows)).unwrap();
    }
    let prepared = block_on(gpu.prepare(&plan)).unwrap();
    assert_eq!(gpu.dispatches(prepared), 2);
    gpu.write_value(prepared, x, &row).unwrap();
    let run = Run { pos: 0, n_rows: 1, draw: 0, sampling: Sampling::GREEDY };
    gpu.run(prepared, &run, Stage::Body).unwrap();
    let found = block_on(gpu.read_value(prepared, y, 0, n_out)).unwrap();
    let expected: Vec<f32> =
        weights.chunks_exact(n_in).map(|w| w.iter().zip(&row).map(|(a, b)| a * b).sum()).collect();
    assert!(common::nmse(&expected, &found) <= F32);
}

#[test]
fn an_output_wider_than_a_grid_goes_on_in_its_third_dimension() {
    // One output a workgroup where a row has 64 groups or more, so 70,000 outputs pass the 65,535 of one dimension.
    let (n_out, n_in) = (70_000, 2048);
    let mut b = Builder::new("linear", 1);
    let x = b.activation("x", 1, n_in);
    let matrix = b.matrix("w", DType::Q4_0, n_out, n_in);
    let y = b.linear(x, matrix, None, "y");
    let mut rng = common::rng();
    let one_row = Weight::matrix("w", DType::Q4_0, 16, n_in, &mut rng);
    let bytes = one_row.bytes.iter().copied().cycle().take(one_row.bytes.len() / 16 * n_out).collect();
    let weight = Weight { rows: n_out, bytes, ..one_row };
    let inputs = [(x, common::floats(&mut rng, n_in))];
    compare("a wide output", &b.finish(), &[weight], &inputs, (0, 1), (y, 1), F32);
}

#[test]
fn every_variant_of_every_kernel_is_valid_wgsl() {
    let mut texts = gpu::Texts::default();
    let variants = gpu::Variant::all();
    for variant in &variants {
        let text = texts.get(*variant);
        let module = naga::front::wgsl::parse_str(&text)
            .unwrap_or_else(|e| panic!("{variant:?}: {}", e.emit_to_string(&text)));
        let mut validator = naga::valid::Validator::new(
            naga::valid::ValidationFlags::all(),
            // Halves are unpacked to f32 by a builtin of core WGSL; the f32 tier asks for nothing else.
            naga::valid::Capabilities::SHADER_FLOAT16_IN_FLOAT32,
        );
        validator.validate(&module).unwrap_or_else(|e| panic!("{variant:?}: {}", e.emit_to_string(&text)));
    }
    assert!(variants.len() > TYPES.len() * 9);
}
