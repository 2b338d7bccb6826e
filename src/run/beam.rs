//! Beam search: several texts grow side by side and the most probable are kept. The rules of what is kept, when a text is
//! finished and when the search ends are those of Hugging Face transformers 5, so that its answers are ours.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::process::{Processors, log_softmax};
use crate::{
    error::{Error, Result},
    model::EarlyStopping,
};

/// The most beams of one search: each is a row of every run and needs keys and values of its own.
pub const MAX_BEAMS: usize = 16;

/// A score that no text has. Beams that a processor sent below it (by minus infinity, or by a bias of this size as some
/// callers do) have no way on and are dropped.
const DEAD: f32 = -1e9;

/// What a caller may ask of beam search; names are transformers'.
#[derive(Debug, Clone, PartialEq)]
pub struct BeamOptions {
    /// Texts that grow side by side, at most [`MAX_BEAMS`].
    pub num_beams: usize,
    /// Texts to return, at most as many as beams.
    pub num_return_sequences: usize,
    /// A finished text's score is its log-probability divided by its new tokens to this power, in [-10, 10]: above 0
    /// favours long texts.
    pub length_penalty: f32,
    /// When the search ends before `max_length`.
    pub early_stopping: EarlyStopping,
    /// The most tokens of a text, its prompt included.
    pub max_length: usize,
    /// Tokens that end a text; none may be.
    pub eos: Vec<u32>,
    /// Drawing tokens for beams is refused.
    pub do_sample: bool,
    /// More than one group (diverse beam search) is refused.
    pub num_beam_groups: usize,
}

impl BeamOptions {
    /// Options of a plain search with the defaults of transformers.
    pub fn new(num_beams: usize, max_length: usize, eos: Vec<u32>) -> Self {
        BeamOptions {
            num_beams,
            num_return_sequences: 1,
            length_penalty: 1.0,
            early_stopping: EarlyStopping::No,
            max_length,
            eos,
            do_sample: false,
            num_beam_groups: 1,
        }
    }

    /// # Errors
    /// [`Error::Input`] naming the first parameter that is out of its range, [`Error::Unsupported`] for kinds of beam
    /// search other than the plain one.
    pub fn check(&self) -> Result<()> {
        if self.do_sample {
            let hint = "beams take the most probable tokens: leave do_sample out, or ask for one beam";
            return Err(Error::unsupported("generation", "beam sampling", hint));
        }
        if self.num_beam_groups > 1 {
            let hint = "ask for one group; num_return_sequences gives several texts";
            return Err(Error::unsupported("generation", "group beam search", hint));
        }
        let beams = self.num_beams;
        if !(1..=MAX_BEAMS).contains(&beams) {
            return Err(Error::input("num_beams", format!("{beams} is not between 1 and {MAX_BEAMS}")));
        }
        let n = self.num_return_sequences;
        if !(1..=beams).contains(&n) {
            let problem = format!("{n} is not between 1 and the {beams} beams");
            return Err(Error::input("num_return_sequences", problem));
        }
        if !(-10.0..=10.0).contains(&self.length_penalty) {
            let problem = format!("{} is not between -10 and 10", self.length_penalty);
            return Err(Error::input("length_penalty", problem));
        }
        Ok(())
    }
}

/// A text that the search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// The new tokens, with the end token if there is one.
    pub ids: Vec<u32>,
    /// Its log-probability divided by the length to the power of the length penalty.
    pub score: f32,
    /// Whether it ends in an end token; else it was cut at `max_length`.
    pub finished_by_eos: bool,
}

/// What the caller does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Run one row for each of the beams, which are 1 to `num_beams`: beam `i` is the previous step's beam `parents[i]`
    /// followed by `tokens[i]`. Then call [`BeamSearch::step`] with their logits, in this order.
    Continue { parents: Vec<usize>, tokens: Vec<u32> },
    /// The texts found, best first: `num_return_sequences`, or fewer where processors left no other way.
    Done(Vec<Hypothesis>),
}

/// A search under way.
#[derive(Debug, Clone)]
pub struct BeamSearch {
    options: BeamOptions,
    processors: Processors,
    source: Vec<u32>,
    prompt_len: usize,
    /// Best first; the prompt alone before the first step, where all beams are alike.
    running: Vec<Beam>,
    /// Best first, at most `num_beams`.
    finished: Vec<Hypothesis>,
    /// The row of log-probabilities at hand, `[n_vocab]`.
    row: Vec<f32>,
}

#[derive(Debug, Clone)]
struct Beam {
    ids: Vec<u32>,  // prompt and new tokens
    log_probs: f32, // their sum over the new tokens
}

/// A beam and one more token. The greatest is the best; of equals, the one that comes first in the rows.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    log_probs: f32,
    parent: usize,
    token: u32,
}

impl BeamSearch {
    /// A search for what follows `prompt`, a decoder's text so far. `source` is what an encoder read, for a decoder alone the
    /// prompt again.
    ///
    /// # Errors
    /// As [`BeamOptions::check`]; [`Error::Input`] for an empty prompt and for one that leaves no room below `max_length`.
    pub fn new(options: BeamOptions, processors: Processors, prompt: &[u32], source: &[u32]) -> Result<Self> {
        options.check()?;
        if prompt.is_empty() {
            return Err(Error::input("prompt", "beam search needs at least one token to go on from"));
        }
        if prompt.len() >= options.max_length {
            let (n, max) = (prompt.len(), options.max_length);
            let problem = format!("{max} tokens leave no room after a prompt of {n}");
            return Err(Error::input("max_length", problem));
        }
        Ok(BeamSearch {
            prompt_len: prompt.len(),
            running: vec![Beam { ids: prompt.to_vec(), log_probs: 0.0 }],
            finished: Vec::with_capacity(options.num_beams + 1),
            row: Vec::with_capacity(processors.n_vocab()),
            source: source.to_vec(),
            options,
            processors,
        })
    }

    /// Beams that run now: rows of the logits that the next step takes. 1 before the first step, 0 when it is done.
    pub fn n_running(&self) -> usize {
        self.running.len()
    }

    /// Takes the model's `logits` of the running beams, `[n_running, n_vocab]`.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for logits that hold NaN or infinity (minus infinity is a token that never comes) and for
    /// scores beyond all numbers after the processors; [`Error::Input`] for another number of logits, and where the
    /// processors leave no token to begin with. The search is as before then.
    pub fn step(&mut self, logits: &[f32]) -> Result<Step> {
        let candidates = self.candidates(logits)?;
        if candidates.is_empty() && self.finished.is_empty() {
            let problem = "what is suppressed, forced and forbidden leaves no token to choose";
            return Err(Error::input("beam search", problem));
        }
        let length = self.running[0].ids.len() + 1;
        let last = length >= self.options.max_length;

        let mut running = Vec::with_capacity(self.options.num_beams);
        let (mut parents, mut tokens) = (Vec::new(), Vec::new());
        for (rank, &Candidate { log_probs, parent, token }) in candidates.iter().enumerate() {
            let finished_by_eos = self.options.eos.contains(&token);
            if finished_by_eos || last {
                // A text that ends with a score below that of others that go on is not worth keeping.
                if rank < self.options.num_beams {
                    let mut ids = self.running[parent].ids[self.prompt_len..].to_vec();
                    ids.push(token);
                    let score = self.score(log_probs, length - self.prompt_len);
                    self.finish(Hypothesis { ids, score, finished_by_eos });
                }
            } else if running.len() < self.options.num_beams {
                let mut ids = self.running[parent].ids.clone();
                ids.push(token);
                running.push(Beam { ids, log_probs });
                parents.push(parent);
                tokens.push(token);
            }
        }
        self.running = running;

        if self.is_done(length - self.prompt_len) {
            self.running.clear();
            let mut found = std::mem::take(&mut self.finished);
            found.truncate(self.options.num_return_sequences);
            return Ok(Step::Done(found));
        }
        Ok(Step::Continue { parents, tokens })
    }

    /// The best ways to go on, best first. There are enough that `num_beams` are left if all end tokens of all beams are
    /// among them.
    fn candidates(&mut self, logits: &[f32]) -> Result<Vec<Candidate>> {
        let n_vocab = self.processors.n_vocab();
        let expected = self.running.len() * n_vocab;
        if self.running.is_empty() || logits.len() != expected {
            let (n, found) = (self.running.len(), logits.len());
            let problem = format!("{n} running beams have {expected} logits, not {found}");
            return Err(Error::input("beam search", problem));
        }
        let keep = (1 + self.options.eos.len()).max(2) * self.options.num_beams;
        let mut best = BinaryHeap::with_capacity(keep.min(expected) + 1); // the worst of the best on top
        let mut least = DEAD;
        for (parent, (beam, logits)) in self.running.iter().zip(logits.chunks_exact(n_vocab)).enumerate() {
            self.row.clear();
            self.row.extend_from_slice(logits);
            if !log_softmax(&mut self.row) {
                return Err(Error::NotFinite { place: "the logits".into() });
            }
            self.processors.apply(&beam.ids, self.prompt_len, &self.source, &mut self.row);
            for (token, score) in self.row.iter().enumerate() {
                let log_probs = beam.log_probs + score;
                if log_probs.is_nan() || log_probs == f32::INFINITY {
                    return Err(Error::NotFinite { place: "a beam's score after the processors".into() });
                }
                if log_probs > least {
                    best.push(Reverse(Candidate { log_probs, parent, token: token as u32 }));
                    if best.len() > keep {
                        best.pop();
                    }
                    if best.len() == keep {
                        least = best.peek().map_or(least, |Reverse(worst)| worst.log_probs);
                    }
                }
            }
        }
        Ok(best.into_sorted_vec().into_iter().map(|Reverse(candidate)| candidate).collect())
    }

    /// Keeps a finished text if it is among the best `num_beams`.
    fn finish(&mut self, hypothesis: Hypothesis) {
        let at = self.finished.partition_point(|other| other.score >= hypothesis.score);
        self.finished.insert(at, hypothesis);
        self.finished.truncate(self.options.num_beams);
    }

    /// Whether the search ends, with `n_new` tokens after the prompt in each running beam.
    fn is_done(&self, n_new: usize) -> bool {
        let Some(best) = self.running.first() else { return true };
        let Some(worst) = self.finished.get(self.options.num_beams - 1) else { return false };
        let longest = self.options.max_length - self.prompt_len;
        let length = match self.options.early_stopping {
            EarlyStopping::Yes => return true,
            // Where length is favoured, the best that this beam may come to is at its longest, without any loss on the way.
            EarlyStopping::Never if self.options.length_penalty > 0.0 => longest,
            EarlyStopping::Never | EarlyStopping::No => n_new,
        };
        self.score(best.log_probs, length) <= worst.score
    }

    /// The score of a text of `n_new` tokens: Wu et al., "Google's Neural Machine Translation System" (2016), section 7, with
    /// the plain power of the length.
    fn score(&self, log_probs: f32, n_new: usize) -> f32 {
        let penalty = (n_new as f64).powf(f64::from(self.options.length_penalty)) as f32;
        // Within the range of numbers, so that no score is NaN.
        log_probs / penalty.clamp(f32::MIN_POSITIVE, f32::MAX)
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let place = |c: &Candidate| Reverse((c.parent, c.token));
        self.log_probs.total_cmp(&other.log_probs).then_with(|| place(self).cmp(&place(other)))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate {}
