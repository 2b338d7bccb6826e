//! The merging that byte-level BPE and SentencePiece share: of all neighbours that may merge, the best pair does,
//! again and again; of equally good ones the leftmost (Sennrich et al. 2016, with the priority queue of
//! SentencePiece, so n symbols cost O(n log n)).

use std::{cmp::Reverse, collections::BinaryHeap};

/// Stands for no symbol and for no id.
pub(in crate::text) const NONE: u32 = u32::MAX;

/// A piece of the text on its way to a token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbol {
    /// Where it starts in the text, in bytes.
    pub start: u32,
    /// Its bytes; zero once it was merged into its left neighbour.
    pub len: u32,
    /// Its token, or [`NONE`].
    pub id: u32,
    previous: u32,
    next: u32,
}

/// What two neighbours would become.
#[derive(Debug, Clone, Copy)]
pub(super) struct Merge {
    /// Lower goes first.
    pub rank: u32,
    /// The token that they become.
    pub id: u32,
}

/// A possible merge, ordered by rank, then by place. It is stale once either side has changed, which the sum of
/// their lengths tells: symbols only grow or vanish.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    rank: u32,
    left: u32,
    right: u32,
    len: u32,
    id: u32,
}

/// Buffers that are kept from word to word.
#[derive(Default)]
pub(in crate::text) struct Merger {
    symbols: Vec<Symbol>,
    queue: BinaryHeap<Reverse<Candidate>>,
}

impl Merger {
    /// Begins a word.
    pub(super) fn clear(&mut self) {
        self.symbols.clear();
        self.queue.clear();
    }

    /// Adds the symbol of the next `len` bytes.
    pub(super) fn push(&mut self, len: u32, id: u32) {
        let at = self.symbols.len() as u32;
        let start = self.symbols.last().map_or(0, |last| last.start + last.len);
        if let Some(last) = self.symbols.last_mut() {
            last.next = at;
        }
        self.symbols.push(Symbol { start, len, id, previous: at.wrapping_sub(1), next: NONE });
    }

    /// Merges until nothing merges any more, and gives the symbols that are left, in order. `merge` says what two
    /// neighbours become.
    pub(super) fn run(
        &mut self,
        merge: impl Fn(&Symbol, &Symbol) -> Option<Merge>,
    ) -> impl Iterator<Item = Symbol> {
        for right in 1..self.symbols.len() as u32 {
            self.consider(right - 1, right, &merge);
        }
        while let Some(Reverse(best)) = self.queue.pop() {
            let (left, right) = (self.symbols[best.left as usize], self.symbols[best.right as usize]);
            if left.len == 0 || right.len == 0 || left.len + right.len != best.len {
                continue;
            }
            self.symbols[best.left as usize] =
                Symbol { len: best.len, id: best.id, next: right.next, ..left };
            self.symbols[best.right as usize].len = 0;
            if right.next != NONE {
                self.symbols[right.next as usize].previous = best.left;
                self.consider(best.left, right.next, &merge);
            }
            if left.previous != NONE {
                self.consider(left.previous, best.left, &merge);
            }
        }
        self.symbols.iter().copied().filter(|symbol| symbol.len > 0)
    }

    fn consider(&mut self, left: u32, right: u32, merge: impl Fn(&Symbol, &Symbol) -> Option<Merge>) {
        let (a, b) = (&self.symbols[left as usize], &self.symbols[right as usize]);
        if let Some(Merge { rank, id }) = merge(a, b) {
            self.queue.push(Reverse(Candidate { rank, left, right, len: a.len + b.len, id }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Merges over `a`=0, `b`=1, …; products are numbered as they stand in the list.
    fn run(word: &[u32], merges: &[(u32, u32, u32)]) -> Vec<u32> {
        let mut merger = Merger::default();
        word.iter().for_each(|id| merger.push(1, *id));
        let find = |left: &Symbol, right: &Symbol| {
            let at = merges.iter().position(|m| (m.0, m.1) == (left.id, right.id))?;
            Some(Merge { rank: at as u32, id: merges[at].2 })
        };
        merger.run(find).map(|symbol| symbol.id).collect()
    }

    #[test]
    fn the_lowest_rank_merges_first() {
        // "abc" with bc before ab: a·bc.
        assert_eq!(run(&[0, 1, 2], &[(1, 2, 12), (0, 1, 10)]), [0, 12]);
    }

    #[test]
    fn equal_pairs_merge_from_the_left() {
        // "aaa" with aa: aa·a.
        assert_eq!(run(&[0, 0, 0], &[(0, 0, 9)]), [9, 0]);
    }

    #[test]
    fn what_merged_merges_on() {
        assert_eq!(run(&[0, 1, 2, 0, 1, 2], &[(0, 1, 10), (10, 2, 11), (11, 11, 12)]), [12]);
    }

    #[test]
    fn no_symbol_is_no_token() {
        assert!(run(&[], &[(0, 0, 9)]).is_empty());
    }
}
