//! The device's own clock around every kernel of a run.

use super::{Gpu, Prepared};
use crate::{
    backend::StepTimes,
    error::{Error, Result},
    format::LocalFuture,
    plan::{Run, Stage},
};

impl Gpu {
    /// Runs each step in a pass of its own between two time stamps.
    pub(super) fn time_steps(
        &mut self,
        prepared: Prepared,
        run: &Run,
        until: Stage,
    ) -> Result<LocalFuture<'static, Result<StepTimes>>> {
        self.alive()?;
        if !self.device.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Err(Error::unsupported("clock", "timestamp-query", "this device does not tell times"));
        }
        self.complete(prepared)?;
        let device = &self.device.device;
        let commands: Vec<_> =
            self.commands(prepared, until).filter(|command| command.grid.size(run).is_some()).collect();
        let count = 2 * commands.len() as u32;
        let ty = wgpu::QueryType::Timestamp;
        let set = device.create_query_set(&wgpu::QuerySetDescriptor { label: None, ty, count });
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let resolved = self.allocator.buffer("times", 8 * u64::from(count), usage)?;
        self.device.queue.write_buffer(&self.run.raw, 0, bytemuck::bytes_of(run));
        let mut encoder = device.create_command_encoder(&Default::default());
        for (command, i) in commands.iter().zip(0..) {
            let Some([x, y, z]) = command.grid.size(run) else { continue };
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some(command.kernel),
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &set,
                    beginning_of_pass_write_index: Some(2 * i),
                    end_of_pass_write_index: Some(2 * i + 1),
                }),
            });
            pass.set_pipeline(&command.pipeline);
            pass.set_bind_group(0, &command.bind_group, &[]);
            pass.dispatch_workgroups(x, y, z);
        }
        encoder.resolve_query_set(&set, 0..count, &resolved.raw, 0);
        let names: Vec<_> = commands.iter().map(|command| command.kernel).collect();
        let seconds_each = f64::from(self.device.queue.get_timestamp_period()) * 1e-9;
        let bytes = self.readback.read(encoder, &resolved, 0, 8 * u64::from(count))?;
        Ok(Box::pin(async move {
            let stamps: Vec<u64> = bytemuck::pod_collect_to_vec(&bytes.await?);
            drop(resolved);
            let lasted = |pair: &[u64]| pair[1].wrapping_sub(pair[0]) as f64 * seconds_each;
            Ok(names.into_iter().zip(stamps.chunks_exact(2).map(lasted)).collect())
        }))
    }
}
