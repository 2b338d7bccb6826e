//! Copies of the beginnings of states: see [`crate::backend::Backend::keep`].

use super::{Cpu, out_of_memory};
use crate::{
    backend::{Kept, KeptRows, no_such},
    error::Result,
};

impl Cpu {
    pub(super) fn keep_rows(&mut self, states: &[KeptRows], rows: usize) -> Result<Kept> {
        let bytes_of = |KeptRows { state, row_bytes }: &KeptRows| {
            let mut bytes = room(state, rows * row_bytes)?;
            match (self.caches.get(state), self.floats.get(state)) {
                (Some(cache), _) => cache.append_rows(rows, *row_bytes, &mut bytes),
                (_, Some(cells)) => bytes.extend_from_slice(&bytemuck::cast_slice(cells)[..rows * row_bytes]),
                _ => return Err(no_such("state", state)),
            }
            Ok(bytes)
        };
        let copies = states.iter().map(bytes_of).collect::<Result<_>>()?;
        Ok(self.copies.add(copies))
    }

    pub(super) fn recall_rows(&mut self, kept: Kept, states: &[KeptRows], rows: usize) -> Result<()> {
        let copies = self.copies.get(kept)?;
        for (KeptRows { state, row_bytes }, bytes) in states.iter().zip(copies) {
            let bytes = &bytes[..rows * row_bytes];
            match (self.caches.get_mut(state), self.floats.get_mut(state)) {
                (Some(cache), _) => cache.set_rows(bytes, *row_bytes),
                (_, Some(cells)) => bytemuck::cast_slice_mut(cells)[..bytes.len()].copy_from_slice(bytes),
                _ => return Err(no_such("state", state)),
            }
        }
        Ok(())
    }

    pub(super) fn import_rows(&mut self, states: &[KeptRows], rows: usize, bytes: &[u8]) -> Result<Kept> {
        let mut rest = bytes;
        let mut copies = Vec::with_capacity(states.len());
        for KeptRows { state, row_bytes } in states {
            let (own, others) = rest.split_at(rows * row_bytes);
            let mut copy = room(state, own.len())?;
            copy.extend_from_slice(own);
            copies.push(copy);
            rest = others;
        }
        Ok(self.copies.add(copies))
    }
}

fn room(state: &str, n: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(n).map_err(|_| out_of_memory(state, n as u64))?;
    Ok(bytes)
}
