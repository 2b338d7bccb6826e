//! The GPU backend: a plan becomes pipelines, buffers and bind groups once; a run is one small write, one encoder,
//! one pass and one submission. `wgpu` is named in this folder alone.

mod bindings;
mod cells;
mod device;
mod fault;
mod kept;
mod lower;
mod memory;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod pace;
mod pipeline;
mod profile;
mod program;
mod readback;
mod shader;
mod trial;
mod tune;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(not(target_arch = "wasm32"))]
use native as reports;
#[cfg(target_arch = "wasm32")]
use web as reports;

pub use memory::total as live_buffers;
pub use pace::MOST as ROWS;
pub use shader::{Texts, Variant};
pub use tune::{Choice, Origin};

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use super::{
    Backend, Copies, Counters, Info, Kept, KeptRows, Kind, Precision, Prepared, StepTimes, WeightSpec,
    no_such, sampled,
};
use crate::{
    error::{Error, Result},
    format::LocalFuture,
    plan::{Plan, Run, Stage, Value, assign_slots, fuse},
};
use device::{Device, Tiers};
use kept::Copy;
use lower::{Binding, How, PartShape};
use memory::{Allocator, Buffer, Matrix};
use pace::Pace;
use pipeline::Pipelines;
use program::Program;
use readback::Readback;

/// How many tokens are submitted before the first is read back: enough to hide the way to the host and back.
const DEPTH: usize = 3;

/// See [`Kind::scratch_bytes`]: of exact runs.
pub fn scratch_bytes<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> u64 {
    let how = How { tiers: Tiers::default(), choice: Choice::default(), precision: Precision::Exact };
    let (mut bytes, mut between) = (0, 0);
    for plan in plans {
        let plan = &fuse(plan, &|_| true);
        bytes += assign_slots(plan).iter().map(|slot| 4 * slot.len as u64).sum::<u64>();
        // All matrices as one part of one buffer each.
        let part = |w: Value| PartShape { first_row: 0, n_rows: plan[w].rows, at: 0, store: w.0 as usize };
        for step in &plan.steps {
            for binding in lower::lower(plan, step, how, &|w| vec![part(w)]).iter().flat_map(|d| &d.bindings)
            {
                // What was made for less stays with the commands that use it.
                if let Some(Binding::Between { len, .. }) = binding
                    && *len > between
                {
                    between = *len;
                    bytes += 4 * between as u64;
                }
            }
        }
    }
    bytes
}

/// What the caller may ask of the device.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Ask for no more than what WebGPU promises on every device.
    pub default_limits: bool,
    /// Run every step of a plan by itself, to compare.
    pub unfused: bool,
    /// How work is laid out until [`Gpu::tune`] chooses.
    pub choice: Choice,
}

/// Runs plans on a GPU.
pub struct Gpu {
    options: Options,
    device: Device,
    allocator: Allocator,
    /// The run's parameters, as in `shaders/lib/run.wgsl`.
    run: Rc<Buffer>,
    matrices: HashMap<String, Matrix>,
    /// Vectors, constants and states, by name.
    shared: HashMap<String, Rc<Buffer>>,
    /// See [`Binding::Biases`]: by the names of the layers and of their biases.
    biases: HashMap<String, Rc<Buffer>>,
    /// See [`Binding::Between`].
    between: Option<Rc<Buffer>>,
    copies: Copies<Copy>,
    plans: BTreeMap<usize, Program>,
    n_prepared: usize,
    pipelines: Pipelines,
    readback: Readback,
    precision: Precision,
    pace: Rc<Pace>,
    /// How work is laid out.
    choice: Choice,
    is_tuned: bool,
    destroyed: bool,
}

impl Gpu {
    /// Opens the best device there is.
    ///
    /// # Errors
    /// [`Error::NoDevice`] where there is none.
    pub async fn open(options: Options) -> Result<Gpu> {
        let device = Device::open(options.default_limits).await?;
        let allocator = Allocator::new(device.clone());
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let run = allocator.buffer("run", size_of::<Run>() as u64, usage)?;
        let pace = Rc::new(Pace::new(device.is_software()));
        let readback = Readback::new(device.clone(), allocator.clone());
        Ok(Gpu {
            options,
            device,
            allocator,
            run,
            matrices: HashMap::new(),
            shared: HashMap::new(),
            biases: HashMap::new(),
            between: None,
            copies: Copies::default(),
            plans: BTreeMap::new(),
            n_prepared: 0,
            pipelines: Pipelines::default(),
            readback,
            precision: Precision::Exact,
            pace,
            choice: options.choice,
            is_tuned: false,
            destroyed: false,
        })
    }

    /// Whether the device is software that emulates a GPU, which the CPU backend outruns.
    pub fn is_software(&self) -> bool {
        self.device.is_software()
    }

    fn alive(&self) -> Result<()> {
        if self.destroyed { Err(Error::Unloaded) } else { self.device.check() }
    }

    fn shared(&self, name: &str) -> Result<&Rc<Buffer>> {
        self.shared.get(name).ok_or_else(|| no_such("state", name))
    }
}

impl Backend for Gpu {
    fn info(&self) -> Info {
        let info = &self.device.info;
        let device = match (info.name.is_empty(), info.driver.is_empty()) {
            (true, true) => "a GPU that does not tell its name".to_owned(),
            (true, false) => info.driver.clone(),
            (false, _) => info.name.clone(),
        };
        Info { kind: Kind::Gpu, device, features: self.device.tiers.names(), tuning: self.tuning() }
    }

    fn counters(&self) -> Counters {
        self.allocator.counters()
    }

    fn is_lost(&self) -> bool {
        !self.destroyed && self.device.is_lost()
    }

    fn write_weight(&mut self, spec: &WeightSpec, first_row: usize, bytes: &[u8]) -> Result<()> {
        self.alive()?;
        if spec.vector {
            let mut numbers = vec![0f32; spec.cols];
            spec.dtype.info().dequantize_row(bytes, &mut numbers);
            let size = 4 * spec.cols as u64;
            let buffer = match self.shared.get(spec.name).filter(|buffer| buffer.raw.size() == size.max(16)) {
                Some(buffer) => buffer.clone(),
                None => self.allocator.storage(spec.name, size)?,
            };
            self.device.queue.write_buffer(&buffer.raw, 0, bytemuck::cast_slice(&numbers));
            self.shared.insert(spec.name.to_owned(), buffer);
            return Ok(());
        }
        if first_row == 0 && !self.matrices.get(spec.name).is_some_and(|matrix| matrix.is(spec)) {
            let matrix = Matrix::allocate(&self.allocator, spec)?;
            self.matrices.insert(spec.name.to_owned(), matrix);
        }
        let matrix = self.matrices.get(spec.name).ok_or_else(|| no_such("weight", spec.name))?;
        matrix.write(&self.device.queue, first_row, bytes);
        Ok(())
    }

    fn prepare<'a>(&'a mut self, plan: &'a Plan) -> LocalFuture<'a, Result<Prepared>> {
        Box::pin(self.prepare_alone(plan))
    }

    fn run(&mut self, prepared: Prepared, run: &Run, until: Stage) -> Result<()> {
        self.alive()?;
        let encoder = self.encode(prepared, run, until)?;
        match run.n_rows {
            0 | 1 => self.pace.forget(),
            n => self.pace.start(n as usize),
        }
        self.device.queue.submit([encoder.finish()]);
        Ok(())
    }

    fn run_for_token(
        &mut self,
        prepared: Prepared,
        run: &Run,
        ids: &str,
    ) -> Result<LocalFuture<'static, Result<u32>>> {
        self.alive()?;
        self.pace.forget();
        let encoder = self.encode(prepared, run, Stage::Sample)?;
        let ids = self.shared(ids)?.clone();
        let words = self.readback.read(encoder, &ids, 0, 4)?;
        Ok(Box::pin(async move { sampled(bytemuck::pod_read_unaligned(&words.await?)) }))
    }

    fn settle(&mut self) -> LocalFuture<'static, Result<()>> {
        let (device, pace) = (self.device.clone(), self.pace.clone());
        let alive = self.alive();
        Box::pin(async move {
            alive?;
            device.settle().await?;
            pace.end();
            Ok(())
        })
    }

    fn set_precision(&mut self, precision: Precision) {
        self.precision = precision;
    }

    fn is_faster_less_exact(&self) -> bool {
        self.device.tiers.dots && self.choice.dots.is_some()
    }

    fn dispatches(&self, prepared: Prepared) -> usize {
        self.commands(prepared, Stage::Sample).count()
    }

    fn profile(
        &mut self,
        prepared: Prepared,
        run: &Run,
        until: Stage,
    ) -> Result<LocalFuture<'static, Result<StepTimes>>> {
        self.time_steps(prepared, run, until)
    }

    fn write_u32(&mut self, state: &str, start: usize, values: &[u32]) -> Result<()> {
        self.alive()?;
        let buffer = self.shared(state)?;
        self.device.queue.write_buffer(&buffer.raw, 4 * start as u64, bytemuck::cast_slice(values));
        Ok(())
    }

    fn write_value(&mut self, prepared: Prepared, value: Value, numbers: &[f32]) -> Result<()> {
        self.alive()?;
        let buffer = self.value_buffer(prepared, value)?;
        let bytes = self.cells(prepared, value)?.encode(numbers);
        self.device.queue.write_buffer(&buffer.raw, 0, &bytes);
        Ok(())
    }

    fn read_value(
        &mut self,
        prepared: Prepared,
        value: Value,
        start: usize,
        len: usize,
    ) -> LocalFuture<'static, Result<Vec<f32>>> {
        let numbers = start..start + len;
        let read = self.alive().and_then(|()| {
            let cells = self.cells(prepared, value)?;
            let buffer = self.value_buffer(prepared, value)?;
            let encoder = self.device.device.create_command_encoder(&Default::default());
            let place = cells.place(numbers.clone());
            Ok((self.readback.read(encoder, &buffer, place.start, place.end - place.start)?, cells))
        });
        let pace = self.pace.clone();
        Box::pin(async move {
            let (bytes, cells) = read?;
            let bytes = bytes.await?;
            pace.end();
            Ok(cells.decode(&bytes, numbers))
        })
    }

    fn keep(&mut self, states: &[KeptRows], rows: &[u32]) -> Result<Kept> {
        self.alive()?;
        self.keep_rows(states, rows)
    }

    fn recall(&mut self, kept: Kept, states: &[KeptRows], rows: &[u32]) -> Result<()> {
        self.alive()?;
        self.recall_rows(kept, states, rows)
    }

    fn drop_kept(&mut self, kept: Kept) {
        self.copies.remove(kept);
    }

    fn begin_trial(&mut self) {
        self.device.begin_trial();
    }

    fn end_trial(&mut self) -> LocalFuture<'static, Result<()>> {
        let (device, trial) = (self.device.clone(), self.device.end_trial());
        Box::pin(async move {
            device.settle().await?;
            trial.check()
        })
    }

    fn export(&mut self, kept: Kept) -> LocalFuture<'static, Result<Vec<u8>>> {
        let bytes = self.alive().and_then(|()| self.export_rows(kept));
        Box::pin(async move { bytes?.await })
    }

    fn import(&mut self, states: &[KeptRows], rows: usize, bytes: &[u8]) -> Result<Kept> {
        self.alive()?;
        self.import_rows(states, rows, bytes)
    }

    fn next_rows(&self) -> usize {
        self.pace.rows()
    }

    fn depth(&self) -> usize {
        DEPTH
    }

    fn forget(&mut self, plans: &[Prepared], weights: &[String]) {
        let gone: Vec<Program> = plans.iter().filter_map(|plan| self.plans.remove(&plan.0)).collect();
        let states: Vec<String> = gone.iter().flat_map(Program::states).collect();
        drop(gone);
        for name in states {
            // A plan that has it keeps its buffer.
            if self.shared.get(&name).is_some_and(|buffer| Rc::strong_count(buffer) == 1) {
                self.shared.remove(&name);
            }
        }
        for name in weights {
            self.matrices.remove(name);
            self.shared.remove(name);
        }
        self.biases.retain(|_, buffer| Rc::strong_count(buffer) > 1);
    }

    fn destroy(&mut self) {
        self.plans.clear();
        self.pipelines = Pipelines::default();
        self.matrices.clear();
        self.shared.clear();
        self.copies.clear();
        self.biases.clear();
        self.between = None;
        self.readback.clear();
        self.run.destroy();
        self.device.device.destroy();
        self.destroyed = true;
    }
}

/// Dropping wgpu's objects frees nothing in a browser.
impl Drop for Gpu {
    fn drop(&mut self) {
        self.destroy();
    }
}
