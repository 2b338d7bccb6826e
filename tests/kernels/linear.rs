//! Operations that read weight matrices, but for experts.

use intab::{
    backend::{Backend, Kind, Precision, WeightSpec, gpu},
    plan::{Builder, Index, Run, Stage},
    quant::{DType, TYPES, TypeInfo},
};
use pollster::block_on;

use crate::{
    bench::{Case, F32, POISON, Weight},
    common,
};

/// Two conditions: all four cases for one type, since none depends on the type, and one by turns for the others.
fn conditions(info: &TypeInfo, turn: usize) -> Vec<(bool, bool)> {
    let all = [(false, false), (true, true), (true, false), (false, true)];
    if info.dtype == DType::F32 { all.into() } else { vec![all[turn % all.len()]] }
}

#[test]
fn linear_agrees_for_every_type() {
    let mut rng = common::rng();
    for info in TYPES {
        let step = info.block_len;
        // Rows of one block and of several; outputs and rows that fill no tile.
        let shapes = [
            (step.max(32), 1, 1),
            (step * 3, 37, 1),
            (step * 3, 70, 33),
            (step * 40, 9, 5),
            (step.max(32), 67, 75),
        ];
        for (turn, (n_in, n_out, rows)) in shapes.into_iter().enumerate() {
            let w = Weight::matrix("w", info.dtype, n_out, n_in, &mut rng);
            for (with_bias, add) in conditions(info, turn) {
                let mut b = Builder::new("linear", rows);
                let x = b.activation("x", rows, n_in);
                let matrix = b.matrix("w", info.dtype, n_out, n_in);
                let bias = with_bias.then(|| b.vector("bias", n_out));
                let y = b.activation("y", rows, n_out);
                b.linear_to(x, matrix, bias, y, add);
                let mut case = Case::new(b.finish(), Run::new(0, rows));
                case.weights = vec![w.clone(), Weight::vector("bias", n_out, &mut rng)];
                case.floats = vec![(x, common::floats(&mut rng, rows * n_in))];
                if add {
                    case.floats.push((y, common::floats(&mut rng, rows * n_out)));
                }
                let what =
                    format!("{} [{n_out}, {n_in}] on {rows} rows, bias {with_bias}, add {add}", info.name);
                case.compare(&what, y, F32);
            }
        }
    }
}

#[test]
fn products_of_integers_lose_next_to_nothing() {
    let mut rng = common::rng();
    for info in TYPES.iter().filter(|info| info.levels.is_some()) {
        // Whole chunks and a part of one; one row of activations, and tiles that are full and that are not.
        for (n_in, rows) in [(256, 1), (768, 2), (512, 5), (256 + info.block_len, 4), (info.block_len, 33)] {
            let mut b = Builder::new("linear", rows);
            let x = b.activation("x", rows, n_in);
            let matrix = b.matrix("w", info.dtype, 19, n_in);
            let bias = b.vector("bias", 19);
            let y = b.activation("y", rows, 19);
            b.linear_to(x, matrix, Some(bias), y, true);
            let mut case = Case::new(b.finish(), Run::new(0, rows));
            case.weights = vec![
                Weight::matrix("w", info.dtype, 19, n_in, &mut rng),
                Weight::vector("bias", 19, &mut rng),
            ];
            let mut numbers = common::floats(&mut rng, rows * n_in);
            numbers[n_in - 1] = 1000.0; // one that stands out, as activations have them
            case.floats = vec![(x, numbers), (y, common::floats(&mut rng, rows * 19))];
            let exact = case.output(Kind::Cpu, y).unwrap();
            case.precision = Precision::Fast;
            let fast = case.output(Kind::Cpu, y).unwrap();
            let nmse = common::nmse(&fast, &exact);
            assert!(nmse <= 1e-5, "{} [19, {n_in}] on {rows} rows: {nmse:e}", info.name);
        }
    }
}

#[test]
fn what_is_no_number_stays_none_in_products_of_integers() {
    let mut rng = common::rng();
    for (rows, bad) in [(1, f32::NAN), (4, f32::INFINITY)] {
        let mut b = Builder::new("linear", rows);
        let x = b.activation("x", rows, 512);
        let matrix = b.matrix("w", DType::Q8_0, 3, 512);
        let y = b.linear(x, matrix, None, "y");
        let mut case = Case::new(b.finish(), Run::new(0, rows));
        case.weights = vec![Weight::matrix("w", DType::Q8_0, 3, 512, &mut rng)];
        let mut numbers = common::floats(&mut rng, rows * 512);
        numbers[300] = bad;
        case.floats = vec![(x, numbers)];
        case.precision = Precision::Fast;
        let all = case.output(Kind::Cpu, y).unwrap();
        assert!(all[..3].iter().all(|y| y.is_nan()), "{bad}: {:?}", &all[..3]);
        assert!(all[3..].iter().all(|y| y.is_finite()), "{bad}: other rows are not touched");
    }
}

/// Types whose weights a GPU multiplies as integers.
const WITH_LEVELS: [DType; 4] = [DType::Q4_0, DType::Q8_0, DType::Q4_K, DType::Q6_K];

#[test]
fn products_of_bytes_on_a_gpu_are_near_those_of_numbers() {
    let mut rng = common::rng();
    for dtype in WITH_LEVELS {
        let step = dtype.info().block_len;
        for (n_in, n_out, rows) in [(step, 1, 2), (step * 3, 37, 5), (step * 2, 70, 33), (step * 5, 67, 75)] {
            let mut b = Builder::new("linear", rows);
            let x = b.activation("x", rows, n_in);
            let matrix = b.matrix("w", dtype, n_out, n_in);
            let bias = b.vector("bias", n_out);
            let y = b.activation("y", rows, n_out);
            b.linear_to(x, matrix, Some(bias), y, true);
            let mut case = Case::new(b.finish(), Run::new(0, rows));
            case.weights = vec![
                Weight::matrix("w", dtype, n_out, n_in, &mut rng),
                Weight::vector("bias", n_out, &mut rng),
            ];
            case.floats =
                vec![(x, common::floats(&mut rng, rows * n_in)), (y, common::floats(&mut rng, rows * n_out))];
            let exact = case.output(Kind::Cpu, y).unwrap();
            case.precision = Precision::Fast;
            let Some(fast) = case.output(Kind::Gpu, y) else { return };
            let nmse = common::nmse(&exact, &fast);
            assert!((1e-9..=5e-4).contains(&nmse), "{dtype} [{n_out}, {n_in}] on {rows} rows: {nmse:e}");
        }
    }
}

#[test]
fn what_is_no_number_stays_none_in_products_of_bytes() {
    let mut rng = common::rng();
    for bad in [f32::NAN, f32::INFINITY] {
        let mut b = Builder::new("linear", 4);
        let x = b.activation("x", 4, 512);
        let matrix = b.matrix("w", DType::Q8_0, 3, 512);
        let y = b.linear(x, matrix, None, "y");
        let mut case = Case::new(b.finish(), Run::new(0, 4));
        case.weights = vec![Weight::matrix("w", DType::Q8_0, 3, 512, &mut rng)];
        let mut numbers = common::floats(&mut rng, 4 * 512);
        numbers[300] = bad;
        case.floats = vec![(x, numbers)];
        case.precision = Precision::Fast;
        let Some(all) = case.output(Kind::Gpu, y) else { return };
        assert!(all[..3].iter().all(|y| !y.is_finite()), "{bad}: {:?}", &all[..3]);
        assert!(all[3..].iter().all(|y| y.is_finite()), "{bad}: other rows are not touched");
    }
}

#[test]
fn rows_that_are_no_multiple_of_a_group_are_padded() {
    let mut rng = common::rng();
    for (dtype, n_in) in [(DType::F32, 1), (DType::F32, 45), (DType::F16, 100), (DType::BF16, 33)] {
        for rows in [1, 3] {
            let mut b = Builder::new("linear", rows);
            let x = b.activation("x", rows, n_in);
            let matrix = b.matrix("w", dtype, 19, n_in);
            let y = b.linear(x, matrix, None, "y");
            let mut case = Case::new(b.finish(), Run::new(0, rows));
            case.weights = vec![Weight::matrix("w", dtype, 19, n_in, &mut rng)];
            case.floats = vec![(x, common::floats(&mut rng, rows * n_in))];
            case.compare(&format!("{dtype:?} {n_in}"), y, F32);
        }
    }
}

#[test]
fn a_run_of_fewer_rows_leaves_the_others_alone() {
    let mut rng = common::rng();
    let mut b = Builder::new("linear", 50);
    let x = b.activation("x", 50, 64);
    let matrix = b.matrix("w", DType::F32, 40, 64);
    let y = b.linear(x, matrix, None, "y");
    let mut case = Case::new(b.finish(), Run::new(0, 35));
    case.weights = vec![Weight::matrix("w", DType::F32, 40, 64, &mut rng)];
    case.floats = vec![(x, common::floats(&mut rng, 50 * 64))];
    for kind in [Kind::Cpu, Kind::Gpu] {
        let Some(all) = case.output(kind, y) else { return };
        assert!(all[..35 * 40].iter().all(|v| *v > -1e29), "{kind:?}: rows of the run are written");
        assert!(all[35 * 40..].iter().all(|v| *v == POISON), "{kind:?}: the others are not");
    }
}

#[test]
fn embedding_rows_are_unpacked_by_ids_and_by_position() {
    let mut rng = common::rng();
    for (turn, info) in TYPES.iter().enumerate() {
        let n_embd = info.block_len.max(32) * 3;
        let table = Weight::matrix("table", info.dtype, 11, n_embd, &mut rng);
        for (by_ids, add) in conditions(info, turn) {
            let mut b = Builder::new("embed", 5);
            let index = match by_ids {
                true => Index::State(b.state_u32("ids", 1, 5)),
                false => Index::Position(2),
            };
            let matrix = b.matrix("table", info.dtype, 11, n_embd);
            let y = match add {
                true => b.activation("y", 5, n_embd),
                false => b.embed(index, matrix),
            };
            if add {
                b.embed_add(index, matrix, y);
            }
            let mut case = Case::new(b.finish(), Run::new(3, 4));
            case.weights = vec![table.clone()];
            case.words = if by_ids { vec![("ids", vec![10, 0, 3, 3])] } else { vec![] };
            if add {
                case.floats = vec![(y, common::floats(&mut rng, 5 * n_embd))];
            }
            case.compare(&format!("{} by ids {by_ids}, add {add}", info.name), y, 1e-12);
        }
    }
}

#[test]
fn a_matrix_larger_than_a_binding_is_split() {
    // 40,000 rows of 1,024 F32 numbers are 164 MB; a binding of WebGPU's default limits holds 128 MiB, 32,768 rows.
    let (n_rows, n_in) = (40_000, 1024);
    let mut rng = common::rng();
    let mut gpu = match block_on(gpu::Gpu::open(gpu::Options { default_limits: true, ..Default::default() }))
    {
        Ok(gpu) => gpu,
        Err(error) => return common::no_gpu(&error),
    };
    let weights = common::floats(&mut rng, n_rows * n_in);
    let spec = WeightSpec { name: "w", dtype: DType::F32, rows: n_rows, cols: n_in, vector: false };
    for (i, rows) in weights.chunks(n_in * 998).enumerate() {
        gpu.write_weight(&spec, i * 998, bytemuck::cast_slice(rows)).unwrap();
    }
    let row = |i: usize| &weights[i * n_in..][..n_in];
    let input = common::floats(&mut rng, n_in);
    let product = |i: usize| row(i).iter().zip(&input).map(|(a, b)| a * b).sum::<f32>();

    let mut b = Builder::new("linear", 1);
    let x = b.activation("x", 1, n_in);
    let w = b.matrix("w", DType::F32, n_rows, n_in);
    let y = b.linear(x, w, None, "y");
    let linear = block_on(gpu.prepare(&b.finish())).unwrap();
    assert_eq!(gpu.dispatches(linear), 2);
    gpu.write_value(linear, x, &input).unwrap();
    gpu.run(linear, &Run::new(0, 1), Stage::Body).unwrap();
    let found = block_on(gpu.read_value(linear, y, 0, n_rows)).unwrap();
    let expected: Vec<f32> = (0..n_rows).map(product).collect();
    assert!(common::nmse(&expected, &found) <= F32);

    // Ten experts of 4,000 rows each: the ninth, from row 32,000 on, lies in both parts.
    let mut b = Builder::new("experts", 1);
    let x = b.activation("x", 1, n_in);
    let w = b.matrix("w", DType::F32, n_rows, n_in);
    let experts = b.activation("experts", 1, 2 * 3);
    let y = b.expert_linear(x, w, None, experts, 4000);
    let layer = block_on(gpu.prepare(&b.finish())).unwrap();
    gpu.write_value(layer, x, &input).unwrap();
    gpu.write_value(layer, experts, &[8.0, 9.0, 0.0, 0.5, 0.3, 0.2]).unwrap();
    gpu.run(layer, &Run::new(0, 1), Stage::Body).unwrap();
    let found = block_on(gpu.read_value(layer, y, 0, 3 * 4000)).unwrap();
    let expected: Vec<f32> =
        [8, 9, 0].iter().flat_map(|e| (0..4000).map(move |i| e * 4000 + i)).map(product).collect();
    assert!(common::nmse(&expected, &found) <= F32);

    let mut b = Builder::new("embed", 5);
    let ids = b.state_u32("ids", 1, 5);
    let w = b.matrix("w", DType::F32, n_rows, n_in);
    let y = b.embed(Index::State(ids), w);
    let embed = block_on(gpu.prepare(&b.finish())).unwrap();
    let chosen = [39_999, 0, 32_768, 32_767];
    gpu.write_u32("ids", 0, &chosen).unwrap();
    gpu.run(embed, &Run::new(0, 4), Stage::Body).unwrap();
    let found = block_on(gpu.read_value(embed, y, 0, 4 * n_in)).unwrap();
    assert_eq!(found, chosen.map(|i| row(i as usize)).concat());
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
    let some = Weight::matrix("w", DType::Q4_0, 16, n_in, &mut rng);
    let bytes = some.bytes.iter().copied().cycle().take(some.bytes.len() / 16 * n_out).collect();
    let mut case = Case::new(b.finish(), Run::new(0, 1));
    case.weights = vec![Weight { rows: n_out, bytes, ..some }];
    case.floats = vec![(x, common::floats(&mut rng, n_in))];
    case.compare("a wide output", y, F32);
}
