//! Runs a program over a text by backtracking. The stack of what is left to try is a vector, so neither a long text
//! nor a deep choice can exhaust the machine's own stack; only look-around and atomic groups recurse, and no deeper
//! than they nest in the expression.

use super::{
    parse::{Assertion, Mode},
    program::{Program, Step},
};
use crate::text::unicode::CharSet;

/// What else could be tried.
#[derive(Debug)]
enum Choice {
    /// This step from this place.
    Go { step: u32, at: usize },
    /// A repetition one character shorter, but not shorter than to `floor`.
    Shrink { step: u32, floor: usize, at: usize },
    /// A repetition one character longer, `left` times more.
    Grow { step: u32, set: u32, at: usize, left: u32 },
    /// A mark has its former value again.
    Mark { mark: u32, at: usize },
}

/// Matching took more steps than the text is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooSlow;

/// The state of matching one text.
pub(super) struct Matcher<'a> {
    program: &'a Program,
    text: &'a str,
    word: &'a CharSet,
    choices: Vec<Choice>,
    marks: Vec<usize>,
    fuel: u64,
}

impl<'a> Matcher<'a> {
    /// `word` holds the characters that `\b` takes for parts of words; `fuel` is how many steps may be taken.
    pub fn new(program: &'a Program, text: &'a str, word: &'a CharSet, fuel: u64) -> Self {
        let marks = vec![usize::MAX; program.n_marks as usize];
        Matcher { program, text, word, choices: Vec::new(), marks, fuel }
    }

    /// The leftmost match that begins at `from` or after it.
    pub fn find(&mut self, from: usize) -> Result<Option<(usize, usize)>, TooSlow> {
        let starts = self.text[from..].char_indices().map(|(at, c)| (from + at, Some(c)));
        let mut failed_before = false;
        for (at, c) in starts.chain([(self.text.len(), None)]) {
            let is_in = |set: &CharSet| c.is_some_and(|c| set.contains(c));
            if self.program.first.as_ref().is_some_and(|first| !is_in(first)) {
                failed_before = false;
                continue;
            }
            // What fails at the start of a run fails within it: all that could follow was tried.
            let in_run = self.program.begins_with_run().is_some_and(is_in);
            if in_run && failed_before {
                continue;
            }
            if let Some(end) = self.run(0, at)? {
                return Ok(Some((at, end)));
            }
            failed_before = in_run;
        }
        Ok(None)
    }

    /// The end of the match that the steps from `step` on make at `at`.
    fn run(&mut self, step: u32, at: usize) -> Result<Option<usize>, TooSlow> {
        let base = self.choices.len();
        self.choices.push(Choice::Go { step, at });
        let end = self.search(base);
        // What was not tried is not needed any more, but marks get their values back.
        while self.choices.len() > base {
            if let Some(Choice::Mark { mark, at }) = self.choices.pop() {
                self.marks[mark as usize] = at;
            }
        }
        end
    }

    fn search(&mut self, base: usize) -> Result<Option<usize>, TooSlow> {
        while self.choices.len() > base {
            // The loop's condition says that there is one.
            let Some(choice) = self.choices.pop() else { break };
            let (step, at) = match choice {
                Choice::Go { step, at } => (step, at),
                Choice::Mark { mark, at } => {
                    self.marks[mark as usize] = at;
                    continue;
                }
                Choice::Shrink { step, floor, at } => {
                    let at = at - self.text[..at].chars().next_back().map_or(0, char::len_utf8);
                    if at > floor {
                        self.choices.push(Choice::Shrink { step, floor, at });
                    }
                    (step, at)
                }
                Choice::Grow { step, set, at, left } => {
                    let Some(at) = self.one(set, at) else { continue };
                    if left > 1 {
                        self.choices.push(Choice::Grow { step, set, at, left: left - 1 });
                    }
                    (step, at)
                }
            };
            if let Some(end) = self.follow(step, at)? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    /// Takes steps until one fails or the match is complete.
    fn follow(&mut self, mut step: u32, mut at: usize) -> Result<Option<usize>, TooSlow> {
        loop {
            self.fuel = self.fuel.checked_sub(1).ok_or(TooSlow)?;
            let next = step + 1;
            step = match self.program.steps[step as usize] {
                Step::Match => return Ok(Some(at)),
                Step::Set(set) => {
                    let Some(end) = self.one(set, at) else { return Ok(None) };
                    at = end;
                    next
                }
                Step::Repeat { set, min, max, mode } => {
                    let Some(end) = self.repeat(set, min, max, mode, at, next)? else { return Ok(None) };
                    at = end;
                    next
                }
                Step::Split { first, second } => {
                    self.choices.push(Choice::Go { step: second, at });
                    first
                }
                Step::Jump(to) => to,
                Step::Mark(mark) => {
                    self.choices.push(Choice::Mark { mark, at: self.marks[mark as usize] });
                    self.marks[mark as usize] = at;
                    next
                }
                Step::Round { mark, again } if self.marks[mark as usize] != at => again,
                Step::Round { .. } => next,
                Step::Look { back, negate, end } => {
                    let found = match self.back(at, back) {
                        Some(start) => self.run(next, start)?.is_some(),
                        None => false,
                    };
                    if found == negate {
                        return Ok(None);
                    }
                    end
                }
                Step::Atomic { end } => {
                    let Some(after) = self.run(next, at)? else { return Ok(None) };
                    at = after;
                    end
                }
                Step::Assert(assertion) if self.holds(assertion, at) => next,
                Step::Assert(_) => return Ok(None),
            };
        }
    }

    /// The end of one character of a set at a place.
    fn one(&self, set: u32, at: usize) -> Option<usize> {
        let c = self.text[at..].chars().next()?;
        self.program.sets[set as usize].contains(c).then(|| at + c.len_utf8())
    }

    fn repeat(
        &mut self,
        set: u32,
        min: u32,
        max: u32,
        mode: Mode,
        at: usize,
        step: u32,
    ) -> Result<Option<usize>, TooSlow> {
        let set_of = &self.program.sets[set as usize];
        let most = if mode == Mode::Lazy { min } else { max };
        let (mut count, mut end, mut floor) = (0, at, at);
        for c in self.text[at..].chars().take(most as usize).take_while(|c| set_of.contains(*c)) {
            count += 1;
            end += c.len_utf8();
            if count == min {
                floor = end;
            }
        }
        self.fuel = self.fuel.checked_sub(u64::from(count)).ok_or(TooSlow)?;
        if count < min {
            return Ok(None);
        }
        match mode {
            Mode::Lazy if max > min => {
                self.choices.push(Choice::Grow { step, set, at: end, left: max - min })
            }
            Mode::Greedy if end > floor => self.choices.push(Choice::Shrink { step, floor, at: end }),
            _ => {}
        }
        Ok(Some(end))
    }

    /// The place `n` characters before another.
    fn back(&self, at: usize, n: u32) -> Option<usize> {
        let mut chars = self.text[..at].chars();
        (0..n).try_for_each(|_| chars.next_back().map(|_| ()))?;
        Some(chars.as_str().len())
    }

    fn holds(&self, assertion: Assertion, at: usize) -> bool {
        let (before, after) = (&self.text[..at], &self.text[at..]);
        let is_word = |c: Option<char>| c.is_some_and(|c| self.word.contains(c));
        let boundary = || is_word(before.chars().next_back()) != is_word(after.chars().next());
        match assertion {
            Assertion::Start => before.is_empty(),
            Assertion::End => after.is_empty(),
            Assertion::EndOrNewline => after.is_empty() || after == "\n",
            Assertion::LineStart => before.is_empty() || before.ends_with('\n'),
            Assertion::LineEnd => after.is_empty() || after.starts_with('\n'),
            Assertion::WordBoundary => boundary(),
            Assertion::NoWordBoundary => !boundary(),
        }
    }
}
