//! Where plans run. A [`Backend`] holds a model's weights and states, prepares plans once and replays them.
//! The CPU backend is the reference; the GPU backend must agree with it.

mod copies;
pub mod cpu;
pub mod gpu;

use copies::{Copies, runs};

use crate::{
    error::{Error, Result},
    format::LocalFuture,
    plan::{Plan, Run, Stage, Storage, Value, ValueInfo, assign_slots},
    quant::DType,
};

/// Which kind of device a model runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Our own scalar and SIMD code.
    Cpu,
    /// WGSL compute shaders.
    Gpu,
}

impl Kind {
    /// As options and messages spell it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Cpu => "cpu",
            Kind::Gpu => "gpu",
        }
    }
}

impl Kind {
    /// The most rows that one run takes, for which plans have room.
    pub fn prefill_rows(self) -> usize {
        match self {
            Kind::Cpu => cpu::ROWS,
            Kind::Gpu => gpu::ROWS,
        }
    }

    /// Bytes of device memory that a value takes which outlives its plan.
    pub fn value_bytes(self, info: &ValueInfo) -> u64 {
        match (&info.storage, self) {
            (Storage::Activation, _) => 0,
            (Storage::Matrix { dtype }, Kind::Cpu) => {
                info.rows as u64 * dtype.info().row_bytes(info.cols) as u64
            }
            (Storage::Matrix { dtype }, Kind::Gpu) => {
                info.rows as u64 * dtype.info().gpu.row_bytes(info.cols).iter().sum::<u64>()
            }
            (Storage::Vector, _) => 4 * info.cols as u64,
            (Storage::Constant(numbers), _) => 4 * numbers.len() as u64,
            _ => info.state_bytes(),
        }
    }

    /// In what text is generated unless the caller says otherwise: the fast way only where a token does not depend on how
    /// many are computed at once. A GPU's integer products need many rows, so that a prompt would be read otherwise than the
    /// tokens after it.
    pub fn usual_precision(self) -> Precision {
        match self {
            Kind::Cpu => Precision::Fast,
            Kind::Gpu => Precision::Exact,
        }
    }

    /// Bytes of device memory that plans take for their activations, prepared in this order.
    pub fn scratch_bytes<'a>(self, plans: impl IntoIterator<Item = &'a Plan>) -> u64 {
        match self {
            Kind::Cpu => plans.into_iter().flat_map(assign_slots).map(|slot| 4 * slot.len as u64).sum(),
            Kind::Gpu => gpu::scratch_bytes(plans),
        }
    }
}

/// What a backend says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// CPU or GPU.
    pub kind: Kind,
    /// The device's own name, as far as it tells.
    pub device: String,
    /// Features in use, e.g. `simd128` or `subgroups`.
    pub features: Vec<String>,
    /// What was chosen by measuring, to be given to [`gpu::Gpu::tune`] another time; none where nothing was.
    pub tuning: Option<String>,
}

/// How exact products of activations with quantized weights are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Activations stay f32: what the reference computes.
    #[default]
    Exact,
    /// Activations may be quantized too where that is faster.
    Fast,
}

impl Precision {
    /// `exact` or `fast`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Exact => "exact",
            Precision::Fast => "fast",
        }
    }
}

/// Counts of what a backend holds and did, for tests and benchmarks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Buffers alive.
    pub buffers: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Names of kernels and their seconds, in order.
pub type StepTimes = Vec<(&'static str, f64)>;

/// A prepared plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prepared(pub(crate) usize);

/// The rows of a state that are worth a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRows {
    /// The state's name.
    pub state: String,
    /// Bytes of a row: [`ValueInfo::state_bytes`] of one.
    pub row_bytes: usize,
}

/// A copy of rows of some states, on the device: see [`Backend::keep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept(pub(crate) u64);

/// A weight that is about to be written.
#[derive(Debug, Clone)]
pub struct WeightSpec<'a> {
    /// The tensor's name.
    pub name: &'a str,
    /// Its type in the file.
    pub dtype: DType,
    /// Rows: `n_out`, 1 for a vector.
    pub rows: usize,
    /// Numbers in a row.
    pub cols: usize,
    /// Whether to widen it to f32: norm weights and biases.
    pub vector: bool,
}

/// A device that runs plans. Calls are ordered: a run sees all writes made before it.
pub trait Backend {
    /// What it is.
    fn info(&self) -> Info;

    /// What it holds now.
    fn counters(&self) -> Counters;

    /// Whether the device went away with all that was on it, so that every call fails with [`Error::DeviceLost`]. That may
    /// be known only once a call has failed.
    fn is_lost(&self) -> bool {
        false
    }

    /// The next rows of a weight: `bytes` are whole rows as the file has them, from `first_row` on. The first
    /// call for a name (with `first_row` 0) makes room for all rows; rows of a weight that is there already, in the same
    /// type and shape, are written over, whichever plans were prepared with it. `first_row` is even, so that a device which
    /// packs two rows' scales into one word can write them without reading.
    fn write_weight(&mut self, spec: &WeightSpec, first_row: usize, bytes: &[u8]) -> Result<()>;

    /// Makes everything a plan needs: buffers, pipelines, bind groups. Its weights must have been written.
    fn prepare<'a>(&'a mut self, plan: &'a Plan) -> LocalFuture<'a, Result<Prepared>>;

    /// Runs a plan's steps up to and including `until`. Does not wait for the device.
    fn run(&mut self, prepared: Prepared, run: &Run, until: Stage) -> Result<()>;

    /// How exact the runs that follow are; [`Precision::Exact`] until it is said.
    fn set_precision(&mut self, precision: Precision);

    /// Whether runs of [`Precision::Fast`] compute anything else than exact ones.
    fn is_faster_less_exact(&self) -> bool;

    /// Kernel launches of a whole run of one row; steps where nothing is launched.
    fn dispatches(&self, prepared: Prepared) -> usize;

    /// Runs a plan as [`Backend::run`] does, and tells how long each kernel took by the device's own clock: name and seconds.
    /// That run is slower than others.
    fn profile(
        &mut self,
        _prepared: Prepared,
        _run: &Run,
        _until: Stage,
    ) -> Result<LocalFuture<'static, Result<StepTimes>>> {
        Err(Error::unsupported("clock", self.info().kind.name(), "this backend does not time its steps"))
    }

    /// Writes part of a `u32` state, e.g. the token ids of a chunk.
    fn write_u32(&mut self, state: &str, start: usize, values: &[u32]) -> Result<()>;

    /// Writes the first numbers of an activation or f32 state, rows at [`crate::plan::ValueInfo::stride`].
    fn write_value(&mut self, prepared: Prepared, value: Value, numbers: &[f32]) -> Result<()>;

    /// Reads `len` numbers of an activation or f32 state from `start`, once all runs before are done. The memory of an
    /// activation may have been given to a later one meanwhile: see [`crate::plan::assign_slots`].
    fn read_value(
        &mut self,
        prepared: Prepared,
        value: Value,
        start: usize,
        len: usize,
    ) -> LocalFuture<'static, Result<Vec<f32>>>;

    /// Runs a whole plan and gives the token it sampled: `ids[0]` as this run leaves it, though later runs may be
    /// submitted before the future is awaited. [`Run::NOT_FINITE`] becomes [`Error::NotFinite`].
    fn run_for_token(
        &mut self,
        prepared: Prepared,
        run: &Run,
        ids: &str,
    ) -> Result<LocalFuture<'static, Result<u32>>>;

    /// Errors of weights that are written from now until [`Backend::end_trial`] do not end the device: memory that runs out.
    fn begin_trial(&mut self) {}

    /// Resolves as [`Backend::settle`] does, or with the trial's first error. What was written meanwhile is to be forgotten then.
    fn end_trial(&mut self) -> LocalFuture<'static, Result<()>> {
        self.settle()
    }

    /// Copies these rows of each of these states, whose plans are prepared, in this order. The copy is on the device and lives
    /// until [`Backend::drop_kept`]. Where there is no room, that is told here, or by whatever reads the copy, as
    /// [`Error::OutOfMemory`].
    fn keep(&mut self, states: &[KeptRows], rows: &[u32]) -> Result<Kept>;

    /// Writes the first rows of a copy to these rows of the states, which are at most as many as it has.
    fn recall(&mut self, kept: Kept, states: &[KeptRows], rows: &[u32]) -> Result<()>;

    /// Gives the memory of a copy back.
    fn drop_kept(&mut self, kept: Kept);

    /// The bytes of a copy, one state after the other: `row_bytes` for each of its rows. A row of [`Storage::Bytes`] is its bytes
    /// and then its scales.
    fn export(&mut self, kept: Kept) -> LocalFuture<'static, Result<Vec<u8>>>;

    /// A copy made of such bytes, which must be as many as `rows` rows have.
    fn import(&mut self, states: &[KeptRows], rows: usize, bytes: &[u8]) -> Result<Kept>;

    /// Waits until the device has done all it was given, and reports what went wrong meanwhile.
    fn settle(&mut self) -> LocalFuture<'static, Result<()>>;

    /// How many tokens of a prompt, of at most [`Kind::prefill_rows`], the next run should take: so many that weights are read
    /// seldom, and so few that it ends soon enough for the caller to abort and for a GPU to draw the page. It follows from how
    /// long the runs before took.
    fn next_rows(&self) -> usize;

    /// How many tokens it pays to submit before the first is read back.
    fn depth(&self) -> usize;

    /// Gives back what these plans and weights take, and the states that no other plan names. A run of such a plan is an error from
    /// then on; weights may be written anew under the same names. What is not there is passed over.
    fn forget(&mut self, plans: &[Prepared], weights: &[String]);

    /// Gives all memory back. Every later call fails with [`Error::Unloaded`].
    fn destroy(&mut self);
}

/// The error of a state or weight that a caller names and no plan declared.
pub(crate) fn no_such(what: &'static str, name: &str) -> Error {
    Error::input(what, format!("`{name}` was never declared"))
}

/// The token a sampler left, unless the scores were not finite.
pub(crate) fn sampled(word: u32) -> Result<u32> {
    match word {
        Run::NOT_FINITE => Err(Error::NotFinite { place: "the logits".into() }),
        id => Ok(id),
    }
}
