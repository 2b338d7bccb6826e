//! What backends keep of states beside them: see [`super::Backend::keep`].

use std::{collections::HashMap, ops::Range};

use super::Kept;
use crate::error::{Error, Result};

/// The states of each copy, in the order in which they were asked for.
pub(super) struct Copies<T> {
    all: HashMap<u64, Vec<T>>,
    latest: u64,
}

/// Rows that follow each other, as ranges.
pub(super) fn runs(rows: &[u32]) -> impl Iterator<Item = Range<usize>> {
    rows.chunk_by(|a, b| a.checked_add(1) == Some(*b)).map(|run| {
        let first = run[0] as usize;
        first..first + run.len()
    })
}

impl<T> Default for Copies<T> {
    fn default() -> Self {
        Copies { all: HashMap::new(), latest: 0 }
    }
}

impl<T> Copies<T> {
    /// All states of all copies.
    pub fn states(&self) -> impl Iterator<Item = &T> {
        self.all.values().flatten()
    }

    pub fn add(&mut self, states: Vec<T>) -> Kept {
        self.latest += 1;
        self.all.insert(self.latest, states);
        Kept(self.latest)
    }

    pub fn remove(&mut self, kept: Kept) {
        self.all.remove(&kept.0);
    }

    pub fn clear(&mut self) {
        self.all.clear();
    }

    /// # Errors
    /// [`Error::Input`] for a copy that was dropped.
    pub fn get(&self, kept: Kept) -> Result<&[T]> {
        self.all.get(&kept.0).map(Vec::as_slice).ok_or_else(|| Error::input("copy", "it was forgotten"))
    }
}

#[cfg(test)]
mod tests {
    use super::runs;

    #[test]
    fn rows_that_follow_each_other_are_copied_together() {
        assert_eq!(runs(&[4, 5, 6, 2, 3, 9]).collect::<Vec<_>>(), [4..7, 2..4, 9..10]);
        assert_eq!(runs(&[]).count(), 0);
    }
}
