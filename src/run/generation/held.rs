//! A text under way that is held to a structure.

use web_time::Instant;

use crate::{
    error::{Error, Result},
    run::{Completion, Constraint, Engine},
    text::{StreamDecoder, Tokenizer},
};

/// The constraint and what it said last.
pub(super) struct Held {
    constraint: Box<dyn Constraint>,
    /// Tokens that end a text.
    ends: Vec<u32>,
    /// What may come next: see [`Constraint::allow`]; the ends are in it where the text may end.
    pub allowed: Vec<u32>,
    /// How far the text has come; none until that is asked.
    completion: Option<Completion>,
    /// Milliseconds that were spent on asking.
    pub ms: f64,
}

impl Held {
    pub fn new(constraint: Box<dyn Constraint>, engine: &Engine) -> Result<Held> {
        engine.tokenizer()?.check_concatenates()?;
        let n_vocab = engine.facts().config.n_vocab;
        let ends = engine.ends().into_iter().filter(|id| (*id as usize) < n_vocab).collect();
        Ok(Held { constraint, ends, allowed: vec![0; n_vocab.div_ceil(32)], completion: None, ms: 0.0 })
    }

    /// Finds out what may come next; `start` is the decoder of a text that has no tokens yet.
    pub fn look(&mut self, start: Option<&StreamDecoder>, tokenizer: &Tokenizer) -> Result<Completion> {
        if let Some(completion) = self.completion {
            return Ok(completion);
        }
        let before = Instant::now();
        self.allowed.fill(0);
        let completion = self.constraint.allow(&mut self.allowed)?;
        if let Some(start) = start {
            self.keep_what_reads_alike(start, tokenizer)?;
        }
        if completion == Completion::MayEnd {
            self.ends.iter().for_each(|id| self.allowed[*id as usize / 32] |= 1 << (id % 32));
        }
        self.ms += before.elapsed().as_secs_f64() * 1e3;
        Ok(*self.completion.insert(completion))
    }

    /// Takes the token that came.
    pub fn accept(&mut self, id: u32) -> Result<()> {
        let before = Instant::now();
        self.constraint.accept(id)?;
        self.ms += before.elapsed().as_secs_f64() * 1e3;
        self.completion = None;
        Ok(())
    }

    /// Some tokenizers take the space off a text's first token: what would read otherwise than its bytes does not come first.
    fn keep_what_reads_alike(&mut self, start: &StreamDecoder, tokenizer: &Tokenizer) -> Result<()> {
        for (at, word) in self.allowed.iter_mut().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                let id = at as u32 * 32 + bit;
                let mut decoder = start.clone();
                let text = decoder.push(tokenizer, id)? + &decoder.finish();
                if text != String::from_utf8_lossy(&tokenizer.token_bytes(id)?) {
                    *word &= !(1 << bit);
                }
            }
        }
        Ok(())
    }
}

/// The error of a text that cannot go on.
pub(super) fn no_token() -> Error {
    let problem = "no token may come next: what else was asked for (logit_bias, min_new_tokens, no_repeat_ngram_size, \
                   what the model's files suppress) leaves none of those that the structure allows";
    Error::input("constraint", problem)
}
