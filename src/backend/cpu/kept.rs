//! Copies of rows of states: see [`crate::backend::Backend::keep`].

use super::{Cpu, out_of_memory};
use crate::{
    backend::{Kept, KeptRows, no_such, runs},
    error::Result,
};

impl Cpu {
    pub(super) fn keep_rows(&mut self, states: &[KeptRows], rows: &[u32]) -> Result<Kept> {
        let bytes_of = |KeptRows { state, row_bytes }: &KeptRows| {
            let mut bytes = room(state, rows.len() * row_bytes)?;
            for run in runs(rows) {
                match (self.caches.get(state), self.floats.get(state)) {
                    (Some(cache), _) => cache.append_rows(run, *row_bytes, &mut bytes),
                    (_, Some(cells)) => {
                        let cells = &bytemuck::cast_slice(cells)[run.start * row_bytes..run.end * row_bytes];
                        bytes.extend_from_slice(cells);
                    }
                    _ => return Err(no_such("state", state)),
                }
            }
            Ok(bytes)
        };
        let copies = states.iter().map(bytes_of).collect::<Result<_>>()?;
        Ok(self.copies.add(copies))
    }

    pub(super) fn recall_rows(&mut self, kept: Kept, states: &[KeptRows], rows: &[u32]) -> Result<()> {
        let copies = self.copies.get(kept)?;
        for (KeptRows { state, row_bytes }, mut bytes) in states.iter().zip(copies.iter().map(Vec::as_slice))
        {
            for run in runs(rows) {
                let (own, rest) = bytes.split_at(run.len() * row_bytes);
                bytes = rest;
                match (self.caches.get_mut(state), self.floats.get_mut(state)) {
                    (Some(cache), _) => cache.set_rows(run.start, own, *row_bytes),
                    (_, Some(cells)) => {
                        bytemuck::cast_slice_mut(cells)[run.start * row_bytes..][..own.len()]
                            .copy_from_slice(own);
                    }
                    _ => return Err(no_such("state", state)),
                }
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
