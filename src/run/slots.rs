//! Which slots of the cache each beam's keys and values are in. Beams that share a beginning share its slots, so that
//! following another beam moves no data.

use crate::error::{Error, Result};

/// The slots of a cache that some beams use.
#[derive(Debug, Clone)]
pub struct Slots {
    n_slots: usize,
    /// A row for each beam: the slots of its tokens, oldest first.
    table: Vec<Vec<u32>>,
}

impl Slots {
    /// `n_slots` slots, of which `0..prompt_len` hold the prompt. There is one beam: the prompt.
    ///
    /// # Errors
    /// [`Error::ContextFull`] if the prompt does not fit.
    pub fn new(n_slots: usize, prompt_len: usize) -> Result<Self> {
        if prompt_len > n_slots {
            return Err(Error::ContextFull { n_prompt: prompt_len, n_ctx: n_slots });
        }
        Ok(Slots { n_slots, table: vec![(0..prompt_len as u32).collect()] })
    }

    /// Slots that are enough for `num_beams` beams of `n_new` tokens each, whatever they share.
    pub fn needed(prompt_len: usize, num_beams: usize, n_new: usize) -> usize {
        prompt_len.saturating_add(num_beams.saturating_mul(n_new))
    }

    /// Goes on with beams that each follow one of the present ones, by its index, and have one more token. Returns the slot of
    /// each new token, a free one or one that only abandoned beams were using.
    ///
    /// # Errors
    /// [`Error::Input`] for a parent that is not there and where no slot is free; the beams are as before then.
    pub fn advance(&mut self, parents: &[usize]) -> Result<Vec<u32>> {
        let mut used = vec![false; self.n_slots];
        for &parent in parents {
            let Some(row) = self.table.get(parent) else {
                let problem = format!("no beam {parent}: there are {}", self.table.len());
                return Err(Error::input("beams", problem));
            };
            row.iter().for_each(|&slot| used[slot as usize] = true);
        }
        let free = used.iter().enumerate().filter(|(_, used)| !**used).map(|(slot, _)| slot as u32);
        let new: Vec<u32> = free.take(parents.len()).collect();
        if new.len() < parents.len() {
            let (n, n_slots) = (parents.len(), self.n_slots);
            let problem = format!("the {n_slots} slots of the cache have no room for {n} more tokens");
            return Err(Error::input("beams", problem));
        }
        let follow = |(&parent, &slot): (&usize, &u32)| [self.table[parent].as_slice(), &[slot]].concat();
        self.table = parents.iter().zip(&new).map(follow).collect();
        Ok(new)
    }

    /// The slots of a beam's tokens, oldest first and its newest token's last.
    ///
    /// # Panics
    /// If there is no such beam.
    pub fn table_row(&self, beam: usize) -> &[u32] {
        &self.table[beam]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beams_share_the_prompt_and_have_slots_of_their_own() {
        let mut slots = Slots::new(8, 2).unwrap();
        assert_eq!(slots.table_row(0), [0, 1]);
        assert_eq!(slots.advance(&[0, 0, 0]), Ok(vec![2, 3, 4]));
        assert_eq!(slots.table_row(2), [0, 1, 4]);
    }

    #[test]
    fn slots_of_abandoned_beams_are_used_again() {
        let mut slots = Slots::new(6, 2).unwrap();
        slots.advance(&[0, 0]).unwrap();
        // Both follow beam 1: slot 2 is nobody's.
        assert_eq!(slots.advance(&[1, 1]), Ok(vec![2, 4]));
        assert_eq!((slots.table_row(0), slots.table_row(1)), (&[0, 1, 3, 2][..], &[0, 1, 3, 4][..]));
    }

    #[test]
    fn a_full_cache_is_an_error_that_changes_nothing() {
        let mut slots = Slots::new(4, 2).unwrap();
        slots.advance(&[0, 0]).unwrap();
        let error = slots.advance(&[0, 1]).unwrap_err();
        assert_eq!(error.to_string(), "beams: the 4 slots of the cache have no room for 2 more tokens");
        assert_eq!(slots.table_row(1), [0, 1, 3]);
        assert!(slots.advance(&[7]).unwrap_err().to_string().contains("no beam 7"));
        // One beam less frees its slot.
        assert_eq!(slots.advance(&[1]), Ok(vec![2]));
    }

    #[test]
    fn what_is_said_to_be_needed_is_enough_for_beams_that_share_nothing() {
        let (prompt_len, num_beams, n_new) = (3, 4, 5);
        let mut slots = Slots::new(Slots::needed(prompt_len, num_beams, n_new), prompt_len).unwrap();
        slots.advance(&[0; 4]).unwrap();
        for _ in 1..n_new {
            slots.advance(&[0, 1, 2, 3]).unwrap();
        }
        assert!(slots.advance(&[0, 1, 2, 3]).is_err());
    }

    #[test]
    fn a_prompt_that_does_not_fit_is_refused() {
        assert!(matches!(Slots::new(4, 5), Err(Error::ContextFull { n_prompt: 5, n_ctx: 4 })));
    }
}
