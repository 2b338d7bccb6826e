//! A plan as commands: pipelines, buffers and bind groups that are made once and encoded for every run.

use std::{collections::HashMap, rc::Rc};

use super::{
    Gpu,
    bindings::Piece,
    cells::Cells,
    lower::{self, Dispatch, Grid, How},
    memory::{Buffer, Matrix},
};
use crate::{
    backend::{Precision, Prepared, no_such},
    error::{Error, Result},
    plan::{Plan, Run, Stage, Step, Storage, Value, assign_slots, fuse},
};

/// A prepared plan.
pub(super) struct Program {
    /// As it is run, with steps fused.
    plan: Rc<Plan>,
    /// The commands of exact runs.
    exact: Vec<Rc<Command>>,
    /// Those of fast ones, from the first such run on.
    fast: Option<Vec<Rc<Command>>>,
    /// Buffers of all values that are no matrices.
    values: Rc<HashMap<Value, Rc<Buffer>>>,
    /// How the numbers of each value lie.
    cells: Vec<Cells>,
}

impl Program {
    /// The names of the states that it shares with other plans.
    pub fn states(&self) -> impl Iterator<Item = String> {
        let is_state = |storage: &Storage| {
            matches!(storage, Storage::State | Storage::Halves | Storage::Bytes | Storage::StateU32)
        };
        let values = self.plan.values.iter();
        values.filter(move |info| is_state(&info.storage)).map(|info| info.name.clone())
    }
}

/// A step ready to be encoded.
pub(super) struct Command {
    stage: Stage,
    pub kernel: &'static str,
    pub pipeline: wgpu::ComputePipeline,
    pub bind_group: wgpu::BindGroup,
    pub grid: Grid,
    /// Keeps the buffers of the bind group.
    _buffers: Vec<Rc<Buffer>>,
}

/// What plans share and make where it is missing.
pub(super) struct Made {
    n_prepared: usize,
    shared: Vec<String>,
    biases: Vec<String>,
    between: Option<Rc<Buffer>>,
    matrices: HashMap<String, Matrix>,
}

impl Gpu {
    pub(super) fn made(&self) -> Made {
        Made {
            n_prepared: self.n_prepared,
            shared: self.shared.keys().cloned().collect(),
            biases: self.biases.keys().cloned().collect(),
            between: self.between.clone(),
            matrices: self.matrices.clone(),
        }
    }

    /// Forgets what was made since for a plan that could not be prepared.
    pub(super) fn take_back(&mut self, before: Made) {
        self.plans.retain(|number, _| *number < before.n_prepared);
        self.shared.retain(|name, _| before.shared.contains(name));
        self.biases.retain(|name, _| before.biases.contains(name));
        self.between = before.between;
        self.matrices = before.matrices;
    }

    pub(super) fn value_buffer(&self, prepared: Prepared, value: Value) -> Result<Rc<Buffer>> {
        let buffer = self.program(prepared)?.values.get(&value);
        buffer.cloned().ok_or_else(|| no_such("value", "a weight matrix"))
    }

    pub(super) fn cells(&self, prepared: Prepared, value: Value) -> Result<Cells> {
        Ok(self.program(prepared)?.cells[value.0 as usize])
    }

    /// # Errors
    /// [`Error::Input`] for a plan that was forgotten.
    fn program(&self, prepared: Prepared) -> Result<&Program> {
        self.plans.get(&prepared.0).ok_or_else(|| Error::input("plan", "it is not prepared any more"))
    }

    /// Makes what outlives the plan and is not there yet.
    fn declare(&mut self, plan: &Plan) -> Result<()> {
        for info in &plan.values {
            let known = match info.storage {
                Storage::Activation => true,
                Storage::Matrix { .. } => self.matrices.contains_key(&info.name),
                _ => self.shared.contains_key(&info.name),
            };
            match &info.storage {
                _ if known => {}
                Storage::Matrix { .. } | Storage::Vector => return Err(no_such("weight", &info.name)),
                Storage::Constant(numbers) => {
                    let buffer = self.allocator.storage(&info.name, 4 * numbers.len() as u64)?;
                    self.device.queue.write_buffer(&buffer.raw, 0, bytemuck::cast_slice(numbers));
                    self.shared.insert(info.name.clone(), buffer);
                }
                Storage::State
                | Storage::Halves
                | Storage::Bytes
                | Storage::StateU32
                | Storage::Activation => {
                    let buffer = self.allocator.storage(&info.name, info.state_bytes())?;
                    self.shared.insert(info.name.clone(), buffer);
                }
            }
        }
        Ok(())
    }

    /// As [`crate::backend::Backend::prepare`]. Without its first plan a model is of no use; without a later one it is, so that
    /// the device goes on where there is no room for that.
    pub(super) async fn prepare_alone(&mut self, plan: &Plan) -> Result<Prepared> {
        self.alive()?;
        if self.plans.is_empty() {
            let prepared = self.prepare_now(plan)?;
            self.device.settle().await?;
            return Ok(prepared);
        }
        let before = self.made();
        self.device.begin_trial();
        let prepared = self.prepare_now(plan);
        let trial = self.device.end_trial();
        let outcome = match prepared {
            Ok(prepared) => self.device.settle().await.and_then(|()| trial.check()).map(|()| prepared),
            Err(error) => Err(error),
        };
        outcome.inspect_err(|_| self.take_back(before))
    }

    pub(super) fn prepare_now(&mut self, plan: &Plan) -> Result<Prepared> {
        self.alive()?;
        self.declare(plan)?;
        let fused = match self.options.unfused {
            true => plan.clone(),
            false => fuse(plan, &|ws| Matrix::fit_together(&self.allocator, &self.matrices_of(plan, ws))),
        };
        let plan = Rc::new(fused);
        self.stack_layers(&plan)?;
        let mut values: HashMap<Value, Rc<Buffer>> = HashMap::new();
        for slot in assign_slots(&plan) {
            let buffer = self.allocator.storage("scratch", 4 * slot.len as u64)?;
            values.extend(slot.values.iter().map(|value| (*value, buffer.clone())));
        }
        for (info, i) in plan.values.iter().zip(0..) {
            if let Some(buffer) = self.shared.get(&info.name) {
                values.entry(Value(i)).or_insert_with(|| buffer.clone());
            }
        }
        let mut exact = Vec::new();
        for step in &plan.steps {
            for dispatch in self.lower(&plan, step, Precision::Exact) {
                exact.push(Rc::new(self.command(&plan, step.stage, &dispatch, &values)?));
            }
        }
        let cells = plan.values.iter().map(Cells::of).collect();
        let program = Program { plan, exact, fast: None, values: Rc::new(values), cells };
        self.plans.insert(self.n_prepared, program);
        self.n_prepared += 1;
        Ok(Prepared(self.n_prepared - 1))
    }

    fn lower(&self, plan: &Plan, step: &Step, precision: Precision) -> Vec<Dispatch> {
        let how = How { tiers: self.device.tiers, choice: self.choice, precision };
        lower::lower(plan, step, how, &|w| self.part_shapes(plan, w))
    }

    /// Makes the commands of fast runs, if such a run is next and there are none yet: most texts are never read that way.
    pub(super) fn complete(&mut self, prepared: Prepared) -> Result<()> {
        let program = self.program(prepared)?;
        if self.precision == Precision::Exact || program.fast.is_some() {
            return Ok(());
        }
        let (plan, values) = (program.plan.clone(), program.values.clone());
        let mut known = program.exact.clone().into_iter();
        let mut fast = Vec::new();
        for step in &plan.steps {
            let [exact, other] = [Precision::Exact, Precision::Fast].map(|way| self.lower(&plan, step, way));
            let these: Vec<_> = known.by_ref().take(exact.len()).collect();
            if exact == other {
                fast.extend(these);
                continue;
            }
            for dispatch in other {
                fast.push(Rc::new(self.command(&plan, step.stage, &dispatch, &values)?));
            }
        }
        if let Some(program) = self.plans.get_mut(&prepared.0) {
            program.fast = Some(fast);
        }
        Ok(())
    }

    fn command(
        &mut self,
        plan: &Plan,
        stage: Stage,
        dispatch: &Dispatch,
        values: &HashMap<Value, Rc<Buffer>>,
    ) -> Result<Command> {
        let (pipeline, layout) = self.pipelines.get(&self.device, dispatch);
        let run = Piece { buffer: self.run.clone(), start: 0, size: size_of::<Run>() as u64 };
        let mut pieces = vec![(0, run)];
        for (binding, number) in dispatch.bindings.iter().zip(1..) {
            if let Some(binding) = binding {
                pieces.push((number, self.piece(plan, binding, values)?));
            }
        }
        let entries: Vec<_> = pieces
            .iter()
            .map(|(number, piece)| wgpu::BindGroupEntry {
                binding: *number,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &piece.buffer.raw,
                    offset: piece.start,
                    size: wgpu::BufferSize::new(piece.size),
                }),
            })
            .collect();
        let kernel = dispatch.variant.kernel;
        let descriptor =
            wgpu::BindGroupDescriptor { label: Some(kernel), layout: &layout, entries: &entries };
        let what = format!("the bindings of `{kernel}`");
        let bind_group = self.device.watch(what, 0, |device| device.create_bind_group(&descriptor));
        let buffers = pieces.into_iter().map(|(_, piece)| piece.buffer).collect();
        Ok(Command { stage, kernel, pipeline, bind_group, grid: dispatch.grid, _buffers: buffers })
    }

    /// The commands of a run in the present precision, once they are complete.
    pub(super) fn commands(&self, prepared: Prepared, until: Stage) -> impl Iterator<Item = &Rc<Command>> {
        let program = self.plans.get(&prepared.0);
        let fast = program.and_then(|program| program.fast.as_ref());
        let fast = fast.filter(|_| self.precision == Precision::Fast);
        let commands = fast.or(program.map(|program| &program.exact));
        commands.into_iter().flatten().filter(move |command| command.stage <= until)
    }

    /// Writes the run's parameters and encodes the plan's steps up to `until`.
    pub(super) fn encode(
        &mut self,
        prepared: Prepared,
        run: &Run,
        until: Stage,
    ) -> Result<wgpu::CommandEncoder> {
        self.complete(prepared)?;
        self.device.queue.write_buffer(&self.run.raw, 0, bytemuck::bytes_of(run));
        let mut encoder = self.device.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for command in self.commands(prepared, until) {
            let Some([x, y, z]) = command.grid.size(run) else { continue };
            pass.set_pipeline(&command.pipeline);
            pass.set_bind_group(0, &command.bind_group, &[]);
            pass.dispatch_workgroups(x, y, z);
        }
        drop(pass);
        Ok(encoder)
    }
}
