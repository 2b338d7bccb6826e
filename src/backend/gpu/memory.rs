//! Buffers: counted, destroyed by hand (dropping frees nothing in a browser), weights repacked as they arrive.

use std::{cell::Cell, rc::Rc};

use super::device::Device;
use crate::{
    backend::{Counters, WeightSpec},
    error::{Error, Result},
    quant::TypeInfo,
};

/// Offsets of bindings must be multiples of it: WebGPU's default `minStorageBufferOffsetAlignment`.
const ALIGNMENT: u64 = 256;

thread_local! {
    /// All buffers of this thread's backends, dead ones included: what leaks shows here.
    static TOTAL: Cell<Counters> = const { Cell::new(Counters { buffers: 0, bytes: 0 }) };
}

/// Buffers alive in all backends of this thread.
pub fn total() -> Counters {
    TOTAL.get()
}

/// A buffer that is counted while it lives and destroyed when it is dropped.
pub struct Buffer {
    pub raw: wgpu::Buffer,
    counters: Rc<Cell<Counters>>,
    alive: Cell<bool>,
}

impl Buffer {
    /// Gives its memory back now, whoever still refers to it.
    pub fn destroy(&self) {
        if self.alive.replace(false) {
            self.raw.destroy();
            let size = self.raw.size();
            let less = |c: Counters| Counters { buffers: c.buffers - 1, bytes: c.bytes - size };
            self.counters.set(less(self.counters.get()));
            TOTAL.set(less(TOTAL.get()));
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.destroy();
    }
}

/// Makes buffers and counts them.
#[derive(Clone)]
pub struct Allocator {
    device: Device,
    counters: Rc<Cell<Counters>>,
}

impl Allocator {
    pub fn new(device: Device) -> Self {
        Allocator { device, counters: Rc::default() }
    }

    pub fn counters(&self) -> Counters {
        self.counters.get()
    }

    /// A zeroed buffer of `bytes`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if the device promises no buffer of this size, or natively has no room for it; a browser
    /// tells that, by the same error, when the device is next settled.
    pub fn buffer(&self, label: &str, bytes: u64, usage: wgpu::BufferUsages) -> Result<Rc<Buffer>> {
        let size = bytes.next_multiple_of(4).max(16);
        if size > self.device.device.limits().max_buffer_size {
            return Err(no_room(label, size));
        }
        let descriptor =
            wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        let raw = self.device.watch(what(label), size, |device| device.create_buffer(&descriptor));
        let more = |c: Counters| Counters { buffers: c.buffers + 1, bytes: c.bytes + size };
        self.counters.set(more(self.counters.get()));
        TOTAL.set(more(TOTAL.get()));
        let buffer = Rc::new(Buffer { raw, counters: self.counters.clone(), alive: Cell::new(true) });
        self.device.check()?;
        Ok(buffer)
    }

    /// A buffer that kernels read and write whole, so no larger than one binding.
    pub fn storage(&self, label: &str, bytes: u64) -> Result<Rc<Buffer>> {
        if bytes > self.max_binding() {
            return Err(no_room(label, bytes));
        }
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        self.buffer(label, bytes, usage)
    }

    /// Bytes that quants or scales of one buffer of weights may have.
    fn max_store(&self) -> u64 {
        self.max_binding().min(self.device.device.limits().max_buffer_size / 2)
    }

    fn max_binding(&self) -> u64 {
        self.device.device.limits().max_storage_buffer_binding_size
    }
}

/// How messages name a buffer.
fn what(label: &str) -> String {
    format!("the buffer `{label}`")
}

fn no_room(label: &str, bytes: u64) -> Error {
    Error::OutOfMemory { device: "GPU", what: what(label), bytes }
}

/// Rows of weights in one buffer: quants first, then scales.
pub struct Store {
    pub buffer: Rc<Buffer>,
    pub n_rows: usize,
    pub quants: u64,       // bytes of quants
    pub scales_start: u64, // where scales begin
    pub scales: u64,       // bytes of scales; 0 if the type has none
}

impl Store {
    fn new(
        allocator: &Allocator,
        name: &str,
        n_rows: usize,
        row_quants: u64,
        row_scales: u64,
    ) -> Result<Store> {
        let quants = row_quants * n_rows as u64;
        let scales = row_scales * n_rows as u64;
        let scales_start = quants.next_multiple_of(ALIGNMENT);
        let size = if scales > 0 { scales_start + scales } else { quants };
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        let buffer = allocator.buffer(name, size, usage)?;
        Ok(Store { buffer, n_rows, quants, scales_start, scales })
    }
}

/// Rows of a weight matrix that lie in one buffer.
#[derive(Clone)]
pub struct Part {
    pub first_row: usize, // in the matrix
    pub n_rows: usize,
    pub at: usize, // its first row in the store
    pub store: Rc<Store>,
}

/// A weight matrix on the GPU, in as many parts as the size of a binding makes necessary.
#[derive(Clone)]
pub struct Matrix {
    pub info: &'static TypeInfo,
    pub cols: usize,
    pub parts: Vec<Part>,
}

impl Matrix {
    /// Room for a weight, not yet written.
    pub fn allocate(allocator: &Allocator, spec: &WeightSpec) -> Result<Matrix> {
        let matrix = Matrix { info: spec.dtype.info(), cols: spec.cols, parts: Vec::new() };
        let [row_quants, row_scales] = matrix.info.gpu.row_bytes(spec.cols);
        // Parts begin at even rows, where scales of two bytes begin a new word.
        let most = (allocator.max_store() / row_quants.max(row_scales)) as usize & !1;
        if most == 0 {
            return Err(no_room(spec.name, row_quants));
        }
        let mut parts = Vec::new();
        for first_row in (0..spec.rows).step_by(most) {
            let n_rows = most.min(spec.rows - first_row);
            let store = Rc::new(Store::new(allocator, spec.name, n_rows, row_quants, row_scales)?);
            parts.push(Part { first_row, n_rows, at: 0, store });
        }
        Ok(Matrix { parts, ..matrix })
    }

    /// Whether it has this type and shape.
    pub fn is(&self, spec: &WeightSpec) -> bool {
        let rows: usize = self.parts.iter().map(|part| part.n_rows).sum();
        (self.info.dtype, self.cols, rows) == (spec.dtype, spec.cols, spec.rows)
    }

    /// Whether kernels may read these one below the other: they lie so, or [`Matrix::stack`] can lay them so.
    pub fn fit_together(allocator: &Allocator, matrices: &[&Matrix]) -> bool {
        let [row_quants, row_scales] = matrices[0].info.gpu.row_bytes(matrices[0].cols);
        let rows: usize = matrices.iter().flat_map(|matrix| &matrix.parts).map(|part| part.n_rows).sum();
        let fits = row_quants.max(row_scales) * rows as u64 <= allocator.max_store();
        let whole_words = |part: &Part| (row_scales * part.n_rows as u64).is_multiple_of(4);
        let alike = |matrix: &&Matrix| {
            let same = matrix.info.dtype == matrices[0].info.dtype && matrix.cols == matrices[0].cols;
            // Of several plans, the first says how matrices lie.
            let free =
                |part: &Part| Rc::strong_count(&part.store.buffer) == 1 && part.n_rows == part.store.n_rows;
            same && matrix.parts.len() == 1 && whole_words(&matrix.parts[0]) && free(&matrix.parts[0])
        };
        Self::are_stacked(matrices) || fits && matrices.iter().all(alike)
    }

    /// Whether they lie one below the other in one buffer.
    pub fn are_stacked(matrices: &[&Matrix]) -> bool {
        let parts: Vec<_> = matrices.iter().flat_map(|matrix| &matrix.parts).collect();
        let follows = |pair: &[&Part]| {
            Rc::ptr_eq(&pair[0].store, &pair[1].store) && pair[0].at + pair[0].n_rows == pair[1].at
        };
        parts.len() == matrices.len() && parts.windows(2).all(follows)
    }

    /// The same matrices one below the other in one buffer, so that one dispatch can read them all.
    pub fn stack(allocator: &Allocator, name: &str, matrices: &[&Matrix]) -> Result<Vec<Matrix>> {
        let [row_quants, row_scales] = matrices[0].info.gpu.row_bytes(matrices[0].cols);
        let n_rows = matrices.iter().map(|matrix| matrix.parts[0].n_rows).sum();
        let store = Rc::new(Store::new(allocator, name, n_rows, row_quants, row_scales)?);
        let Device { device, queue, .. } = &allocator.device;
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut at = 0;
        let mut stacked = Vec::new();
        for matrix in matrices {
            let part = &matrix.parts[0];
            let (from, to, row) = (&part.store, &store, at as u64);
            encoder.copy_buffer_to_buffer(&from.buffer.raw, 0, &to.buffer.raw, row * row_quants, from.quants);
            if from.scales > 0 {
                let start = to.scales_start + row * row_scales;
                encoder.copy_buffer_to_buffer(
                    &from.buffer.raw,
                    from.scales_start,
                    &to.buffer.raw,
                    start,
                    from.scales,
                );
            }
            let part = Part { first_row: 0, n_rows: part.n_rows, at, store: store.clone() };
            at += part.n_rows;
            stacked.push(Matrix { info: matrix.info, cols: matrix.cols, parts: vec![part] });
        }
        queue.submit([encoder.finish()]);
        Ok(stacked)
    }

    /// Repacks rows as the file has them and writes them to their places.
    pub fn write(&self, queue: &wgpu::Queue, first_row: usize, bytes: &[u8]) {
        let row_bytes = self.info.row_bytes(self.cols);
        let [row_quants, row_scales] = self.info.gpu.row_bytes(self.cols);
        let end = first_row + bytes.len() / row_bytes;
        for part in &self.parts {
            let from = first_row.max(part.first_row);
            let to = end.min(part.first_row + part.n_rows);
            if from < to {
                let rows = &bytes[(from - first_row) * row_bytes..(to - first_row) * row_bytes];
                let (quants, scales) = self.repack(rows, row_bytes);
                let (start, store) = ((part.at + from - part.first_row) as u64, &part.store);
                queue.write_buffer(&store.buffer.raw, row_quants * start, &quants);
                if !scales.is_empty() {
                    queue.write_buffer(&store.buffer.raw, store.scales_start + row_scales * start, &scales);
                }
            }
        }
    }

    /// The two arrays of some rows. Scales are padded to whole words.
    fn repack(&self, rows: &[u8], row_bytes: usize) -> (Vec<u8>, Vec<u8>) {
        let gpu = &self.info.gpu;
        let units = self.cols.div_ceil(gpu.unit_len);
        let n_rows = rows.len() / row_bytes;
        let unit_bytes = gpu.unit_len / self.info.block_len * self.info.block_bytes;
        let mut quants = vec![0; n_rows * units * gpu.quant_bytes];
        let mut scales = vec![0; (n_rows * units * gpu.scale_bytes).next_multiple_of(4)];
        let mut padded = vec![0; unit_bytes];
        for (r, row) in rows.chunks_exact(row_bytes).enumerate() {
            for (u, unit) in row.chunks(unit_bytes).enumerate() {
                let at = r * units + u;
                let quants = &mut quants[at * gpu.quant_bytes..][..gpu.quant_bytes];
                let scales = &mut scales[at * gpu.scale_bytes..][..gpu.scale_bytes];
                if unit.len() == unit_bytes {
                    (gpu.repack)(unit, quants, scales);
                } else {
                    padded.fill(0);
                    padded[..unit.len()].copy_from_slice(unit);
                    (gpu.repack)(&padded, quants, scales);
                }
            }
        }
        (quants, scales)
    }
}
