//! Copies of rows of states: see [`crate::backend::Backend::keep`].

use std::rc::Rc;

use super::{Gpu, memory::Buffer, trial::Trial};
use crate::{
    backend::{Kept, KeptRows, runs},
    error::Result,
};

/// Rows of a state.
#[derive(Clone)]
pub(super) struct Copy {
    buffer: Rc<Buffer>,
    /// So many of the buffer's bytes.
    bytes: u64,
    /// Whether there was room for it.
    trial: Trial,
}

impl Gpu {
    pub(super) fn keep_rows(&mut self, states: &[KeptRows], rows: &[u32]) -> Result<Kept> {
        self.copies_of(states, rows.len(), |gpu, copies| {
            let mut encoder = gpu.device.device.create_command_encoder(&Default::default());
            for (KeptRows { state, row_bytes }, (copy, _)) in states.iter().zip(copies) {
                let from = gpu.shared(state)?;
                let mut at = 0;
                for run in runs(rows) {
                    let (place, bytes) = ((run.start * row_bytes) as u64, run.len() * row_bytes);
                    encoder.copy_buffer_to_buffer(&from.raw, place, &copy.raw, at as u64, whole_words(bytes));
                    at += bytes;
                }
            }
            gpu.device.queue.submit([encoder.finish()]);
            Ok(())
        })
    }

    pub(super) fn recall_rows(&mut self, kept: Kept, states: &[KeptRows], rows: &[u32]) -> Result<()> {
        let copies = self.copies.get(kept)?;
        copies.iter().try_for_each(|copy| copy.trial.check())?;
        let mut encoder = self.device.device.create_command_encoder(&Default::default());
        for (KeptRows { state, row_bytes }, copy) in states.iter().zip(copies) {
            let to = self.shared(state)?;
            let mut at = 0;
            for run in runs(rows) {
                let (place, bytes) = (run.start * row_bytes, run.len() * row_bytes);
                encoder.copy_buffer_to_buffer(
                    &copy.buffer.raw,
                    at as u64,
                    &to.raw,
                    place as u64,
                    whole_words(bytes),
                );
                at += bytes;
            }
        }
        self.device.queue.submit([encoder.finish()]);
        Ok(())
    }

    pub(super) fn import_rows(&mut self, states: &[KeptRows], rows: usize, bytes: &[u8]) -> Result<Kept> {
        self.copies_of(states, rows, |gpu, copies| {
            let mut rest = bytes;
            for (copy, bytes) in copies {
                let (own, others) = rest.split_at(*bytes);
                let mut own = own.to_vec();
                own.resize(whole_words(own.len()) as usize, 0);
                gpu.device.queue.write_buffer(&copy.raw, 0, &own);
                rest = others;
            }
            Ok(())
        })
    }

    pub(super) fn export_rows(
        &mut self,
        kept: Kept,
    ) -> Result<impl Future<Output = Result<Vec<u8>>> + use<>> {
        let copies = self.copies.get(kept)?.to_vec();
        let (device, readback) = (self.device.clone(), self.readback.clone());
        Ok(async move {
            // Only then it is known whether there was room for the copies, and only then for what they are read into.
            device.outcome().await?;
            copies.iter().try_for_each(|copy| copy.trial.check())?;
            let read = |copy: &Copy| {
                let encoder = device.device.create_command_encoder(&Default::default());
                Ok((readback.read(encoder, &copy.buffer, 0, whole_words(copy.bytes as usize))?, copy.bytes))
            };
            device.begin_trial();
            let reads = copies.iter().map(read).collect::<Result<Vec<_>>>();
            let trial = device.end_trial();
            device.outcome().await?;
            trial.check()?;
            let mut all = Vec::new();
            for (read, bytes) in reads? {
                all.extend_from_slice(&read.await?[..bytes as usize]);
            }
            // Nothing else reads so much.
            readback.clear();
            Ok(all)
        })
    }

    /// Room for so many rows of states, which `fill` fills. The device goes on where there is none.
    fn copies_of(
        &mut self,
        states: &[KeptRows],
        rows: usize,
        fill: impl FnOnce(&Gpu, &[(Rc<Buffer>, usize)]) -> Result<()>,
    ) -> Result<Kept> {
        let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        let room = |KeptRows { state, row_bytes }: &KeptRows| {
            let bytes = rows * row_bytes;
            Ok((self.allocator.buffer(&format!("a copy of {state}"), bytes as u64, usage)?, bytes))
        };
        self.device.begin_trial();
        let buffers = states.iter().map(room).collect::<Result<Vec<_>>>();
        let filled = buffers.and_then(|buffers| fill(self, &buffers).map(|()| buffers));
        let trial = self.device.end_trial();
        let copy = |(buffer, bytes)| Copy { buffer, bytes: bytes as u64, trial: trial.clone() };
        let copies = filled?.into_iter().map(copy).collect();
        trial.check()?;
        Ok(self.copies.add(copies))
    }
}

/// Copies are of whole words. Rows of states are, but for halves of an odd number.
fn whole_words(bytes: usize) -> u64 {
    bytes.next_multiple_of(4) as u64
}
