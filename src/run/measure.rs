//! How long a model's parts take on its device, and what the device can do at best: what `intab bench` prints.

use std::collections::VecDeque;

use web_time::Instant;

use super::Engine;
use crate::{
    backend::{Backend, Precision, Prepared, StepTimes, WeightSpec},
    error::{Error, Result},
    model::IDS,
    plan::{Builder, Function, Plan, Run, Stage},
    quant::DType,
};

/// Times of decoding.
#[derive(Debug, Clone, Copy)]
pub struct DecodeTime {
    /// Seconds for one token.
    pub seconds: f64,
    /// Of these, on the host to give the device its work.
    pub encode_seconds: f64,
}

/// What a device does at best.
#[derive(Debug, Clone, Copy)]
pub struct Ceilings {
    /// Read and written by a copy.
    pub bytes_per_second: f64,
    /// Multiplications and additions of our own product of f32 matrices.
    pub flops_per_second: f64,
    /// Seconds for a step that does next to nothing and needs the one before.
    pub step_seconds: f64,
}

impl Ceilings {
    /// Seconds below which no token can come that reads so many bytes in so many steps, each of which needs the one before.
    pub fn floor_seconds(&self, bytes: u64, steps: usize) -> f64 {
        bytes as f64 / self.bytes_per_second + steps as f64 * self.step_seconds
    }
}

impl Engine {
    /// The time of a token from position `depth` on, the mean of `n`, whatever the cache holds: it is overwritten.
    ///
    /// # Errors
    /// [`Error::Input`] for a model that writes no text or a depth that the context does not hold.
    pub async fn time_decode(&mut self, depth: usize, n: usize, precision: Precision) -> Result<DecodeTime> {
        let prepared = self.start_measuring(depth.saturating_add(n), precision)?;
        let mut on_their_way = VecDeque::new();
        let mut encode_seconds = 0.0;
        let start = Instant::now();
        for i in 0..n {
            let before = Instant::now();
            let run = self.run_at(depth + i, 1);
            on_their_way.push_back(self.backend.run_for_token(prepared, &run, IDS)?);
            encode_seconds += before.elapsed().as_secs_f64();
            if on_their_way.len() >= self.backend.depth()
                && let Some(token) = on_their_way.pop_front()
            {
                token.await?;
            }
        }
        for token in on_their_way {
            token.await?;
        }
        let n = n as f64;
        Ok(DecodeTime { seconds: start.elapsed().as_secs_f64() / n, encode_seconds: encode_seconds / n })
    }

    /// Bytes of weights, keys and values that decoding one token at a depth reads; 0 for a model that writes no text.
    pub fn bytes_at(&self, depth: usize) -> u64 {
        let decode = self.own_plans().decode.as_ref().map(|decode| &decode.plan);
        decode.map_or(0, |plan| plan.weight_bytes(1) + plan.cache_bytes(depth + 1))
    }

    /// The device's own times for the kernels of one token at a depth: name and seconds, in order.
    ///
    /// # Errors
    /// As [`Engine::time_decode`]; [`Error::Unsupported`] where the device has no clock.
    pub async fn profile(&mut self, depth: usize, precision: Precision) -> Result<StepTimes> {
        let prepared = self.start_measuring(depth.saturating_add(1), precision)?;
        let run = self.run_at(depth, 1);
        self.backend.profile(prepared, &run, Stage::Sample)?.await
    }

    fn start_measuring(&mut self, n: usize, precision: Precision) -> Result<Prepared> {
        if n > self.facts().n_ctx {
            return Err(Error::ContextFull { n_prompt: n, n_ctx: self.facts().n_ctx });
        }
        self.make_room()?;
        self.compute(precision, &[])?;
        let decode = self.plans.decode.as_ref().ok_or_else(|| Error::input("model", "it writes no text"))?;
        let prepared = decode.ready()?;
        self.latest += 1;
        self.cached.clear();
        self.backend.write_u32(IDS, 0, &[1])?;
        Ok(prepared)
    }
}

/// Measures a device that holds no model.
///
/// # Errors
/// What the device has to say.
pub async fn ceilings(backend: &mut dyn Backend) -> Result<Ceilings> {
    const NUMBERS: usize = 8 << 20;
    let mut b = Builder::new("copy", 1);
    let [x, y] = ["measured from", "measured to"].map(|name| b.state(name, 1, NUMBERS));
    b.copy(x, y);
    b.copy(y, x);
    let bytes = 4 * 4 * NUMBERS; // twice read, twice written
    let bytes_per_second = bytes as f64 / time(backend, &b.finish(), 1).await?;

    const STEPS: usize = 500;
    let mut b = Builder::new("steps", 1);
    let x = b.state("measured step", 1, 1);
    (0..STEPS).for_each(|_| b.map(x, Function::Relu));
    let step_seconds = time(backend, &b.finish(), 1).await? / STEPS as f64;

    // Small for what is software, then as large as a fast device needs.
    let mut flops_per_second = 0.0;
    for size in [256, 1024, 4096] {
        let name = format!("measured {size}");
        let spec = WeightSpec { name: &name, dtype: DType::F32, rows: size, cols: size, vector: false };
        let numbers: Vec<f32> = (0..size * size).map(|i| (i % 17) as f32 / 17.0 - 0.5).collect();
        backend.write_weight(&spec, 0, bytemuck::cast_slice(&numbers))?;
        let rows = size.min(1024);
        let mut b = Builder::new("matmul", rows);
        let x = b.activation("x", rows, size);
        let w = b.matrix(&name, DType::F32, size, size);
        b.linear(x, w, None, "y");
        let seconds = time(backend, &b.finish(), rows).await?;
        flops_per_second = f64::max(flops_per_second, (2 * rows * size * size) as f64 / seconds);
        if seconds > 0.02 {
            break;
        }
    }
    Ok(Ceilings { bytes_per_second, flops_per_second, step_seconds })
}

/// Seconds of a run of a plan when several follow each other: the best of a few rounds.
async fn time(backend: &mut dyn Backend, plan: &Plan, n_rows: usize) -> Result<f64> {
    const RUNS: usize = 4;
    let prepared = backend.prepare(plan).await?;
    let run = Run::new(0, n_rows);
    backend.run(prepared, &run, Stage::Sample)?; // warms up
    backend.settle().await?;
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let start = Instant::now();
        for _ in 0..RUNS {
            backend.run(prepared, &run, Stage::Sample)?;
        }
        backend.settle().await?;
        best = best.min(start.elapsed().as_secs_f64() / RUNS as f64);
    }
    Ok(best)
}
