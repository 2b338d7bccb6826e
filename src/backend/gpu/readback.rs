//! From the device to the host: copies into buffers that the host may map, kept for reuse.

use std::{cell::RefCell, rc::Rc};

use super::{
    device::{Device, oneshot},
    memory::{Allocator, Buffer},
};
use crate::{error::Result, format::LocalFuture};

/// Buffers that wait for the next read of their size.
type Pool = Rc<RefCell<Vec<Rc<Buffer>>>>;

/// Reads buffers back.
#[derive(Clone)]
pub struct Readback {
    device: Device,
    allocator: Allocator,
    pool: Pool,
}

impl Readback {
    pub fn new(device: Device, allocator: Allocator) -> Self {
        Readback { device, allocator, pool: Pool::default() }
    }

    /// Ends `encoder` with a copy of `size` bytes of `buffer` from `start`, submits it, and resolves with the bytes.
    pub fn read(
        &self,
        mut encoder: wgpu::CommandEncoder,
        buffer: &Buffer,
        start: u64,
        size: u64,
    ) -> Result<LocalFuture<'static, Result<Vec<u8>>>> {
        let target = self.target(size)?;
        encoder.copy_buffer_to_buffer(&buffer.raw, start, &target.raw, 0, size);
        let submission = self.device.queue.submit([encoder.finish()]);
        let (done, mapped) = oneshot();
        target.raw.map_async(wgpu::MapMode::Read, ..size, move |result| done(result.is_ok()));
        let (device, pool) = (self.device.clone(), self.pool.clone());
        Ok(Box::pin(async move {
            device.poll(submission)?;
            let mapped = mapped.await;
            device.outcome().await?;
            let failed = || device.lose("its memory could not be read back");
            if !mapped {
                return Err(failed());
            }
            let bytes = target.raw.get_mapped_range(..size).map_err(|_| failed())?.to_vec();
            target.raw.unmap();
            pool.borrow_mut().push(target);
            Ok(bytes)
        }))
    }

    /// Forgets the buffers that wait.
    pub fn clear(&self) {
        self.pool.borrow_mut().clear();
    }

    fn target(&self, size: u64) -> Result<Rc<Buffer>> {
        let mut pool = self.pool.borrow_mut();
        // A buffer far larger than the read would stay with it: keep those for reads of their own size.
        let fits = |buffer: &Rc<Buffer>| (size..=size.max(64) * 2).contains(&buffer.raw.size());
        match pool.iter().position(fits) {
            Some(i) => Ok(pool.swap_remove(i)),
            None => {
                let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
                self.allocator.buffer("readback", size, usage)
            }
        }
    }
}
