//! What an adapter needs of the model's own numbers, as the device has them, quantized or not: they are read back row by row.

use std::collections::BTreeMap;

use super::load::weight;
use crate::{
    error::{Error, Result},
    model::{Adapter, LowRank, TOKEN_TABLE},
    plan::{Builder, Index, Run, Stage, Storage},
    run::Engine,
};

/// Numbers that are read back at a time.
const AT_A_TIME: usize = 1 << 20;
/// State that holds the numbers of the rows.
const ROWS: &str = "rows to read";

/// Works a magnitude `m` into the layer's own numbers. DoRA computes `y = m / |W + b a| (W x + b a x)` (Liu et al. 2024, eq. 5,
/// the length being that of a row): gives the factors by layer, and multiplies `b` with them.
pub(super) async fn gains(engine: &mut Engine, adapter: &mut Adapter) -> Result<BTreeMap<String, Vec<f32>>> {
    let mut gains = BTreeMap::new();
    for (name, low) in &mut adapter.layers {
        let Some(magnitude) = low.magnitude.take() else { continue };
        let mut rows = Rows::open(engine, name).await?;
        let mut gain = Vec::with_capacity(magnitude.len());
        let result = loop {
            match rows.next(engine).await {
                Err(error) => break Err(error),
                Ok(None) => break Ok(()),
                Ok(Some(numbers)) => {
                    for row in numbers.chunks_exact(rows.cols) {
                        let i = gain.len();
                        gain.push(magnitude[i] / length(row, low, i));
                    }
                }
            }
        };
        rows.close(engine);
        result?;
        if gain.iter().any(|x| !x.is_finite()) {
            return Err(Error::NotFinite { place: format!("DoRA's scale of {name}") });
        }
        low.b.chunks_exact_mut(low.rank).zip(&gain).for_each(|(row, c)| row.iter_mut().for_each(|b| *b *= c));
        gains.insert(name.clone(), gain);
    }
    Ok(gains)
}

/// The length of row `i` of `W + b a`.
fn length(own: &[f32], low: &LowRank, i: usize) -> f32 {
    let mut sum = own.to_vec();
    for (a, b) in low.a.chunks_exact(own.len()).zip(&low.b[i * low.rank..][..low.rank]) {
        sum.iter_mut().zip(a).for_each(|(sum, a)| *sum += b * a);
    }
    sum.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt() as f32
}

/// Takes the embedding of token 0 off every row: that is the token that stands in a text for those of a soft prompt, whose rows
/// are added to its own.
pub(super) async fn subtract_first_row(engine: &mut Engine, prompt: &mut [f32]) -> Result<()> {
    let mut rows = Rows::open(engine, TOKEN_TABLE).await?;
    let first = rows.next(engine).await;
    rows.close(engine);
    let first = first?.unwrap_or_default();
    for row in prompt.chunks_exact_mut(rows.cols) {
        row.iter_mut().zip(&first).for_each(|(x, own)| *x -= own);
    }
    Ok(())
}

/// The rows of one of the device's matrices, by a plan that looks them up as embeddings.
struct Rows {
    n: usize,
    cols: usize,
    prepared: crate::backend::Prepared,
    value: crate::plan::Value,
    stride: usize,
    each: usize,
    done: usize,
}

impl Rows {
    async fn open(engine: &mut Engine, name: &str) -> Result<Rows> {
        let missing = || Error::input("adapter", format!("the model has no matrix {name}"));
        let info = weight(engine, name).ok_or_else(missing)?.info.clone();
        let Storage::Matrix { dtype } = info.storage else { return Err(missing()) };
        let each = (AT_A_TIME / info.cols).clamp(1, info.rows);
        let mut b = Builder::new("rows", each);
        let ids = b.state_u32(ROWS, 1, each);
        let table = b.matrix(&info.name, dtype, info.rows, info.cols);
        let value = b.embed(Index::State(ids), table);
        let plan = b.finish();
        let stride = plan[value].stride();
        let prepared = engine.backend.prepare(&plan).await?;
        Ok(Rows { n: info.rows, cols: info.cols, prepared, value, stride, each, done: 0 })
    }

    /// The next rows one after the other, or none after the last.
    async fn next(&mut self, engine: &mut Engine) -> Result<Option<Vec<f32>>> {
        let n = self.each.min(self.n - self.done);
        if n == 0 {
            return Ok(None);
        }
        let ids: Vec<u32> = (self.done..self.done + n).map(|i| i as u32).collect();
        engine.backend.write_u32(ROWS, 0, &ids)?;
        engine.backend.run(self.prepared, &Run::new(0, n), Stage::Sample)?;
        let numbers = engine.backend.read_value(self.prepared, self.value, 0, n * self.stride).await?;
        self.done += n;
        Ok(Some(numbers.chunks_exact(self.stride).flat_map(|row| &row[..self.cols]).copied().collect()))
    }

    fn close(&self, engine: &mut Engine) {
        engine.backend.forget(&[self.prepared], &[]);
    }
}
