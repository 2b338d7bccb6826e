//! A team of a page's workers, as `www/lib/crew.js` runs it, and what each of them does.

use js_sys::{Float32Array, Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::convert::throw;
use crate::{
    backend::cpu::team::{Job, Member, Shape, Slice, Strided, Team},
    error::{Error, Result},
    quant::DType,
};

#[wasm_bindgen]
extern "C" {
    /// `Crew` of `www/lib/crew.js`.
    pub type Crew;
    #[wasm_bindgen(method, getter, js_name = nHelpers)]
    fn n_helpers(this: &Crew) -> usize;
    #[wasm_bindgen(method, getter, js_name = mostNumbers)]
    fn most_numbers(this: &Crew) -> usize;
    #[wasm_bindgen(method, catch)]
    fn write(
        this: &Crew,
        helper: usize,
        id: u32,
        dtype: u32,
        n_out: usize,
        n_in: usize,
        bytes: &[u8],
    ) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn forget(this: &Crew, helper: usize, id: u32) -> Result<(), JsValue>;
    #[wasm_bindgen(method)]
    fn input(this: &Crew, x: &[f32], at: usize);
    #[wasm_bindgen(method)]
    fn multiply(this: &Crew, helper: usize, n_rows: usize, n_in: usize, fast: bool, jobs: &[u32]);
    #[wasm_bindgen(method)]
    fn attend(this: &Crew, helper: usize, slice: &[u32], n_kv: usize, q_at: usize, n_q: usize);
    #[wasm_bindgen(method, catch)]
    fn output(this: &Crew, helper: usize, y: &mut [f32]) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn row(this: &Crew, helper: usize, id: u32, row: usize, weights: &mut [f32]) -> Result<(), JsValue>;
    #[wasm_bindgen(method)]
    fn dismiss(this: &Crew);
}

/// So many helpers, by a function that promises a [`Crew`].
pub async fn start(hire: Function, n: usize) -> Result<Box<dyn Team>> {
    let promised = hire.call1(&JsValue::NULL, &n.into()).map_err(thrown)?.unchecked_into::<Promise>();
    let crew = JsFuture::from(promised).await.map_err(thrown)?;
    Ok(Box::new(Workers(crew.unchecked_into())))
}

/// A crew at work. Its workers end when this is dropped.
struct Workers(Crew);

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.dismiss();
    }
}

/// What a worker threw.
fn thrown(value: JsValue) -> Error {
    let error = value.unchecked_into::<js_sys::Error>();
    let problem = String::from(error.message());
    match String::from(error.name()).as_str() {
        "InputError" => Error::input("threads", problem),
        "OutOfMemoryError" => {
            Error::OutOfMemory { device: "CPU", what: "weights of a worker".into(), bytes: 0 }
        }
        _ => Error::Device { what: "a worker".into(), problem },
    }
}

impl Team for Workers {
    fn n_helpers(&self) -> usize {
        self.0.n_helpers()
    }

    fn most_numbers(&self) -> usize {
        self.0.most_numbers()
    }

    fn write(&self, helper: usize, id: u32, part: Shape, bytes: &[u8]) -> Result<()> {
        let Shape { dtype, n_out, n_in } = part;
        self.0.write(helper, id, dtype.info().ggml_id, n_out, n_in, bytes).map_err(thrown)
    }

    fn forget(&self, helper: usize, id: u32) -> Result<()> {
        self.0.forget(helper, id).map_err(thrown)
    }

    fn start(&self, jobs: &[Vec<Job>], xs: &[&[f32]], fast: bool) {
        let n_in = xs.first().map_or(0, |x| x.len());
        xs.iter().enumerate().for_each(|(r, x)| self.0.input(x, r * n_in));
        for (helper, jobs) in jobs.iter().enumerate().filter(|(_, jobs)| !jobs.is_empty()) {
            let words = |Job { id, rows }: &Job| [*id, rows.start as u32, rows.end as u32];
            let words: Vec<u32> = jobs.iter().flat_map(words).collect();
            self.0.multiply(helper, xs.len(), n_in, fast, &words);
        }
    }

    fn start_attention(&self, slice: &Slice, q: Strided, k: Strided, v: Strided) {
        let mut at = 0;
        let mut send = |row: &[f32]| {
            self.0.input(row, at);
            at += row.len();
            at
        };
        let n_kv = slice.keys(k).chain(slice.keys(v)).map(&mut send).last().unwrap_or(0);
        let mut first = n_kv;
        for helper in 0..self.n_helpers() {
            let slice = slice.of_helper(helper);
            let end = slice.queries(q).map(&mut send).last().unwrap_or(first);
            if end > first {
                self.0.attend(helper, &slice.to_words(), n_kv, first, end - first);
            }
            first = end;
        }
    }

    fn finish(&self, helper: usize, y: &mut [f32]) -> Result<()> {
        self.0.output(helper, y).map_err(thrown)
    }

    fn unpack_row(&self, helper: usize, id: u32, row: usize, weights: &mut [f32]) -> Result<()> {
        self.0.row(helper, id, row, weights).map_err(thrown)
    }
}

/// A worker's side. What it throws is an `Error` whose `name` is one of intab's.
#[wasm_bindgen]
#[derive(Default)]
pub struct Helper {
    member: Member,
    x: Vec<f32>,
    y: Vec<f32>,
}

#[wasm_bindgen]
impl Helper {
    /// With no weights.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Helper {
        Helper::default()
    }

    /// The next rows of this worker's part of a matrix, of the type with this number in GGUF.
    pub fn write(
        &mut self,
        id: u32,
        dtype: u32,
        n_out: usize,
        n_in: usize,
        bytes: &[u8],
    ) -> Result<(), JsValue> {
        let dtype = DType::from_ggml_id(dtype);
        let dtype = dtype.ok_or_else(|| throw(Error::input("type", "it is not known")))?;
        self.member.write(id, Shape { dtype, n_out, n_in }, bytes).map_err(throw)
    }

    /// Gives this worker's part of a matrix back, if it has any.
    pub fn forget(&mut self, id: u32) {
        self.member.forget(id);
    }

    /// `y[r, i] = x[r] · w[first + i]` for each job, which is a matrix and the first and the end of its rows: `x` is
    /// `[n_rows, n_in]`, `y` is `[n_rows, end - first]` for one job after the other.
    pub fn multiply(
        &mut self,
        jobs: &[u32],
        fast: bool,
        n_in: usize,
        x: &Float32Array,
        y: &Float32Array,
    ) -> Result<(), JsValue> {
        self.x.resize(x.length() as usize, 0.0);
        x.copy_to(&mut self.x);
        self.y.resize(y.length() as usize, 0.0);
        let xs: Vec<&[f32]> = self.x.chunks_exact(n_in).collect();
        let job = |&[id, first, end]: &[u32; 3]| Job { id, rows: first as usize..end as usize };
        let jobs: Vec<Job> = jobs.as_chunks().0.iter().map(job).collect();
        self.member.multiply(&jobs, &xs, fast, &mut self.y).map_err(throw)?;
        y.copy_from(&self.y);
        Ok(())
    }

    /// This worker's rows of an attention, told by `Slice::to_words`: `kv` are all keys and then all values.
    pub fn attend(
        &mut self,
        slice: &[u32],
        kv: &Float32Array,
        q: &Float32Array,
        y: &Float32Array,
    ) -> Result<(), JsValue> {
        let none = || throw(Error::input("attention", "it is not told in so many words"));
        let slice = Slice::from_words(slice.try_into().map_err(|_| none())?);
        let n = kv.length() as usize;
        self.x.resize(n + q.length() as usize, 0.0);
        let (own_kv, own_q) = self.x.split_at_mut(n);
        kv.copy_to(own_kv);
        q.copy_to(own_q);
        self.y.resize(y.length() as usize, 0.0);
        let (k, v) = own_kv.split_at(n / 2);
        slice.attend(own_q, k, v, &mut self.y);
        y.copy_from(&self.y);
        Ok(())
    }

    /// The weights of a row.
    pub fn row(&mut self, id: u32, row: usize, weights: &Float32Array) -> Result<(), JsValue> {
        self.y.resize(weights.length() as usize, 0.0);
        self.member.unpack_row(id, row, &mut self.y).map_err(throw)?;
        weights.copy_from(&self.y);
        Ok(())
    }
}
