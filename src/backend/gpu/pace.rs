//! How many rows a run should take: as many as a device computes in a time that nobody who looks at a page notices, since
//! a GPU draws nothing else meanwhile. What is known of that is how long runs took so far.

use std::cell::Cell;

use web_time::Instant;

/// Seconds that a run should last.
const TARGET: f64 = 0.06;
/// The most rows of a run, for which plans have room.
pub const MOST: usize = 512;
/// The least: fewer cost almost as much.
const LEAST: usize = 8;
/// Rows of the first run, on a device that nothing is known of.
const FIRST: usize = 32;
/// Rows of every run on software, which no screen waits for: of few rows it unpacks weights as long as it multiplies them.
const SOFTWARE: usize = 128;
/// How much more the next run may take than the last.
const GROWTH: usize = 4;

/// Measures runs over many rows from their submission to their end.
#[derive(Debug)]
pub struct Pace {
    rows: Cell<usize>,
    /// Whether rows follow from what was measured.
    adapts: bool,
    /// Rows that were submitted since this moment and are not known to be done.
    pending: Cell<Option<(usize, Instant)>>,
}

impl Pace {
    /// Of a device that nothing is known of, or of software.
    pub fn new(is_software: bool) -> Pace {
        let rows = if is_software { SOFTWARE } else { FIRST };
        Pace { rows: Cell::new(rows), adapts: !is_software, pending: Cell::default() }
    }

    /// The rows of the next run.
    pub fn rows(&self) -> usize {
        self.rows.get()
    }

    /// A run over so many rows was submitted.
    pub fn start(&self, n_rows: usize) {
        let (before, since) = self.pending.get().unwrap_or_else(|| (0, Instant::now()));
        self.pending.set(Some((before + n_rows, since)));
    }

    /// Something else was submitted, which would be measured too.
    pub fn forget(&self) {
        self.pending.set(None);
    }

    /// All that was submitted is done.
    pub fn end(&self) {
        if let Some((n_rows, since)) = self.pending.take() {
            self.learn(n_rows, since.elapsed().as_secs_f64());
        }
    }

    fn learn(&self, n_rows: usize, seconds: f64) {
        if !self.adapts {
            return;
        }
        let fitting = (n_rows as f64 * TARGET / seconds.max(1e-6)) as usize;
        let most = (n_rows.max(self.rows()) * GROWTH).min(MOST);
        // A run that was cut short by the end of its text and was done in time does not tell that fewer rows fit.
        let least = if n_rows < self.rows() && fitting >= n_rows { self.rows() } else { LEAST };
        // Kernels compute whole tiles.
        let step = if fitting >= 64 { 32 } else { LEAST };
        self.rows.set((fitting / step * step).clamp(least, most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of runs that follow each other where one takes a fixed time and so much for each row.
    fn settled(fixed: f64, each: f64) -> Vec<usize> {
        let pace = Pace::new(false);
        (0..8)
            .map(|_| {
                let rows = pace.rows();
                pace.learn(rows, fixed + each * rows as f64);
                rows
            })
            .collect()
    }

    #[test]
    fn a_fast_device_soon_gets_all_that_plans_hold() {
        assert_eq!(settled(0.001, 1e-6), [32, 128, 512, 512, 512, 512, 512, 512]);
    }

    #[test]
    fn a_slow_device_gets_what_it_does_in_time() {
        for each in [0.0003, 0.001, 0.004] {
            let rows = *settled(0.002, each).last().unwrap();
            let lasts = 0.002 + each * rows as f64;
            assert!(
                (0.3 * TARGET..=TARGET * 1.01).contains(&lasts),
                "{rows} rows of {each} s last {lasts} s"
            );
        }
        assert_eq!(settled(0.0, 1.0).last(), Some(&LEAST));
    }

    #[test]
    fn a_short_run_that_is_done_in_time_changes_nothing() {
        let pace = Pace::new(false);
        settled_into(&pace, 512);
        pace.learn(3, 0.010);
        assert_eq!(pace.rows(), 512);
        pace.learn(3, 2.0 * TARGET);
        assert!(pace.rows() < 512);
    }

    /// Runs that take no time.
    fn settled_into(pace: &Pace, rows: usize) {
        while pace.rows() < rows {
            pace.learn(pace.rows(), 1e-4);
        }
    }

    #[test]
    fn software_always_gets_the_same() {
        let pace = Pace::new(true);
        pace.learn(SOFTWARE, 10.0);
        assert_eq!(pace.rows(), SOFTWARE);
    }

    #[test]
    fn a_pause_between_two_runs_is_not_counted() {
        let pace = Pace::new(false);
        pace.start(32);
        pace.forget();
        pace.end();
        assert_eq!(pace.rows(), FIRST);
    }
}
