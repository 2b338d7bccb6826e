//! The quantized types and the shaders alone as a wasm module without imports, so that a test can compare the ways to
//! multiply in the same engine that runs them, and the shaders with the scalar truth in a browser.

pub use intab_kernels::{linear, quant};
#[path = "../../random/mod.rs"]
mod random;
#[path = "../../../src/backend/gpu/shader.rs"]
pub mod shader;

use std::cell::RefCell;

use linear::{Inputs, Matrix};
use quant::{TYPES, TypeInfo};
use random::Random;
use shader::{Texts, Variant};

/// Number of types.
#[unsafe(no_mangle)]
pub extern "C" fn n_types() -> usize {
    TYPES.len()
}

/// Whether this module was built with vector instructions.
#[unsafe(no_mangle)]
pub extern "C" fn has_vectors() -> bool {
    cfg!(target_feature = "simd128")
}

/// How far the dot product of a random row of `n` weights is from the exact one, relative to the sum of its terms'
/// magnitudes: by floats one by one (0) or in a panel (1), by integers one by one (2) or in a panel (3).
#[unsafe(no_mangle)]
pub extern "C" fn dot_error(index: usize, n: usize, seed: u64, way: u32) -> f64 {
    let info = &TYPES[index];
    let mut random = Random(seed);
    let row = random.blocks(info.name, info.block_bytes, n / info.block_len);
    let x = random.numbers(n);
    let mut weights = vec![0.0; n];
    info.dequantize_row(&row, &mut weights);
    // One row of activations, or as many as are multiplied in panels.
    let xs = vec![&x[..]; if way.is_multiple_of(2) { 1 } else { 4 }];
    let mut products = vec![0.0; xs.len()];
    let matrix = Matrix { dtype: info.dtype, n_out: 1, n_in: n, bytes: row };
    matrix.multiply(0..1, &mut Inputs::new(&xs), way >= 2, &mut products);
    let product = products[xs.len() - 1];
    let terms = weights.iter().zip(&x).map(|(&w, &x)| f64::from(w) * f64::from(x));
    let error = (f64::from(product) - terms.clone().sum::<f64>()).abs();
    // All are zeros where a block's scale is.
    error / terms.map(f64::abs).sum::<f64>().max(f64::MIN_POSITIVE)
}

/// What [`describe`] can give.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Name,
    Wgsl,
    Quants,
    Scales,
    Weights,
}

thread_local! {
    /// What was described last, for the caller to read.
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn put(output: Vec<u8>) -> usize {
    OUTPUT.with_borrow_mut(|place| {
        *place = output;
        place.len()
    })
}

/// Puts a fact of a type, or an array of its random blocks of this seed, into the output; returns the output's length.
#[unsafe(no_mangle)]
pub extern "C" fn describe(index: usize, part: u32, seed: u64) -> usize {
    let info = &TYPES[index];
    let parts = [Part::Name, Part::Wgsl, Part::Quants, Part::Scales, Part::Weights];
    put(match parts[part as usize] {
        Part::Name => info.name.as_bytes().to_vec(),
        Part::Wgsl => info.gpu.wgsl.as_bytes().to_vec(),
        array => random_units(info, array, seed),
    })
}

/// Number of the kernels' texts.
#[unsafe(no_mangle)]
pub extern "C" fn n_texts() -> usize {
    Variant::all().len()
}

/// Puts a kernel's text, after a line that says which it is, into the output; returns the output's length.
#[unsafe(no_mangle)]
pub extern "C" fn text(index: usize) -> usize {
    let variant = &Variant::all()[index];
    put(format!("// {variant:?}\n{}", Texts::default().get(variant)).into_bytes())
}

/// Where the output is.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    OUTPUT.with_borrow(|output| output.as_ptr())
}

/// One of the arrays of seven random units: an odd number, so that scales begin in the middle of words.
fn random_units(info: &TypeInfo, part: Part, seed: u64) -> Vec<u8> {
    const UNITS: usize = 7;
    let gpu = &info.gpu;
    let bytes = Random(seed).blocks(info.name, info.block_bytes, UNITS * gpu.unit_len / info.block_len);
    let mut quants = vec![0; UNITS * gpu.quant_bytes];
    let mut scales = vec![0; (UNITS * gpu.scale_bytes).next_multiple_of(4).max(4)];
    for (u, unit) in bytes.chunks_exact(info.row_bytes(gpu.unit_len)).enumerate() {
        let scales = &mut scales[u * gpu.scale_bytes..][..gpu.scale_bytes];
        (gpu.repack)(unit, &mut quants[u * gpu.quant_bytes..][..gpu.quant_bytes], scales);
    }
    let mut weights = vec![0.0f32; UNITS * gpu.unit_len];
    info.dequantize_row(&bytes, &mut weights);
    match part {
        Part::Quants => quants,
        Part::Scales => scales,
        _ => bytemuck::cast_slice(&weights).to_vec(),
    }
}
