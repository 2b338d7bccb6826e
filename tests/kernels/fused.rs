//! Fused steps against the plain ones that they stand for.

use intab::{
    backend::Kind,
    plan::{
        Attention, AttentionShape, Builder, Function, Keys, KvCache, Norm, NormKind, Op, Plan, RopeStyle,
        Run, Value, fuse,
    },
    quant::DType,
};

use crate::{
    bench::{Case, F32, Weight},
    common,
};

/// What a layer may have.
#[derive(Debug, Clone)]
struct Layer {
    rows: usize,
    n_embd: usize,
    n_heads: usize,
    n_kv_heads: usize,
    head_dim: usize,
    /// Numbers of a head that are rotated.
    rope: Option<(usize, RopeStyle)>,
    /// Types of the matrices of queries, keys and values.
    types: [DType; 3],
    biases: bool,
    /// A norm of the heads, and whether each head has its weights.
    qk_norm: Option<(NormKind, bool)>,
    clip: Option<f32>,
    /// Only the queries are normed, which no fused step does.
    mixed_norms: bool,
    /// How the caches keep their numbers.
    kv_cache: KvCache,
    /// Slots and positions come in lists.
    listed: bool,
    n_ff: usize,
    gated: bool,
    f: Function,
}

const PLAIN: Layer = Layer {
    rows: 1,
    n_embd: 64,
    n_heads: 4,
    n_kv_heads: 2,
    head_dim: 20,
    rope: Some((20, RopeStyle::Interleaved)),
    types: [DType::F32; 3],
    biases: false,
    qk_norm: None,
    clip: None,
    mixed_norms: false,
    kv_cache: KvCache::F32,
    listed: false,
    n_ff: 96,
    gated: true,
    f: Function::Silu,
};

const N_SLOTS: usize = 40;
const POS: usize = 17;

/// A layer with fresh weights and inputs; gives the residual stream and the caches.
fn layer(layer: &Layer, rng: &mut fastrand::Rng) -> (Case, [Value; 3]) {
    let Layer { rows, n_embd, n_heads, n_kv_heads, head_dim, types, n_ff, .. } = *layer;
    let shape = AttentionShape {
        n_heads,
        n_kv_heads,
        head_dim,
        scale: 1.0 / (head_dim as f32).sqrt(),
        window: None,
        softcap: None,
    };
    let mut weights = Vec::new();
    let mut b = Builder::new("layer", rows);
    let x = b.activation("x", rows, n_embd);
    let mut norm = |b: &mut Builder, name: &'static str, n: usize, kind: NormKind, rng: &mut _| {
        weights.push(Weight::vector(name, n, rng));
        Norm { kind, weight: Some(b.vector(name, n)), bias: None, eps: 1e-5 }
    };
    let attn_norm = norm(&mut b, "attn_norm", n_embd, NormKind::Rms, rng);
    let ffn_norm = norm(&mut b, "ffn_norm", n_embd, NormKind::Rms, rng);
    let qk_norms = layer.qk_norm.map(|(kind, own)| {
        [("q_norm", n_heads), ("k_norm", n_kv_heads)].map(|(name, n)| {
            let n = if own { n * head_dim } else { head_dim };
            norm(&mut b, name, n, kind, rng)
        })
    });
    let mut linear =
        |b: &mut Builder, x: Value, name: &'static str, dtype: DType, n_out: usize, rng: &mut _| {
            let n_in = b.cols(x);
            weights.push(Weight::matrix(name, dtype, n_out, n_in, rng));
            let bias = layer.biases.then(|| {
                let name: &'static str = format!("{name} bias").leak();
                weights.push(Weight::vector(name, n_out, rng));
                b.vector(name, n_out)
            });
            (b.matrix(name, dtype, n_out, n_in), bias)
        };

    let h = b.norm(x, attn_norm, n_embd);
    let dims = [shape.q_dim(), shape.kv_dim(), shape.kv_dim()];
    let mut qkv = Vec::new();
    for ((name, dtype), n_out) in ["q", "k", "v"].into_iter().zip(types).zip(dims) {
        let (w, bias) = linear(&mut b, h, name, dtype, n_out, rng);
        qkv.push(b.linear(h, w, bias, name));
    }
    let [q, k, v] = qkv[..] else { unreachable!() };
    let normed = if layer.mixed_norms { vec![q] } else { vec![q, k] };
    for (x, norm) in normed.into_iter().zip(qk_norms.into_iter().flatten()) {
        b.norm_to(x, norm, head_dim, x);
    }
    if let Some(limit) = layer.clip {
        [q, k, v].into_iter().for_each(|x| b.map(x, Function::Clamp(limit)));
    }
    let mut words = Vec::new();
    let mut list = |b: &mut Builder, name: &'static str, most: usize, rng: &mut fastrand::Rng| {
        let mut all: Vec<u32> = (0..most as u32).collect();
        rng.shuffle(&mut all);
        words.push((name, all[..rows].to_vec()));
        b.state_u32(name, 1, rows)
    };
    if let Some((dims, style)) = layer.rope {
        let positions = layer.listed.then(|| list(&mut b, "positions", N_SLOTS, rng));
        let table = b.constant("rope", common::floats(rng, 2 * N_SLOTS * dims).into(), dims);
        [q, k].into_iter().for_each(|x| b.rope(x, table, positions, head_dim, style));
    }
    let slots = layer.listed.then(|| list(&mut b, "slots", N_SLOTS, rng));
    let caches = ["k_cache", "v_cache"].map(|name| b.cache(name, N_SLOTS, shape.kv_dim(), layer.kv_cache));
    b.cache_write(k, caches[0], slots);
    b.cache_write(v, caches[1], slots);
    let how = Attention { shape, keys: Keys::Causal, bias: None, sinks: None };
    let y = b.attention(q, caches[0], caches[1], how);
    let (w, bias) = linear(&mut b, y, "out", types[0], n_embd, rng);
    b.linear_add(y, w, bias, x);

    let h = b.norm(x, ffn_norm, n_embd);
    let (w, bias) = linear(&mut b, h, "up", types[0], n_ff, rng);
    let y = if layer.gated {
        let (gate_w, gate_bias) = linear(&mut b, h, "gate", types[0], n_ff, rng);
        let gate = b.linear(h, gate_w, gate_bias, "gate");
        let up = b.linear(h, w, bias, "up");
        b.gate(gate, up, layer.f);
        gate
    } else {
        let up = b.linear(h, w, bias, "up");
        b.map(up, layer.f);
        up
    };
    let (w, bias) = linear(&mut b, y, "down", types[0], n_embd, rng);
    b.linear_add(y, w, bias, x);

    let mut case = Case::new(b.finish(), Run { rope_start: N_SLOTS as u32, ..Run::new(POS, rows) });
    case.weights = weights;
    case.words = words;
    case.floats = vec![(x, common::floats(rng, rows * n_embd).iter().map(|x| x * 3.0).collect())];
    for cache in caches {
        let numbers = common::floats(rng, N_SLOTS * shape.kv_dim());
        // What every kind of cache holds as it is.
        let held = |(i, x): (usize, &f32)| match layer.kv_cache {
            KvCache::Q8_0 if i % 32 == 0 => 127.0 / 128.0,
            KvCache::Q8_0 => (x * 127.0).round() / 128.0,
            _ => half::f16::from_f32(*x).to_f32(),
        };
        case.floats.push((cache, numbers.iter().enumerate().map(held).collect()));
    }
    (case, [x, caches[0], caches[1]])
}

fn names(plan: &Plan) -> Vec<&'static str> {
    plan.steps.iter().map(|step| step.op.name()).collect()
}

/// Numbers that were rounded from almost the same ones differ in a last place now and then.
const HALVES: f64 = 1e-6;
/// The same of bytes, whose last place is larger.
const BYTES: f64 = 1e-5;

/// The plain plan on the CPU against the fused one there, and against the plain one on a GPU, which fuses it.
fn check(what: &Layer, limit: f64, rng: &mut fastrand::Rng) -> Plan {
    let (mut case, outputs) = layer(what, rng);
    let fused = fuse(&case.plan, &|_| true);
    for output in outputs {
        case.compare(&format!("{what:?} on a GPU"), output, limit);
        let expected = case.output(Kind::Cpu, output).unwrap();
        let plain = std::mem::replace(&mut case.plan, fused.clone());
        let found = case.output(Kind::Cpu, output).unwrap();
        let nmse = common::nmse(&expected, &found);
        assert!(nmse <= limit, "{what:?}, fused on the CPU: NMSE {nmse:e}");
        case.plan = plain;
    }
    fused
}

#[test]
fn a_layer_of_one_row_becomes_six_steps() {
    let mut rng = common::rng();
    let fused = check(&PLAIN, F32, &mut rng);
    assert_eq!(names(&fused), ["linears", "place", "attention", "linear", "linears", "linear"]);
    let fused = check(&Layer { gated: false, f: Function::Gelu, ..PLAIN }, F32, &mut rng);
    assert_eq!(names(&fused), ["linears", "place", "attention", "linear", "linears", "linear"]);
}

#[test]
fn several_rows_share_what_is_done_to_heads() {
    let mut rng = common::rng();
    let fused = check(&Layer { rows: 5, listed: true, ..PLAIN }, F32, &mut rng);
    assert_eq!(names(&fused)[..4], ["norm", "linears", "place", "attention"]);
}

#[test]
fn every_feature_of_a_layer_agrees() {
    let mut rng = common::rng();
    let halves = Some((12, RopeStyle::Halves));
    for rows in [1, 3] {
        let plain = Layer { rows, ..PLAIN };
        for kind in [NormKind::Rms, NormKind::Layer] {
            for own in [false, true] {
                let qk_norm = Some((kind, own));
                check(&Layer { qk_norm, rope: halves, ..plain.clone() }, F32, &mut rng);
            }
        }
        let qk_norm = Some((NormKind::Rms, false));
        for layer in [
            Layer { biases: true, rope: None, ..plain.clone() },
            Layer { clip: Some(0.3), biases: true, ..plain.clone() },
            Layer { clip: Some(0.3), qk_norm, listed: true, biases: true, ..plain.clone() },
            Layer { rope: halves, listed: true, f: Function::GeluTanh, ..plain.clone() },
            // Heads wider than a workgroup; one head of keys.
            Layer {
                head_dim: 132,
                n_kv_heads: 1,
                qk_norm,
                rope: Some((132, RopeStyle::Halves)),
                ..plain.clone()
            },
            // Rows of odd lengths, and one that no vector of four fits.
            Layer { n_embd: 44, n_ff: 70, biases: true, ..plain.clone() },
            Layer { n_embd: 45, n_ff: 33, gated: false, ..plain.clone() },
        ] {
            check(&layer, F32, &mut rng);
        }
    }
}

#[test]
fn caches_of_half_precision_agree() {
    let mut rng = common::rng();
    let qk_norm = Some((NormKind::Rms, false));
    for rows in [1, 3] {
        let plain = Layer { rows, kv_cache: KvCache::F16, ..PLAIN };
        let wide = Layer { head_dim: 132, n_kv_heads: 1, rope: None, ..plain.clone() };
        let listed = Layer { listed: true, qk_norm, clip: Some(0.3), ..plain.clone() };
        // The last is not fused, so that rows are copied to the cache by a step of their own.
        let apart = Layer { qk_norm: Some((NormKind::Rms, false)), mixed_norms: true, ..plain.clone() };
        for layer in [plain, wide, listed, apart] {
            check(&layer, HALVES, &mut rng);
        }
    }
}

#[test]
fn caches_of_bytes_agree() {
    let mut rng = common::rng();
    let qk_norm = Some((NormKind::Rms, false));
    let rope = Some((32, RopeStyle::Halves));
    for rows in [1, 3] {
        let plain = Layer { rows, kv_cache: KvCache::Q8_0, head_dim: 32, rope, ..PLAIN };
        let wide = Layer { head_dim: 160, n_kv_heads: 1, rope: None, ..plain.clone() };
        let listed = Layer { listed: true, qk_norm, clip: Some(0.3), ..plain.clone() };
        let apart = Layer { qk_norm, mixed_norms: true, ..plain.clone() };
        for layer in [plain, wide, listed, apart] {
            check(&layer, BYTES, &mut rng);
        }
    }
}

#[test]
fn matrices_of_different_types_lie_apart() {
    let mut rng = common::rng();
    use DType::{F16, Q4_0, Q4_K, Q6_K, Q8_0};
    for types in [[Q4_0; 3], [Q8_0; 3], [F16; 3], [Q4_K, Q4_K, Q6_K], [Q8_0, Q4_0, Q4_0], [F16, Q8_0, F16]] {
        for (rows, biases) in [(1, true), (2, true), (1, false)] {
            let head_dim = 32;
            let layer = Layer { rows, types, biases, n_embd: 256, n_heads: 8, head_dim, n_ff: 512, ..PLAIN };
            check(&layer, 1e-6, &mut rng);
        }
    }
    // Wide enough that a thread computes several outputs.
    for types in [[DType::F32; 3], [Q4_0; 3], [Q4_K; 3]] {
        let layer =
            Layer { types, n_embd: 1024, n_heads: 32, n_kv_heads: 8, head_dim: 32, n_ff: 2048, ..PLAIN };
        check(&Layer { biases: true, ..layer }, 1e-6, &mut rng);
    }
}

#[test]
fn a_norm_whose_input_changes_before_it_is_read_stays() {
    let mut rng = common::rng();
    let mut b = Builder::new("parallel", 1);
    let x = b.activation("x", 1, 64);
    let weight = Some(b.vector("norm", 64));
    let h = b.norm(x, Norm { kind: NormKind::Rms, weight, bias: None, eps: 1e-5 }, 64);
    for name in ["one", "two"] {
        let w = b.matrix(name, DType::F32, 64, 64);
        b.linear_add(h, w, None, x);
    }
    let plan = b.finish();
    assert_eq!(names(&fuse(&plan, &|_| true)), ["norm", "linear", "linear"]);
    let mut case = Case::new(plan, Run::new(0, 1));
    case.weights = ["one", "two"].map(|name| Weight::matrix(name, DType::F32, 64, 64, &mut rng)).to_vec();
    case.weights.push(Weight::vector("norm", 64, &mut rng));
    case.floats = vec![(x, common::floats(&mut rng, 64))];
    case.compare("a parallel layer", x, F32);
}

#[test]
fn what_a_caller_reads_is_kept() {
    let mut b = Builder::new("norm", 1);
    let x = b.activation("x", 1, 64);
    let weight = Some(b.vector("norm", 64));
    b.norm(x, Norm { kind: NormKind::Rms, weight, bias: None, eps: 1e-5 }, 64);
    let plan = b.finish();
    assert!(matches!(fuse(&plan, &|_| true).steps[0].op, Op::Norm { .. }));
}
