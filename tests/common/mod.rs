//! What several tests need: the reference data where it is at hand, backends, fresh random numbers.
#![allow(dead_code)] // each test binary uses its own part

#[cfg(feature = "cli")]
pub mod cli;
pub mod folder;
pub mod tiny;

use std::path::PathBuf;

use intab::{
    backend::{Backend, Kind, cpu::Cpu, gpu, gpu::Gpu},
    error::Error,
};

/// A path under the reference data beside the checkout, or `None` (and a line that says so) where there is none.
pub fn shared(path: &str) -> Option<PathBuf> {
    let full = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")).join(path);
    if !full.exists() {
        eprintln!("skipped: no ../shared/{path} beside this checkout");
        return None;
    }
    Some(full)
}

/// A path within the repository.
pub fn repo(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A fresh backend; `None` where the machine has no GPU, unless `INTAB_REQUIRE_GPU` says that it must.
pub fn backend(kind: Kind) -> Option<Box<dyn Backend>> {
    match kind {
        Kind::Cpu => Some(Box::new(Cpu::new())),
        Kind::Gpu => Some(Box::new(gpu(gpu::Options::default())?)),
    }
}

/// A fresh GPU, as [`backend`] gives it.
pub fn gpu(options: gpu::Options) -> Option<Gpu> {
    pollster::block_on(Gpu::open(options)).map_err(|error| no_gpu(&error)).ok()
}

/// Says that a GPU test is skipped, or fails it where `INTAB_REQUIRE_GPU` is set.
pub fn no_gpu(error: &Error) {
    assert!(std::env::var_os("INTAB_REQUIRE_GPU").is_none(), "INTAB_REQUIRE_GPU is set, but {error}");
    eprintln!("skipped: {error}");
}

/// Random numbers that differ from run to run; the seed is printed for a failure to be repeated with `INTAB_SEED`.
pub fn rng() -> fastrand::Rng {
    rng_from(fastrand::u64(..))
}

/// The same numbers in each run, or those of `INTAB_SEED`: for texts that models of random weights write in two ways. Now and then
/// two tokens are as probable to the last bits, and roundoff chooses.
pub fn rng_for_texts() -> fastrand::Rng {
    rng_from(1)
}

fn rng_from(seed: u64) -> fastrand::Rng {
    let chosen = std::env::var("INTAB_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = chosen.unwrap_or(seed);
    eprintln!("INTAB_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// `n` numbers in (-1, 1).
pub fn floats(rng: &mut fastrand::Rng, n: usize) -> Vec<f32> {
    (0..n).map(|_| rng.f32() * 2.0 - 1.0).collect()
}

/// Mean squared error relative to the mean square of what is expected.
pub fn nmse(expected: &[f32], found: &[f32]) -> f64 {
    assert_eq!(expected.len(), found.len());
    let error: f64 = expected.iter().zip(found).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    let power: f64 = expected.iter().map(|a| f64::from(*a).powi(2)).sum();
    if error == 0.0 { 0.0 } else { error / power }
}
