//! The choice of experts, their layers, and their sum.

use intab::{
    plan::{Builder, Routing, Run, padded},
    quant::DType,
};

use crate::{
    bench::{Case, F32, Weight},
    common,
};

/// `k` different experts of `n_experts` and their weights.
fn choice(rng: &mut fastrand::Rng, n_experts: usize, k: usize) -> Vec<f32> {
    let mut all: Vec<usize> = (0..n_experts).collect();
    rng.shuffle(&mut all);
    let weights = (0..k).map(|_| rng.f32());
    all[..k].iter().map(|expert| *expert as f32).chain(weights).collect()
}

#[test]
fn the_same_experts_are_chosen_with_the_same_weights() {
    let mut rng = common::rng();
    for (n_experts, k, rows) in
        [(1, 1, 1), (8, 2, 1), (8, 8, 3), (60, 4, 1), (128, 8, 5), (300, 10, 2), (256, 70, 3)]
    {
        for routing in [Routing::Softmax, Routing::Normalized] {
            // Steps of 1/4 make many equals, of which the first counts.
            for step in [0.0, 0.25] {
                let mut b = Builder::new("route", rows);
                let scores = b.activation("scores", rows, n_experts);
                let experts = b.route(scores, k, routing);
                let mut case = Case::new(b.finish(), Run::new(0, rows));
                let numbers = common::floats(&mut rng, rows * n_experts).into_iter().map(|x| x * 5.0);
                let numbers = numbers.map(|x: f32| if step > 0.0 { (x / step).round() * step } else { x });
                case.floats = vec![(scores, numbers.collect())];
                let Some([expected, found]) = case.outputs(experts) else { return };
                for (expected, found) in expected.chunks_exact(2 * k).zip(found.chunks_exact(2 * k)) {
                    let what = format!("{k} of {n_experts}, {routing:?}, steps of {step}");
                    assert_eq!(expected[..k], found[..k], "{what}");
                    let nmse = common::nmse(&expected[k..], &found[k..]);
                    assert!(nmse <= F32, "{what}: NMSE {nmse:e}");
                }
            }
        }
    }
}

#[test]
fn layers_of_experts_agree() {
    let mut rng = common::rng();
    let shapes = [
        // type, experts, of a row, outputs, inputs, rows
        (DType::F32, 3, 1, 1, 1, 1),
        (DType::F32, 4, 2, 45, 40, 3),
        (DType::F16, 5, 3, 64, 96, 1),
        (DType::Q4_0, 8, 2, 37, 64, 6),
        (DType::Q8_0, 130, 8, 96, 32, 2),
        (DType::Q4_K, 6, 4, 70, 256, 3),
        (DType::Q6_K, 4, 4, 33, 2560, 1),
        (DType::MXFP4, 5, 2, 40, 96, 2),
    ];
    for (dtype, n_experts, k, n_out, n_in, rows) in shapes {
        let w = Weight::matrix("w", dtype, n_experts * n_out, n_in, &mut rng);
        for (with_bias, shared) in [(false, true), (true, true), (false, false), (true, false)] {
            let mut b = Builder::new("experts", rows);
            let x = b.activation("x", rows, if shared { n_in } else { k * padded(n_in) });
            let matrix = b.matrix("w", dtype, n_experts * n_out, n_in);
            let bias = with_bias.then(|| b.vector("bias", n_experts * n_out));
            let experts = b.activation("experts", rows, 2 * k);
            let y = b.expert_linear(x, matrix, bias, experts, n_out);
            let mut case = Case::new(b.finish(), Run::new(0, rows));
            case.weights = vec![w.clone(), Weight::vector("bias", n_experts * n_out, &mut rng)];
            let chosen = (0..rows).flat_map(|_| choice(&mut rng, n_experts, k)).collect();
            let n = if shared { rows * n_in } else { rows * k * padded(n_in) };
            case.floats = vec![(experts, chosen), (x, common::floats(&mut rng, n))];
            let what = format!(
                "{dtype:?} [{n_out}, {n_in}], {k} of {n_experts}, {rows} rows, bias {with_bias}, shared {shared}"
            );
            case.compare(&what, y, F32);
        }
    }
}

#[test]
fn outputs_of_experts_are_summed_by_weight() {
    let mut rng = common::rng();
    for (k, n, rows) in [(1, 1, 1), (2, 77, 3), (8, 64, 1), (6, 130, 4)] {
        let mut b = Builder::new("combine", rows);
        let x = b.activation("x", rows, k * padded(n));
        let experts = b.activation("experts", rows, 2 * k);
        let y = b.activation("y", rows, n);
        b.combine(x, experts, y);
        let mut case = Case::new(b.finish(), Run::new(0, rows));
        let chosen = (0..rows).flat_map(|_| choice(&mut rng, 50, k)).collect();
        case.floats = vec![
            (x, common::floats(&mut rng, rows * k * padded(n))),
            (experts, chosen),
            (y, common::floats(&mut rng, rows * n)),
        ];
        case.compare(&format!("{k} of {n}"), y, F32);
    }
}
