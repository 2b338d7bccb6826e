//! One plan with the same inputs on both backends.

use intab::{
    backend::{Backend, Kind, Precision, Prepared, WeightSpec, gpu},
    plan::{Plan, Run, Stage, Storage, Value},
    quant::DType,
};
use pollster::block_on;

use crate::{common, random::Random};

/// The NMSE allowed between two orders of f32 sums.
pub const F32: f64 = 1e-7;

/// What outputs hold before a run: a number that no kernel may leave or read.
pub const POISON: f32 = -1e30;

/// A weight to write before the plan is prepared.
#[derive(Clone)]
pub struct Weight {
    pub name: &'static str,
    pub dtype: DType,
    pub rows: usize,
    pub cols: usize,
    pub bytes: Vec<u8>,
    pub vector: bool,
}

impl Weight {
    /// A random vector.
    pub fn vector(name: &'static str, n: usize, rng: &mut fastrand::Rng) -> Weight {
        let bytes = bytemuck::cast_slice(&common::floats(rng, n)).to_vec();
        Weight { name, dtype: DType::F32, rows: 1, cols: n, bytes, vector: true }
    }

    /// Random weights; where this crate cannot quantize to the type, random blocks.
    pub fn matrix(
        name: &'static str,
        dtype: DType,
        rows: usize,
        cols: usize,
        rng: &mut fastrand::Rng,
    ) -> Weight {
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

    pub fn spec(&self) -> WeightSpec<'static> {
        let Weight { name, dtype, rows, cols, vector, .. } = *self;
        WeightSpec { name, dtype, rows, cols, vector }
    }
}

/// A plan with what it reads.
#[derive(Clone)]
pub struct Case {
    pub plan: Plan,
    pub weights: Vec<Weight>,
    /// Numbers of activations and states, rows of [`intab::plan::ValueInfo::cols`].
    pub floats: Vec<(Value, Vec<f32>)>,
    /// Words of states.
    pub words: Vec<(&'static str, Vec<u32>)>,
    pub run: Run,
    pub precision: Precision,
}

impl Case {
    /// Without inputs yet.
    pub fn new(plan: Plan, run: Run) -> Case {
        Case {
            plan,
            weights: Vec::new(),
            floats: Vec::new(),
            words: Vec::new(),
            run,
            precision: Precision::Exact,
        }
    }

    /// All rows of a value after a run, without their padding; `None` where there is no GPU. It is poisoned first, unless
    /// it is an input.
    pub fn output(&self, kind: Kind, output: Value) -> Option<Vec<f32>> {
        Some(self.output_of(common::backend(kind)?, output))
    }

    fn output_of(&self, mut backend: Box<dyn Backend>, output: Value) -> Vec<f32> {
        for weight in &self.weights {
            backend.write_weight(&weight.spec(), 0, &weight.bytes).unwrap();
        }
        let prepared = block_on(backend.prepare(&self.plan)).unwrap();
        let info = &self.plan[output];
        if !self.floats.iter().any(|(value, _)| *value == output) {
            self.write(&mut *backend, prepared, output, &vec![POISON; info.rows * info.cols]);
        }
        for (value, numbers) in &self.floats {
            self.write(&mut *backend, prepared, *value, numbers);
        }
        for (state, words) in &self.words {
            backend.write_u32(state, 0, words).unwrap();
        }
        backend.set_precision(self.precision);
        backend.run(prepared, &self.run, Stage::Sample).unwrap();
        let all = backend.read_value(prepared, output, 0, info.rows * info.stride());
        let rows = block_on(all).unwrap();
        rows.chunks_exact(info.stride()).flat_map(|row| &row[..info.cols]).copied().collect()
    }

    /// Writes rows at the value's stride, with zeros as padding.
    fn write(&self, backend: &mut dyn Backend, prepared: Prepared, value: Value, numbers: &[f32]) {
        let info = &self.plan[value];
        let mut padded = vec![0.0; info.rows * info.stride()];
        for (row, from) in padded.chunks_exact_mut(info.stride()).zip(numbers.chunks_exact(info.cols)) {
            row[..info.cols].copy_from_slice(from);
        }
        backend.write_value(prepared, value, &padded).unwrap();
    }

    /// The output of the CPU, then of the GPU.
    pub fn outputs(&self, output: Value) -> Option<[Vec<f32>; 2]> {
        Some([self.output(Kind::Cpu, output)?, self.output(Kind::Gpu, output)?])
    }

    /// Holds the run's rows of an output on the GPU, with all that it has and with what every GPU has, to those on the CPU;
    /// the other rows must be as they were before.
    pub fn compare(&self, what: &str, output: Value, limit: f64) {
        let Some(expected) = self.output(Kind::Cpu, output) else { return };
        for default_limits in [false, true] {
            let Some(gpu) = common::gpu(gpu::Options { default_limits, ..Default::default() }) else {
                return;
            };
            let found = self.output_of(Box::new(gpu), output);
            let tier = if default_limits { " with default limits" } else { "" };
            self.hold(&format!("{what}{tier}"), output, &expected, &found, limit);
        }
    }

    /// The same on a GPU that is opened so.
    pub fn compare_on(&self, options: gpu::Options, what: &str, output: Value, limit: f64) {
        let exact = Case { precision: Precision::Exact, ..self.clone() };
        let Some(expected) = exact.output(Kind::Cpu, output) else { return };
        let Some(gpu) = common::gpu(options) else { return };
        self.hold(what, output, &expected, &self.output_of(Box::new(gpu), output), limit);
    }

    fn hold(&self, what: &str, output: Value, expected: &[f32], found: &[f32], limit: f64) {
        let info = &self.plan[output];
        let written = match info.rows {
            1 => 1,
            // A state's rows are written by slot, any of them.
            rows if matches!(info.storage, Storage::State | Storage::Halves | Storage::Bytes) => rows,
            _ => self.run.n_rows as usize,
        } * info.cols;
        let nmse = common::nmse(&expected[..written], &found[..written]);
        assert!(nmse <= limit, "{what}: NMSE {nmse:e} is above {limit:e}");
        assert_eq!(expected[written..], found[written..], "{what}: rows behind the run's");
        assert!(found.iter().all(|x| x.is_finite()), "{what}: not finite");
    }
}
