//! Weights on their way from the files to the device: never one whole in memory, but for those that must be turned round.

use std::collections::HashSet;

use xxhash_rust::xxh64::xxh64;

use super::{
    LoadOptions, Progress,
    load::{check_aborted, tell},
};
use crate::{
    backend::{Backend, WeightSpec},
    error::Result,
    format::{TensorInfo, Window},
    model::{Change, Origin, Piece, Rows, Weights},
    plan::{Plan, Storage},
    quant::DType,
};

/// Bytes of a weight that are in host memory at a time, about.
const CHUNK: usize = 4 << 20;
/// Bytes that may wait in the device's queue before the next chunk is read.
const IN_FLIGHT: u64 = 32 << 20;

/// A weight that plans name.
struct Wanted<'a> {
    name: &'a str,
    rows: usize,
    cols: usize,
    vector: bool,
}

/// Streams every weight of the plans to the backend, in the file's order.
pub(super) async fn stream_weights(
    weights: &Weights<'_>,
    plans: &[&Plan],
    backend: &mut dyn Backend,
    options: &LoadOptions,
) -> Result<u64> {
    let mut wanted = wanted(plans);
    wanted.sort_by_key(|weight| place(weights, weight.name));
    let mut total = 0;
    for weight in &wanted {
        let dtype = if weight.vector { DType::F32 } else { weights.source(weight.name)?.dtype };
        total += weight.rows as u64 * dtype.info().row_bytes(weight.cols) as u64;
    }
    let mut stream = Stream {
        weights,
        backend,
        options,
        window: Window::default(),
        turned: None,
        total,
        loaded: 0,
        in_flight: 0,
        fingerprint: 0,
    };
    stream.report(0);
    for weight in &wanted {
        stream.weight(weight).await?;
    }
    stream.backend.settle().await?;
    Ok(stream.fingerprint)
}

/// Every weight once.
fn wanted<'a>(plans: &[&'a Plan]) -> Vec<Wanted<'a>> {
    let mut seen = HashSet::new();
    let values = plans.iter().flat_map(|plan| &plan.values);
    values
        .filter(|info| matches!(info.storage, Storage::Matrix { .. } | Storage::Vector))
        .filter(|info| seen.insert(&info.name))
        .map(|info| {
            let vector = matches!(info.storage, Storage::Vector);
            Wanted { name: &info.name, rows: info.rows, cols: info.cols, vector }
        })
        .collect()
}

/// Where a weight begins: file and offset.
fn place(weights: &Weights, name: &str) -> (usize, u64) {
    let first = weights.first_tensor(name);
    first.map_or((0, 0), |tensor| (tensor.source, tensor.offset))
}

struct Stream<'a, 'w> {
    weights: &'a Weights<'w>,
    backend: &'a mut dyn Backend,
    options: &'a LoadOptions,
    window: Window,
    /// The last tensor that was turned round, by name: queries, keys and values are parts of one.
    turned: Option<(String, Vec<f32>)>,
    /// Bytes on the device.
    total: u64,
    loaded: u64,
    in_flight: u64,
    /// The sum of the hashes of all that was written, by its name and place: the order is no matter.
    fingerprint: u64,
}

impl Stream<'_, '_> {
    fn report(&mut self, more: u64) {
        self.loaded += more;
        tell(self.options, Progress { stage: "weights", loaded: self.loaded, total: self.total });
    }

    async fn weight(&mut self, wanted: &Wanted<'_>) -> Result<()> {
        let source = self.weights.source(wanted.name)?;
        let mut spec = WeightSpec {
            name: wanted.name,
            dtype: source.dtype,
            rows: wanted.rows,
            cols: wanted.cols,
            vector: wanted.vector,
        };
        if wanted.vector {
            check_aborted(self.options)?;
            let numbers = self.weights.numbers(wanted.name, &mut self.window).await?;
            spec.dtype = DType::F32;
            self.write(&spec, 0, bytemuck::cast_slice(&numbers))?;
            self.report(4 * numbers.len() as u64);
            return Ok(());
        }
        match source.origin {
            Origin::Made { numbers, .. } => {
                self.rows(&spec, 0, DType::F32, bytemuck::cast_slice(numbers)).await
            }
            Origin::File { pieces, change } => {
                let mut first_row = 0;
                let mut held = Held::default();
                for (i, piece) in pieces.iter().enumerate() {
                    let last = i + 1 == pieces.len();
                    first_row = self.piece(&spec, first_row, piece, *change, &mut held, last).await?;
                }
                Ok(())
            }
        }
    }

    /// The rows of one piece, from the weight's row `first_row` on; gives the row after them.
    async fn piece(
        &mut self,
        spec: &WeightSpec<'_>,
        mut first_row: usize,
        piece: &Piece,
        change: Change,
        held: &mut Held,
        last: bool,
    ) -> Result<usize> {
        let info = self.weights.tensor(&piece.tensor)?;
        if change != Change::None {
            let rows = self.turned(&piece.tensor, info, spec.cols, change).await?;
            let chosen: Vec<f32> = match piece.rows {
                None => rows,
                Some(part) => {
                    let run = |(at, n): (usize, usize)| rows[at * spec.cols..][..n * spec.cols].to_vec();
                    part.runs().flat_map(run).collect()
                }
            };
            let n = chosen.len() / spec.cols;
            self.rows(spec, first_row, DType::F32, bytemuck::cast_slice(&chosen)).await?;
            return Ok(first_row + n);
        }
        let row_bytes = info.dtype.info().row_bytes(spec.cols);
        // An even number of rows: see `Backend::write_weight`.
        let rows_each = ((CHUNK / row_bytes) & !1).max(2);
        let n_rows = info.n_bytes as usize / row_bytes;
        let part = piece.rows.unwrap_or(Rows::run(0, n_rows));
        for (at, len) in part.runs() {
            for start in (0..len).step_by(rows_each) {
                let n = rows_each.min(len - start);
                let offset = info.offset + ((at + start) * row_bytes) as u64;
                let read = self.window.read(self.weights.checkpoint(), info.source, offset, n * row_bytes);
                held.bytes.extend_from_slice(read.await?);
                held.rows += n;
                // Runs are gathered until they are worth a write, which begins at an even row.
                let enough = held.rows >= rows_each.min(spec.rows - first_row);
                if enough && (held.rows.is_multiple_of(2) || first_row + held.rows == spec.rows) {
                    self.rows(spec, first_row, info.dtype, &held.bytes).await?;
                    first_row += held.rows;
                    *held = Held::default();
                }
            }
        }
        if last && held.rows > 0 {
            self.rows(spec, first_row, info.dtype, &held.bytes).await?;
            first_row += held.rows;
            *held = Held::default();
        }
        Ok(first_row)
    }

    /// A tensor whose numbers change on the way, whole.
    async fn turned(
        &mut self,
        name: &str,
        info: &TensorInfo,
        cols: usize,
        change: Change,
    ) -> Result<Vec<f32>> {
        if let Some((_, numbers)) = self.turned.take_if(|(other, _)| other == name) {
            self.turned = Some((name.to_owned(), numbers.clone()));
            return Ok(numbers);
        }
        let numbers = self.weights.changed(info, cols, change, &mut self.window).await?;
        self.turned = Some((name.to_owned(), numbers.clone()));
        Ok(numbers)
    }

    fn write(&mut self, spec: &WeightSpec<'_>, first_row: usize, bytes: &[u8]) -> Result<()> {
        let place = xxh64(spec.name.as_bytes(), first_row as u64);
        self.fingerprint = self.fingerprint.wrapping_add(xxh64(bytes, place));
        self.backend.write_weight(spec, first_row, bytes)
    }

    /// Writes rows in the type that the weight has on the device.
    async fn rows(
        &mut self,
        spec: &WeightSpec<'_>,
        first_row: usize,
        dtype: DType,
        bytes: &[u8],
    ) -> Result<()> {
        check_aborted(self.options)?;
        let row_bytes = dtype.info().row_bytes(spec.cols);
        let n_rows = bytes.len() / row_bytes;
        if dtype == spec.dtype {
            self.write(spec, first_row, bytes)?;
        } else {
            self.write(spec, first_row, &requantize(bytes, dtype, spec.dtype, spec.cols))?;
        }
        self.in_flight += bytes.len() as u64;
        if self.in_flight >= IN_FLIGHT {
            self.window.meanwhile(self.backend.settle()).await?;
            self.in_flight = 0;
        }
        self.report((n_rows * spec.dtype.info().row_bytes(spec.cols)) as u64);
        Ok(())
    }
}

/// Rows that wait to be written.
#[derive(Default)]
struct Held {
    rows: usize,
    bytes: Vec<u8>,
}

/// Rows of `from` as rows of `to`, which this crate can make: see [`crate::model::Weights`].
fn requantize(bytes: &[u8], from: DType, to: DType, cols: usize) -> Vec<u8> {
    let (from, to) = (from.info(), to.info());
    let mut numbers = vec![0.0; cols];
    let mut out = vec![0; bytes.len() / from.row_bytes(cols) * to.row_bytes(cols)];
    for (row, out) in bytes.chunks_exact(from.row_bytes(cols)).zip(out.chunks_exact_mut(to.row_bytes(cols))) {
        from.dequantize_row(row, &mut numbers);
        // Weights are only retyped to types with a quantizer.
        if let Some(quantize) = to.quantize {
            quantize(&numbers, out);
        }
    }
    out
}
