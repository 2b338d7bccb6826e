//! The quantized types, held to the `gguf` package (blocks made by `tests/data/make_quants.py`) and to themselves.

use intab::quant::{DType, TYPES, TypeInfo, dot_f32};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/quants");

fn read(name: String) -> Vec<u8> {
    std::fs::read(format!("{DATA}/{name}")).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn read_f32(name: String) -> Vec<f32> {
    read(name).as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// Numbers that differ from run to run; the seed is printed for a failure's sake.
struct Random(u64);

impl Random {
    fn fresh() -> Random {
        let seed = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        println!("seed {seed}");
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Between -1 and 1.
    fn number(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn numbers(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.number()).collect()
    }
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
    for dtype in [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0] {
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
        let bytes = read(format!("{}.bin", info.name));
        // The first two blocks have ordinary scales, the others are at the ends of the range.
        let n = 2 * info.block_len.max(25);
        let (row, x) = match info.block_len {
            1 => (&bytes[12 * info.block_bytes..][..n * info.block_bytes], random.numbers(n)),
            _ => (&bytes[..info.row_bytes(n)], random.numbers(n)),
        };
        let mut weights = vec![0.0; n];
        info.dequantize_row(row, &mut weights);
        let truth: f64 = weights.iter().zip(&x).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum();
        let scale: f64 = weights.iter().zip(&x).map(|(&w, &x)| (f64::from(w) * f64::from(x)).abs()).sum();
        for product in [(info.dot)(row, &x), info.dot_reference(row, &x)] {
            assert!(
                (f64::from(product) - truth).abs() <= 1e-6 * scale,
                "{}: {product} for {truth}",
                info.name
            );
        }
    }
}

#[test]
fn a_float_row_that_is_not_aligned_has_the_same_product() {
    let mut random = Random::fresh();
    let (weights, x) = (random.numbers(100), random.numbers(100));
    let info = DType::F32.info();
    let mut padded = vec![0u8; 404];
    for start in 0..4 {
        let row = &mut padded[start..][..400];
        info.quantize.unwrap()(&weights, row);
        assert_eq!((info.dot)(row, &x), dot_f32(&weights, &x));
    }
}

#[test]
fn a_units_bytes_all_find_a_place_on_the_gpu() {
    for info in TYPES {
        let gpu = &info.gpu;
        let unit_bytes = info.row_bytes(gpu.unit_len);
        assert_eq!(gpu.quant_bytes % 16, 0, "{}", info.name);
        assert_eq!(gpu.scale_bytes % 2, 0, "{}", info.name);
        assert_eq!(gpu.quant_bytes + gpu.scale_bytes, unit_bytes, "{}: padding", info.name);
        let unit: Vec<u8> = (0..unit_bytes).map(|i| i as u8).collect();
        let (mut quants, mut scales) = (vec![0; gpu.quant_bytes], vec![0; gpu.scale_bytes]);
        (gpu.repack)(&unit, &mut quants, &mut scales);
        let mut found = [quants, scales].concat();
        found.sort_unstable();
        assert_eq!(found, unit, "{}", info.name);
    }
}
