//! Copies of rows of states: see [`crate::backend::Backend::keep`].

use std::rc::Rc;

use super::{Gpu, memory::Buffer};
use crate::{
    backend::{Kept, KeptRows, runs},
    error::Result,
};

/// Rows of a state.
pub(super) struct Copy {
    buffer: Rc<Buffer>,
    /// So many of the buffer's bytes.
    bytes: u64,
}

impl Gpu {
    pub(super) fn keep_rows(&mut self, states: &[KeptRows], rows: &[u32]) -> Result<Kept> {
        let mut encoder = self.device.device.create_command_encoder(&Default::default());
        let mut copies = Vec::with_capacity(states.len());
        for KeptRows { state, row_bytes } in states {
            let from = self.shared(state)?;
            let copy = self.copy_of(state, rows.len() * row_bytes)?;
            let mut at = 0;
            for run in runs(rows) {
                let (place, bytes) = (run.start * row_bytes, run.len() * row_bytes);
                encoder.copy_buffer_to_buffer(
                    &from.raw,
                    place as u64,
                    &copy.buffer.raw,
                    at as u64,
                    whole_words(bytes),
                );
                at += bytes;
            }
            copies.push(copy);
        }
        self.device.queue.submit([encoder.finish()]);
        Ok(self.copies.add(copies))
    }

    pub(super) fn recall_rows(&mut self, kept: Kept, states: &[KeptRows], rows: &[u32]) -> Result<()> {
        let mut encoder = self.device.device.create_command_encoder(&Default::default());
        for (KeptRows { state, row_bytes }, copy) in states.iter().zip(self.copies.get(kept)?) {
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
        let mut rest = bytes;
        let mut copies = Vec::with_capacity(states.len());
        for KeptRows { state, row_bytes } in states {
            let (own, others) = rest.split_at(rows * row_bytes);
            let copy = self.copy_of(state, own.len())?;
            let mut own = own.to_vec();
            own.resize(whole_words(own.len()) as usize, 0);
            self.device.queue.write_buffer(&copy.buffer.raw, 0, &own);
            copies.push(copy);
            rest = others;
        }
        Ok(self.copies.add(copies))
    }

    pub(super) fn export_rows(
        &mut self,
        kept: Kept,
    ) -> Result<impl Future<Output = Result<Vec<u8>>> + use<>> {
        let read = |copy: &Copy| {
            let encoder = self.device.device.create_command_encoder(&Default::default());
            Ok((self.readback.read(encoder, &copy.buffer, 0, whole_words(copy.bytes as usize))?, copy.bytes))
        };
        let reads = self.copies.get(kept)?.iter().map(read).collect::<Result<Vec<_>>>()?;
        let readback = self.readback.clone();
        Ok(async move {
            let mut all = Vec::new();
            for (read, bytes) in reads {
                all.extend_from_slice(&read.await?[..bytes as usize]);
            }
            // Nothing else reads so much.
            readback.clear();
            Ok(all)
        })
    }

    fn copy_of(&self, state: &str, bytes: usize) -> Result<Copy> {
        let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        let buffer = self.allocator.buffer(&format!("a copy of {state}"), bytes as u64, usage)?;
        Ok(Copy { buffer, bytes: bytes as u64 })
    }
}

/// Copies are of whole words. Rows of states are, but for halves of an odd number.
fn whole_words(bytes: usize) -> u64 {
    bytes.next_multiple_of(4) as u64
}
