//! How much time drafts may cost: what right guesses save, they may spend, and a little more.

use crate::backend::Kind;

/// Time is counted in tokens drawn one by one. With this much a generation begins.
const START: f64 = 2.0;
/// What drafts never get more of, so that a text which stops repeating itself is soon left alone.
const MOST: f64 = 6.0;
/// What a token drawn without a draft adds: the most that a long text can lose.
const EARNED: f64 = 0.02;

/// What is left for drafts.
pub struct Purse {
    kind: Kind,
    /// What a token of a draft costs to make.
    share: f64,
    left: f64,
}

impl Purse {
    /// On a device, for drafts whose every token takes `share` of a token's time to make.
    pub fn new(kind: Kind, share: f64) -> Purse {
        Purse { kind, share, left: START }
    }

    /// Whether a draft of `n` tokens can be paid for even if all of them are wrong: it draws one token all the same.
    pub fn allows(&self, n: usize) -> bool {
        self.cost(n) - 1.0 <= self.left
    }

    /// A token was drawn without a draft.
    pub fn earn(&mut self) {
        self.left = (self.left + EARNED).min(MOST);
    }

    /// A draft of `n` tokens was checked, of which the first `accepted` were right.
    pub fn spend(&mut self, n: usize, accepted: usize) {
        self.left = (self.left + 1.0 + accepted as f64 - self.cost(n)).min(MOST);
    }

    fn cost(&self, n: usize) -> f64 {
        checking(self.kind, 1 + n) + self.share * n as f64
    }
}

/// What a run of so many rows costs, of the time of one row: on a CPU from what was measured with Q8_0 (1.5, 2.0 and 3.1 for 4,
/// 8 and 16 rows) and Q4_0 (1.8, 2.8 and 4.8); on a GPU one row leaves most of the device idle.
fn checking(kind: Kind, rows: usize) -> f64 {
    match kind {
        // Few rows are computed one by one; more of them in tiles of four, with weights unpacked once.
        Kind::Cpu if rows < 3 => rows as f64,
        Kind::Cpu => 1.0 + 0.75 * rows.div_ceil(4) as f64,
        Kind::Gpu => 1.3 + 0.05 * rows as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws `n` tokens with drafts of three whenever they are allowed, of which `accepted` are right; gives the time.
    fn time(n: usize, accepted: usize) -> f64 {
        let mut purse = Purse::new(Kind::Cpu, 0.0);
        let (mut drawn, mut time) = (0, 0.0);
        while drawn < n {
            if purse.allows(3) {
                time += purse.cost(3);
                drawn += 1 + accepted;
                purse.spend(3, accepted);
            } else {
                time += 1.0;
                drawn += 1;
                purse.earn();
            }
        }
        time
    }

    #[test]
    fn wrong_guesses_cost_no_more_than_a_few_of_a_hundred_tokens() {
        for n in [100, 1000] {
            assert!(time(n, 0) <= n as f64 * (1.0 + EARNED) + START, "{}", time(n, 0));
        }
    }

    #[test]
    fn right_guesses_go_on_for_ever() {
        assert!(time(1000, 3) < 500.0, "{}", time(1000, 3));
    }

    #[test]
    fn a_text_that_stops_repeating_itself_is_soon_left_alone() {
        let mut purse = Purse::new(Kind::Cpu, 0.0);
        (0..100).for_each(|_| purse.spend(15, 15));
        let wrong = (0..)
            .take_while(|_| {
                purse.allows(3) && {
                    purse.spend(3, 0);
                    true
                }
            })
            .count();
        assert!(wrong < 25, "{wrong}");
    }
}
