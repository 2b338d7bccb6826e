//! Which of the ways to lay out its work a device is fastest in, measured on it: a few runs of each, once.

use std::{cell::RefCell, collections::HashMap};

use serde::{Deserialize, Serialize};
use web_time::Instant;

use super::Gpu;
use crate::{
    backend::{Backend, Precision, WeightSpec},
    error::Result,
    plan::{Builder, Plan, Run, Stage},
    quant::DType,
};

/// After so many seconds nothing more is measured, and what was not stays as it is.
const BUDGET: f64 = 1.0;
/// Seconds that the runs of one way take about.
const EACH: f64 = 0.02;
/// How much faster than the usual way another one has to be: less is chance.
const GAIN: f64 = 1.05;

/// What is chosen. Every choice computes the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Whether a subgroup is a team of `matvec.wgsl`, where its size fits the rows.
    pub subgroups: bool,
    /// Whether threads of `matvec.wgsl` take several outputs, where there are many.
    pub wide: bool,
    /// Rows and outputs of the largest tile of `matmul.wgsl`.
    pub tile: usize,
    /// The same of products of integers; none where they do not pay.
    pub dots: Option<usize>,
}

impl Default for Choice {
    fn default() -> Self {
        Choice { subgroups: true, wide: true, tile: 64, dots: Some(64) }
    }
}

/// A choice and the device that it was made for, as it is kept between visits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    device: String,
    choice: Choice,
}

/// Where a choice came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was kept from another visit.
    Kept,
    /// It was made in this process before.
    Remembered,
    /// It was measured now.
    Measured,
}

thread_local! {
    /// Choices of this process.
    static REMEMBERED: RefCell<HashMap<String, Choice>> = RefCell::default();
}

impl Gpu {
    /// Chooses, before any weight is written: by `kept`, which [`Gpu::tuning`] gave on such a device, else by what this
    /// process measured before, else by measuring now, which takes a second or less.
    ///
    /// # Errors
    /// The device's.
    pub async fn tune(&mut self, kept: Option<&str>) -> Result<Origin> {
        let device = self.identity();
        let kept = kept.and_then(|text| serde_json::from_str::<Kept>(text).ok());
        let kept = kept.filter(|kept| kept.device == device && kept.choice.is_known());
        let remembered = REMEMBERED.with_borrow(|all| all.get(&device).copied());
        let (choice, origin) = match (kept, remembered) {
            (Some(kept), _) => (kept.choice, Origin::Kept),
            (None, Some(choice)) => (choice, Origin::Remembered),
            (None, None) => (self.measure(BUDGET).await?, Origin::Measured),
        };
        REMEMBERED.with_borrow_mut(|all| all.insert(device, choice));
        self.choice = choice;
        self.is_tuned = true;
        Ok(origin)
    }

    /// What was chosen, as text to be kept; none where nothing was.
    pub fn tuning(&self) -> Option<String> {
        let kept = Kept { device: self.identity(), choice: self.choice };
        let text = || serde_json::to_string(&kept).expect("plain fields become JSON");
        self.is_tuned.then(text)
    }

    /// What tells devices apart, and versions whose kernels may differ.
    fn identity(&self) -> String {
        let wgpu::AdapterInfo { name, driver, driver_info, .. } = &self.device.info;
        let features = self.device.tiers.names().join(" ");
        format!("{} {name} {driver} {driver_info} [{features}]", env!("CARGO_PKG_VERSION"))
    }

    /// Measures one question after the other; nothing of it stays in memory.
    async fn measure(&mut self, budget: f64) -> Result<Choice> {
        let start = Instant::now();
        let mut best = Choice::default();
        for question in questions(self.device.tiers.subgroups.is_some(), self.device.tiers.dots) {
            let mut usual = None;
            for choice in question.ways.iter().map(|way| way(best)) {
                if start.elapsed().as_secs_f64() > budget {
                    return Ok(best);
                }
                self.choice = choice;
                let seconds = self.time(&question).await?;
                let (fastest, _) = *usual.get_or_insert((seconds, choice));
                if seconds * GAIN < fastest {
                    usual = Some((seconds, choice));
                }
            }
            best = usual.map_or(best, |(_, choice)| choice);
        }
        Ok(best)
    }

    /// Seconds of a run of a question's plan.
    async fn time(&mut self, question: &Question) -> Result<f64> {
        let [rows, cols] = question.matrix;
        let dtype = DType::Q4_0;
        let spec = WeightSpec { name: "tuned", dtype, rows, cols, vector: false };
        let bytes = vec![0x11; rows * dtype.info().row_bytes(cols)];
        self.write_weight(&spec, 0, &bytes)?;
        let prepared = self.prepare(&question.plan()).await?;
        self.set_precision(question.precision);
        let run = Run::new(0, question.rows);
        let mut time = async |n: usize| {
            let start = Instant::now();
            for _ in 0..n {
                self.run(prepared, &run, Stage::Sample)?;
            }
            self.settle().await?;
            Ok(start.elapsed().as_secs_f64() / n as f64)
        };
        time(1).await?; // warms up
        let once = time(1).await?;
        let n = ((EACH / once.max(1e-6)) as usize).clamp(1, 32);
        let seconds = f64::min(once, time(n).await?);
        self.forget_all();
        Ok(seconds)
    }

    /// As it was when it was opened, but for its pipelines.
    fn forget_all(&mut self) {
        self.plans.clear();
        self.matrices.clear();
        self.shared.clear();
        self.biases.clear();
        self.between = None;
        self.precision = Precision::default();
    }
}

impl Choice {
    /// Whether kernels have it.
    fn is_known(&self) -> bool {
        let known = |tile: usize| tile == 32 || tile == 64;
        known(self.tile) && self.dots.is_none_or(known)
    }
}

/// Something to choose: a product to measure in several ways, of which the first is the usual one.
struct Question {
    /// Rows of activations.
    rows: usize,
    /// Outputs and inputs.
    matrix: [usize; 2],
    precision: Precision,
    ways: Vec<fn(Choice) -> Choice>,
}

impl Question {
    fn plan(&self) -> Plan {
        let [n_out, n_in] = self.matrix;
        let mut b = Builder::new("tuning", self.rows);
        let x = b.state("tuned x", self.rows, n_in);
        let w = b.matrix("tuned", DType::Q4_0, n_out, n_in);
        b.linear(x, w, None, "y");
        b.finish()
    }
}

/// What can be asked on a device; a matrix that one row reads should not fit a cache, and software should soon be done with all
/// of them.
fn questions(has_subgroups: bool, has_dots: bool) -> Vec<Question> {
    let same: fn(Choice) -> Choice = |choice| choice;
    let mut of_rows = vec![same, |choice| Choice { wide: false, ..choice }];
    if has_subgroups {
        of_rows.push(|choice| Choice { subgroups: false, ..choice });
        of_rows.push(|choice| Choice { subgroups: false, wide: false, ..choice });
    }
    let of_tiles = vec![same, |choice| Choice { tile: 32, ..choice }];
    let mut of_dots = vec![same];
    if has_dots {
        of_dots.push(|choice| Choice { dots: Some(32), ..choice });
        of_dots.push(|choice| Choice { dots: None, ..choice });
    }
    let (exact, fast) = (Precision::Exact, Precision::Fast);
    let tall = [8192, 2048];
    let square = [1024, 1024];
    vec![
        Question { rows: 1, matrix: tall, precision: exact, ways: of_rows },
        Question { rows: 128, matrix: square, precision: exact, ways: of_tiles },
        Question { rows: 128, matrix: square, precision: fast, ways: of_dots },
    ]
}
