//! The quantized types, held to the `gguf` package (blocks made by `tests/data/make_quants.py`) and to themselves.

mod random;

use intab::quant::{DType, TYPES, TypeInfo, dot_f32};
use random::Random;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/quants");

fn read(name: String) -> Vec<u8> {
    std::fs::read(format!("{DATA}/{name}")).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn read_f32(name: String) -> Vec<f32> {
    read(name).as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// Σ (a - b)² / Σ b².
fn nmse(a: &[f64], b: &[f64]) -> f64 {
    let error: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    error / b.iter().map(|b| b.powi(2)).sum::<f64>()
}

#[test]
fn every_type_unpacks_to_the_numbers_that_the_gguf_package_says() {
    for info in TYPES {
        let bytes = read(format!("{}.bin", info.name));
        let expected = read_f32(format!("{}.f32", info.name));
        assert_eq!(bytes.len(), info.row_bytes(expected.len()), "{}", info.name);
        let mut weights = vec![f32::NAN; expected.len()];
        info.dequantize_row(&bytes, &mut weights);
        for (i, (ours, theirs)) in weights.iter().zip(&expected).enumerate() {
            assert_eq!(ours.to_bits(), theirs.to_bits(), "{} weight {i}: {ours} for {theirs}", info.name);
        }
    }
}

#[test]
fn types_that_we_make_are_made_byte_for_byte_as_the_gguf_package_makes_them() {
    use DType::*;
    let weights = read_f32("weights.f32".into());
    for dtype in [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, TQ1_0, TQ2_0, MXFP4] {
        let info = dtype.info();
        let expected = read(format!("{dtype}.quantized"));
        let mut bytes = vec![0; info.row_bytes(weights.len())];
        info.quantize.unwrap_or_else(|| panic!("{dtype} has no quantizer"))(&weights, &mut bytes);
        for (i, (ours, theirs)) in
            bytes.chunks(info.block_bytes).zip(expected.chunks(info.block_bytes)).enumerate()
        {
            assert_eq!(ours, theirs, "{dtype} block {i}");
        }
        assert_eq!(bytes.len(), expected.len(), "{dtype}");
    }
}

#[test]
fn packing_loses_no_more_than_the_bits_of_the_type_allow() {
    let weights = Random::fresh().numbers(4096);
    let truth: Vec<f64> = weights.iter().map(|&w| w.into()).collect();
    // Uniform numbers in -1..1 have power 1/3; a step of s costs s² / 12.
    let allowed = |info: &TypeInfo| match info.name {
        "F32" => 0.0,
        "F16" => 1e-6,
        "BF16" => 1e-5,
        "Q8_0" => 1e-4,
        name if name.starts_with("Q6") => 1e-3,
        name if name.starts_with("Q5") => 3e-3,
        "TQ1_0" | "TQ2_0" => 0.26, // three levels
        "MXFP4" => 3e-2,           // a scale that is a power of two leaves the largest weights out of reach
        _ => 1e-2,
    };
    for info in TYPES {
        let Some(quantize) = info.quantize else { continue };
        let mut bytes = vec![0; info.row_bytes(weights.len())];
        quantize(&weights, &mut bytes);
        let mut back = vec![0.0; weights.len()];
        info.dequantize_row(&bytes, &mut back);
        let back: Vec<f64> = back.iter().map(|&w| w.into()).collect();
        let loss = nmse(&back, &truth);
        assert!(loss <= allowed(info), "{}: {loss:e}", info.name);
    }
}

#[test]
fn weights_as_models_have_them_lose_less_in_k_types_and_iq4_nl_than_in_plain_ones() {
    // Sums of four uniform numbers are nearly normal; every 32 have a spread of their own.
    let mut random = Random::fresh();
    let weights: Vec<f32> = (0..128)
        .flat_map(|_| {
            let spread = 0.2 + random.number().abs();
            (0..32).map(|_| spread * random.numbers(4).iter().sum::<f32>()).collect::<Vec<_>>()
        })
        .collect();
    let truth: Vec<f64> = weights.iter().map(|&w| w.into()).collect();
    let loss = |dtype: DType| {
        let info = dtype.info();
        let mut bytes = vec![0; info.row_bytes(weights.len())];
        info.quantize.unwrap()(&weights, &mut bytes);
        let mut back = vec![0.0; weights.len()];
        info.dequantize_row(&bytes, &mut back);
        nmse(&back.iter().map(|&w| w.into()).collect::<Vec<_>>(), &truth)
    };
    let (q4, q5, q6) = (loss(DType::Q4_K), loss(DType::Q5_K), loss(DType::Q6_K));
    let iq4 = loss(DType::IQ4_NL);
    assert!(iq4 < 0.9 * loss(DType::Q4_0), "IQ4_NL {iq4:e}, Q4_0 {:e}", loss(DType::Q4_0));
    assert!(q4 < 0.85 * loss(DType::Q4_0), "Q4_K {q4:e}, Q4_0 {:e}", loss(DType::Q4_0));
    assert!(q5 < 0.85 * loss(DType::Q5_0), "Q5_K {q5:e}, Q5_0 {:e}", loss(DType::Q5_0));
    assert!(q6 < 0.4 * q5, "Q6_K {q6:e}, Q5_K {q5:e}");
}

#[test]
fn equal_weights_zeros_and_a_lone_weight_survive_packing() {
    let mut lone = [0.0f32; 256];
    lone[77] = -1.5;
    for info in TYPES {
        let Some(quantize) = info.quantize else { continue };
        for weights in [[0.0; 256], [0.375; 256], [-0.375; 256], lone] {
            let mut bytes = vec![0; info.row_bytes(256)];
            quantize(&weights, &mut bytes);
            let mut back = [f32::NAN; 256];
            info.dequantize_row(&bytes, &mut back);
            let largest = weights.iter().fold(0.0f32, |most, w| most.max(w.abs()));
            for (i, (back, truth)) in back.iter().zip(&weights).enumerate() {
                let near = (back - truth).abs() <= 0.01 * largest;
                assert!(near, "{} weight {i}: {back} for {truth}", info.name);
            }
        }
    }
}

#[test]
fn a_dot_of_plain_numbers_is_as_exact_as_single_precision_can_be() {
    let mut random = Random::fresh();
    for n in [1, 15, 16, 17, 31, 257, 4096, 11008] {
        let pairs: Vec<_> = (0..50).map(|_| (random.numbers(n), random.numbers(n))).collect();
        let ours: Vec<f64> = pairs.iter().map(|(a, b)| dot_f32(a, b).into()).collect();
        let exact = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        let truth: Vec<f64> = pairs.iter().map(|(a, b)| exact(a, b)).collect();
        assert!(nmse(&ours, &truth) <= 1e-11, "{n} numbers: {:e}", nmse(&ours, &truth));
    }
}

#[test]
fn a_packed_row_times_numbers_is_the_unpacked_row_times_them() {
    let mut random = Random::fresh();
    for info in TYPES {
        for blocks in [1, 2, 9] {
            let n = blocks * info.block_len.max(25);
            let row = random.blocks(info.name, info.block_bytes, n / info.block_len);
            let x = random.numbers(n);
            let mut weights = vec![0.0; n];
            info.dequantize_row(&row, &mut weights);
            let products = weights.iter().zip(&x).map(|(&w, &x)| f64::from(w) * f64::from(x));
            let (truth, size): (f64, f64) = (products.clone().sum(), products.map(f64::abs).sum());
            let product = info.dot(&row, &x);
            assert!((f64::from(product) - truth).abs() <= 1e-6 * size, "{}: {product}, {truth}", info.name);
        }
    }
}

#[test]
fn a_units_bytes_all_find_a_place_on_the_gpu() {
    let mut random = Random::fresh();
    for info in TYPES {
        let gpu = &info.gpu;
        let unit_bytes = info.row_bytes(gpu.unit_len);
        let gpu_bytes = gpu.quant_bytes + gpu.scale_bytes;
        assert_eq!(gpu.quant_bytes % 16, 0, "{}", info.name);
        assert_eq!(gpu.scale_bytes % 2, 0, "{}", info.name);
        assert!(gpu_bytes <= unit_bytes * 3 / 2, "{}: {unit_bytes} bytes take {gpu_bytes}", info.name);
        // Whatever changes a weight changes the two arrays.
        let of = |unit: &[u8]| {
            let mut weights = vec![0.0; gpu.unit_len];
            info.dequantize_row(unit, &mut weights);
            let (mut quants, mut scales) = (vec![0; gpu.quant_bytes], vec![0; gpu.scale_bytes]);
            (gpu.repack)(unit, &mut quants, &mut scales);
            (weights.into_iter().map(f32::to_bits).collect::<Vec<_>>(), [quants, scales])
        };
        let mut unit = random.blocks(info.name, info.block_bytes, gpu.unit_len / info.block_len);
        let (weights, arrays) = of(&unit);
        for bit in 0..8 * unit_bytes {
            unit[bit / 8] ^= 1 << (bit % 8);
            let (changed, found) = of(&unit);
            assert!(changed == weights || found != arrays, "{}: bit {bit} is lost", info.name);
            unit[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
