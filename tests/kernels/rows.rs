//! Operations that go over rows without weight matrices or keys.

use intab::{
    backend::Kind,
    plan::{Builder, Function, KvCache, Norm, NormKind, RopeStyle, Run, Stage},
};

use crate::{
    bench::{Case, F32, Weight},
    common,
};

/// `n` numbers in (-most, most).
fn wide(rng: &mut fastrand::Rng, n: usize, most: f32) -> Vec<f32> {
    common::floats(rng, n).iter().map(|x| x * most).collect()
}

const FUNCTIONS: [Function; 13] = [
    Function::Silu,
    Function::Gelu,
    Function::GeluTanh,
    Function::QuickGelu,
    Function::Relu,
    Function::ReluSquared,
    Function::Tanh,
    Function::Sigmoid,
    Function::Scale(-0.37),
    Function::SoftCap(1.7),
    Function::Clamp(0.6),
    Function::AtMost(0.2),
    Function::Shift(-2.5),
];

#[test]
fn norms_agree_on_whole_rows_and_on_heads() {
    let mut rng = common::rng();
    let kinds = [NormKind::Rms, NormKind::Layer];
    for (group, groups, rows) in [(2, 1, 1), (33, 1, 3), (576, 1, 2), (16, 5, 7), (70, 3, 4)] {
        let n = group * groups;
        for (kind, in_place) in kinds.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
            // None, one for all groups, one for each group.
            for (n_weight, n_bias) in [(0, 0), (group, 0), (0, n), (n, group), (group, n), (n, n)] {
                let mut b = Builder::new("norm", rows);
                let x = b.activation("x", rows, n);
                let weight = (n_weight > 0).then(|| b.vector("weight", n_weight));
                let bias = (n_bias > 0).then(|| b.vector("bias", n_bias));
                let y = if in_place { x } else { b.activation("y", rows, n) };
                b.norm_to(x, Norm { kind, weight, bias, eps: 1e-5 }, group, y);
                let mut case = Case::new(b.finish(), Run::new(0, rows));
                case.weights = vec![
                    Weight::vector("weight", n_weight.max(1), &mut rng),
                    Weight::vector("bias", n_bias.max(1), &mut rng),
                ];
                case.floats = vec![(x, wide(&mut rng, rows * n, 3.0))];
                let what = format!(
                    "{kind:?} of {groups} x {group}, weight {n_weight}, bias {n_bias}, in place {in_place}"
                );
                case.compare(&what, y, F32);
            }
        }
    }
}

#[test]
fn only_tokens_that_may_come_keep_a_score() {
    let mut rng = common::rng();
    for n in [1, 31, 32, 33, 500, 4099, 65_537] {
        let mut b = Builder::new("mask", 1);
        b.stage(Stage::Sample);
        let logits = b.state("logits", 1, n);
        let bias = b.state("bias", 1, n);
        let allowed = b.state_u32("allowed", 1, n.div_ceil(32));
        let y = b.mask(logits, bias, allowed);
        let mut case = Case::new(b.finish(), Run::new(0, 1));
        let (scores, biases) = (wide(&mut rng, n, 20.0), wide(&mut rng, n, 5.0));
        let words: Vec<u32> = (0..n.div_ceil(32)).map(|_| rng.u32(..)).collect();
        let may = |i: usize| (words[i / 32] >> (i % 32)) & 1 == 1;
        let expected: Vec<f32> =
            (0..n).map(|i| if may(i) { scores[i] + biases[i] } else { f32::NEG_INFINITY }).collect();
        case.floats = vec![(logits, scores), (bias, biases)];
        case.words = vec![("allowed", words.clone())];
        for kind in [Kind::Cpu, Kind::Gpu] {
            if let Some(found) = case.output(kind, y) {
                assert_eq!(found, expected, "{n} tokens on the {}", kind.name());
            }
        }
    }
}

#[test]
fn a_layer_norm_keeps_small_differences_of_large_numbers() {
    let mut rng = common::rng();
    let mut b = Builder::new("norm", 2);
    let x = b.activation("x", 2, 300);
    let y = b.norm(x, Norm { kind: NormKind::Layer, weight: None, bias: None, eps: 1e-5 }, 300);
    let mut case = Case::new(b.finish(), Run::new(0, 2));
    // Squares of 300 have 24 bits, which leave nothing of a variance of a third.
    case.floats = vec![(x, common::floats(&mut rng, 2 * 300).iter().map(|x| x + 300.0).collect())];
    case.compare("numbers about 300", y, F32);
}

#[test]
fn rope_agrees_in_both_styles_and_on_part_of_a_head() {
    let mut rng = common::rng();
    for style in [RopeStyle::Interleaved, RopeStyle::Halves] {
        for (n_heads, head_dim, dims) in [(1, 2, 2), (3, 20, 20), (5, 64, 16), (70, 64, 64)] {
            for listed in [false, true] {
                let mut b = Builder::new("rope", 4);
                let x = b.activation("x", 4, n_heads * head_dim);
                let table = b.constant("table", common::floats(&mut rng, 60 * dims).into(), dims);
                let positions = listed.then(|| b.state_u32("positions", 1, 4));
                b.rope(x, table, positions, head_dim, style);
                let run = Run { rope_start: 30, ..Run::new(17, 3) };
                let mut case = Case::new(b.finish(), run);
                case.floats = vec![(x, common::floats(&mut rng, 4 * n_heads * head_dim))];
                case.words = if listed { vec![("positions", vec![29, 0, 7])] } else { vec![] };
                case.compare(&format!("{style:?} {n_heads} x {dims} of {head_dim}, listed {listed}"), x, F32);
            }
        }
    }
}

#[test]
fn cache_rows_land_at_their_slots_and_nowhere_else() {
    let mut rng = common::rng();
    let lists = [None, Some(vec![49, 0, 7, 8, 30])];
    let kinds = [KvCache::F32, KvCache::F16, KvCache::Q8_0];
    for (slots, kind) in lists.into_iter().flat_map(|list| kinds.map(|kind| (list.clone(), kind))) {
        let cols = if kind == KvCache::Q8_0 { 96 } else { 20 };
        let mut b = Builder::new("cache", 6);
        let x = b.activation("x", 6, cols);
        let cache = b.cache("cache", 50, cols, kind);
        let list = slots.as_ref().map(|_| b.state_u32("slots", 1, 6));
        b.cache_write(x, cache, list);
        let mut case = Case::new(b.finish(), Run::new(31, 5));
        let mut numbers = common::floats(&mut rng, 6 * cols);
        if kind == KvCache::F16 {
            (numbers[3], numbers[24]) = (1e6, -70_000.0); // no half is so large
        }
        case.floats = vec![(x, numbers)];
        if kind != KvCache::F32 {
            case.floats.push((cache, vec![0.0; 50 * cols])); // poison is no half
        }
        case.words = slots.into_iter().map(|slots| ("slots", slots)).collect();
        // Devices may round in their own way.
        let limit = [0.0, 1e-6, 1e-6][kind as usize];
        case.compare(&format!("cache_write to {kind:?}"), cache, limit);
        let written = case.output(Kind::Cpu, cache).unwrap();
        let has_most = written.contains(&65504.0) && written.contains(&-65504.0);
        assert_eq!(has_most, kind == KvCache::F16);
    }
}

#[test]
fn functions_agree_near_zero_and_far_from_it() {
    let mut rng = common::rng();
    for f in FUNCTIONS {
        for most in [1e-2, 1.0, 9.0, 1e4] {
            for rows in [1, 3] {
                let mut b = Builder::new("map", rows);
                let x = b.activation("x", rows, 77);
                b.map(x, f);
                let mut case = Case::new(b.finish(), Run::new(0, rows));
                case.floats = vec![(x, wide(&mut rng, rows * 77, most))];
                case.compare(&format!("{f:?} to {most}"), x, F32);
            }
        }
    }
}

#[test]
fn gates_agree_by_number_and_by_row() {
    let mut rng = common::rng();
    for f in FUNCTIONS {
        for n_up in [77, 1] {
            let mut b = Builder::new("gate", 3);
            let gate = b.activation("gate", 3, 77);
            let up = b.activation("up", 3, n_up);
            b.gate(gate, up, f);
            let mut case = Case::new(b.finish(), Run::new(0, 2));
            case.floats = vec![(gate, wide(&mut rng, 3 * 77, 20.0)), (up, wide(&mut rng, 3 * n_up, 20.0))];
            case.compare(&format!("{f:?} gates {n_up}"), gate, F32);
        }
    }
}

#[test]
fn sums_and_copies_agree() {
    let mut rng = common::rng();
    for rows in [1, 5] {
        let mut b = Builder::new("add", rows);
        let x = b.activation("x", rows, 77);
        let y = b.state("y", rows, 77);
        b.add(x, y);
        let mut case = Case::new(b.finish(), Run::new(9, rows));
        case.floats = [x, y].map(|value| (value, common::floats(&mut rng, rows * 77))).into();
        case.compare("add", y, F32);

        let mut b = Builder::new("copy", rows);
        let x = b.activation("x", rows, 77);
        let y = b.state("y", rows, 77);
        b.copy(x, y);
        let mut case = Case::new(b.finish(), Run::new(9, rows.min(4)));
        case.floats = vec![(x, common::floats(&mut rng, rows * 77))];
        case.compare("copy", y, 0.0);

        let mut b = Builder::new("last row", rows);
        let x = b.activation("x", rows, 77);
        let y = b.last_row(x);
        if rows == 1 {
            assert_eq!(y, x, "it is there already");
            continue;
        }
        let mut case = Case::new(b.finish(), Run::new(9, rows.min(4)));
        case.floats = vec![(x, common::floats(&mut rng, rows * 77))];
        case.compare("the last row", y, 0.0);
    }
}

#[test]
fn means_are_taken_over_each_row_s_span() {
    let mut rng = common::rng();
    let mut b = Builder::new("mean", 7);
    let x = b.activation("x", 7, 77);
    let spans = b.state_u32("spans", 7, 2);
    let y = b.mean(x, spans);
    let mut case = Case::new(b.finish(), Run::new(0, 6));
    case.floats = vec![(x, common::floats(&mut rng, 7 * 77))];
    case.words = vec![("spans", [[0, 3], [0, 3], [0, 3], [3, 4], [4, 4], [0, 6]].concat())];
    case.compare("mean", y, F32);
    let Some([_, found]) = case.outputs(y) else { return };
    assert!(found[4 * 77..5 * 77].iter().all(|x| *x == 0.0), "an empty span has zeros");
}
