//! The CPU backend interprets a [`Plan`] step by step. It is the reference that the GPU's kernels are held to,
//! and what runs where there is no GPU.

mod attention;
mod cache;
mod experts;
mod fused;
mod kept;
mod matrices;
mod ops;
mod sample;
mod slice;
pub mod team;

pub use sample::{mask, penalize, pick};

use std::collections::{BTreeMap, HashMap};

use super::{
    Backend, Copies, Counters, Info, Kept, KeptRows, Kind, Precision, Prepared, WeightSpec, no_such, sampled,
};
use crate::{
    error::{Error, Result},
    format::LocalFuture,
    plan::{Plan, Run, Stage, Storage, Value, assign_slots, fuse},
};
use cache::Packed;
use matrices::Matrices;
use team::Team;

/// Rows of a run: few enough for an abort to get in between, of a model with a billion weights after some seconds.
pub const ROWS: usize = 64;

/// The activations of a plan: the slots, and which of them each value has.
struct Scratch {
    slots: Vec<Cells>,
    slot_of: HashMap<Value, usize>,
}

impl Scratch {
    /// Activations that never live at the same time share a slot.
    fn new(plan: &Plan) -> Result<Scratch> {
        let mut scratch = Scratch { slots: Vec::new(), slot_of: HashMap::new() };
        for (i, slot) in assign_slots(plan).into_iter().enumerate() {
            scratch.slots.push(zeros("scratch", slot.len, 1)?);
            scratch.slot_of.extend(slot.values.into_iter().map(|value| (value, i)));
        }
        Ok(scratch)
    }

    fn get(&self, value: Value) -> &Cells {
        &self.slots[self.slot_of[&value]]
    }

    fn get_mut(&mut self, value: Value) -> &mut Cells {
        &mut self.slots[self.slot_of[&value]]
    }
}

/// f32 memory of one value.
type Cells = Vec<f32>;

/// Runs plans on the CPU.
#[derive(Default)]
pub struct Cpu {
    matrices: Matrices,
    /// Vectors, constants and f32 states, by name.
    floats: HashMap<String, Cells>,
    /// Caches that are rounded, by name.
    caches: HashMap<String, Packed>,
    /// u32 states, by name.
    words: HashMap<String, Vec<u32>>,
    /// The bytes of copied states.
    copies: Copies<Vec<u8>>,
    /// Prepared plans and their activations.
    plans: BTreeMap<usize, (Plan, Scratch)>,
    n_prepared: usize,
    /// Memory for products on their way.
    spare: Vec<f32>,
    precision: Precision,
    fuses: bool,
    destroyed: bool,
}

impl Cpu {
    /// An empty backend.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that multiplies together with others.
    pub fn with_team(team: Option<Box<dyn Team>>) -> Self {
        Cpu { matrices: Matrices::with(team), ..Self::default() }
    }

    /// One that fuses steps as a GPU does. Here that saves nothing: it is for comparing.
    pub fn fusing() -> Self {
        Cpu { fuses: true, ..Self::default() }
    }

    fn alive(&self) -> Result<()> {
        if self.destroyed { Err(Error::Unloaded) } else { Ok(()) }
    }

    /// Makes what one value needs, unless another plan already did.
    fn declare(&mut self, plan: &Plan, value: Value) -> Result<()> {
        let info = &plan[value];
        match &info.storage {
            Storage::Matrix { .. } if self.matrices.shape(&info.name).is_none() => {
                return Err(no_such("weight", &info.name));
            }
            Storage::Vector if !self.floats.contains_key(&info.name) => {
                return Err(no_such("weight", &info.name));
            }
            Storage::Constant(numbers) if !self.floats.contains_key(&info.name) => {
                self.floats.insert(info.name.clone(), numbers.to_vec());
            }
            Storage::State if !self.floats.contains_key(&info.name) => {
                self.floats.insert(info.name.clone(), zeros(&info.name, info.rows, info.cols)?);
            }
            Storage::Halves | Storage::Bytes if !self.caches.contains_key(&info.name) => {
                self.caches.extend(Packed::new(info)?.map(|cache| (info.name.clone(), cache)));
            }
            Storage::StateU32 if !self.words.contains_key(&info.name) => {
                self.words.insert(info.name.clone(), vec![0; info.rows * info.cols]);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Zeros, or a typed error where the memory cannot be had.
fn zeros(name: &str, rows: usize, cols: usize) -> Result<Cells> {
    let none = || out_of_memory(name, 4 * rows as u64 * cols as u64);
    let len = rows.checked_mul(cols).ok_or_else(none)?;
    let mut cells = Vec::new();
    cells.try_reserve_exact(len).map_err(|_| none())?;
    cells.resize(len, 0.0);
    Ok(cells)
}

fn not_prepared() -> Error {
    Error::input("plan", "it is not prepared any more")
}

fn out_of_memory(name: &str, bytes: u64) -> Error {
    Error::OutOfMemory { device: "CPU", what: name.into(), bytes }
}

impl Backend for Cpu {
    fn info(&self) -> Info {
        let simd = cfg!(all(target_arch = "wasm32", target_feature = "simd128"));
        let mut features = if simd { vec!["simd128".to_owned()] } else { Vec::new() };
        if self.matrices.n_threads() > 1 {
            features.push(format!("{} threads", self.matrices.n_threads()));
        }
        Info { kind: Kind::Cpu, device: std::env::consts::ARCH.to_owned(), features, tuning: None }
    }

    fn counters(&self) -> Counters {
        let matrices = self.matrices.sizes();
        let floats =
            self.floats.values().chain(self.plans.values().flat_map(|(_, s)| &s.slots)).map(|v| v.len() * 4);
        let words = self.words.values().map(|v| v.len() * 4);
        let caches = self.caches.values().map(Packed::n_bytes);
        let sizes: Vec<usize> = matrices
            .chain(floats)
            .chain(caches)
            .chain(words)
            .chain(self.copies.states().map(Vec::len))
            .filter(|n| *n > 0)
            .collect();
        Counters { buffers: sizes.len() as u64, bytes: sizes.iter().sum::<usize>() as u64 }
    }

    fn write_weight(&mut self, spec: &WeightSpec, first_row: usize, bytes: &[u8]) -> Result<()> {
        self.alive()?;
        if spec.vector {
            let mut numbers = vec![0.0; spec.cols];
            spec.dtype.info().dequantize_row(bytes, &mut numbers);
            self.floats.insert(spec.name.to_owned(), numbers);
            return Ok(());
        }
        self.matrices.write(spec, first_row, bytes)
    }

    fn prepare<'a>(&'a mut self, plan: &'a Plan) -> LocalFuture<'a, Result<Prepared>> {
        Box::pin(std::future::ready(self.prepare_now(plan)))
    }

    fn run(&mut self, prepared: Prepared, run: &Run, until: Stage) -> Result<()> {
        self.alive()?;
        let (plan, scratch) = self.plans.get_mut(&prepared.0).ok_or_else(not_prepared)?;
        let mut memory = ops::Memory {
            plan,
            matrices: &self.matrices,
            floats: &mut self.floats,
            caches: &mut self.caches,
            words: &mut self.words,
            scratch,
            spare: &mut self.spare,
            precision: self.precision,
        };
        let n = plan.steps.iter().take_while(|step| step.stage <= until).count();
        let mut done = 0;
        while done < n {
            done += memory.steps(&plan.steps[done..n], run);
        }
        self.matrices.check()
    }

    fn set_precision(&mut self, precision: Precision) {
        self.precision = precision;
    }

    fn is_faster_less_exact(&self) -> bool {
        true
    }

    fn dispatches(&self, prepared: Prepared) -> usize {
        self.plans.get(&prepared.0).map_or(0, |(plan, _)| plan.steps.len())
    }

    fn write_u32(&mut self, state: &str, start: usize, values: &[u32]) -> Result<()> {
        self.alive()?;
        let words = self.words.get_mut(state).ok_or_else(|| no_such("state", state))?;
        words[start..start + values.len()].copy_from_slice(values);
        Ok(())
    }

    fn write_value(&mut self, prepared: Prepared, value: Value, numbers: &[f32]) -> Result<()> {
        self.alive()?;
        let (plan, scratch) = self.plans.get_mut(&prepared.0).ok_or_else(not_prepared)?;
        let info = &plan[value];
        if let Some(cache) = self.caches.get_mut(&info.name) {
            cache.write(0, numbers);
            return Ok(());
        }
        let cells = match info.storage {
            Storage::Activation => scratch.get_mut(value),
            _ => self.floats.get_mut(&info.name).ok_or_else(|| no_such("state", &info.name))?,
        };
        cells[..numbers.len()].copy_from_slice(numbers);
        Ok(())
    }

    fn read_value(
        &mut self,
        prepared: Prepared,
        value: Value,
        start: usize,
        len: usize,
    ) -> LocalFuture<'static, Result<Vec<f32>>> {
        let numbers = self.alive().and_then(|()| {
            let (plan, scratch) = self.plans.get(&prepared.0).ok_or_else(not_prepared)?;
            let info = &plan[value];
            if let Some(cache) = self.caches.get(&info.name) {
                let mut numbers = vec![0.0; start + len];
                cache.read(0, &mut numbers);
                return Ok(numbers.split_off(start));
            }
            let cells = match info.storage {
                Storage::Activation => scratch.get(value),
                _ => self.floats.get(&info.name).ok_or_else(|| no_such("state", &info.name))?,
            };
            Ok(cells[start..start + len].to_vec())
        });
        Box::pin(std::future::ready(numbers))
    }

    fn run_for_token(
        &mut self,
        prepared: Prepared,
        run: &Run,
        ids: &str,
    ) -> Result<LocalFuture<'static, Result<u32>>> {
        self.run(prepared, run, Stage::Sample)?;
        let token = sampled(self.words.get(ids).ok_or_else(|| no_such("state", ids))?[0]);
        Ok(Box::pin(std::future::ready(token)))
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

    fn export(&mut self, kept: Kept) -> LocalFuture<'static, Result<Vec<u8>>> {
        Box::pin(std::future::ready(self.alive().and_then(|()| Ok(self.copies.get(kept)?.concat()))))
    }

    fn import(&mut self, states: &[KeptRows], rows: usize, bytes: &[u8]) -> Result<Kept> {
        self.alive()?;
        self.import_rows(states, rows, bytes)
    }

    fn settle(&mut self) -> LocalFuture<'static, Result<()>> {
        Box::pin(std::future::ready(self.alive()))
    }

    fn next_rows(&self) -> usize {
        ROWS
    }

    fn depth(&self) -> usize {
        1
    }

    fn forget(&mut self, plans: &[Prepared], weights: &[String]) {
        let gone: Vec<Plan> = plans.iter().filter_map(|p| self.plans.remove(&p.0)).map(|p| p.0).collect();
        for info in gone.iter().flat_map(|plan| &plan.values) {
            let is_state =
                matches!(info.storage, Storage::State | Storage::Halves | Storage::Bytes | Storage::StateU32);
            if is_state && !self.plans.values().any(|(plan, _)| plan.find(&info.name).is_some()) {
                self.floats.remove(&info.name);
                self.caches.remove(&info.name);
                self.words.remove(&info.name);
            }
        }
        for name in weights {
            self.floats.remove(name);
            self.matrices.forget(name);
        }
    }

    fn destroy(&mut self) {
        *self = Cpu { destroyed: true, ..Cpu::default() };
    }
}

impl Cpu {
    fn prepare_now(&mut self, plan: &Plan) -> Result<Prepared> {
        self.alive()?;
        let fused = self.fuses.then(|| fuse(plan, &|_| true));
        let plan = fused.as_ref().unwrap_or(plan);
        for i in 0..plan.values.len() {
            self.declare(plan, Value(i as u32))?;
        }
        let scratch = Scratch::new(plan)?;
        self.plans.insert(self.n_prepared, (plan.without_constants(), scratch)); // they live in `floats` now
        self.n_prepared += 1;
        Ok(Prepared(self.n_prepared - 1))
    }
}
