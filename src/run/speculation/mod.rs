//! Speculative decoding (Leviathan et al., "Fast Inference from Transformers via Speculative Decoding", 2023): something cheap
//! guesses the next tokens, and one run of the model checks them all. Here a guess is right if it is the very token that
//! the model draws at its place, by the random number that it has there anyway; so the text is that of a generation
//! without guesses, whoever makes them. Sums of floats are rounded otherwise for many rows than for one, which may decide between
//! two tokens that are as likely; those of integers are not.

#![expect(
    clippy::await_holding_refcell_ref,
    reason = "the RefCell is the smaller model's lock: a call that comes meanwhile gets an error from try_borrow_mut"
)]

mod lookup;
mod model;
mod purse;

use std::{cell::RefCell, rc::Rc};

use super::Engine;
use crate::{
    backend::{Kind, Precision},
    error::{Error, Result},
    plan::Run,
};
use purse::Purse;

/// The most tokens of a draft.
pub const MAX_DRAFT: usize = 15;
/// The first draft, and any after one that went wrong.
const SHORT_DRAFT: usize = 3;

/// Whether the next tokens are guessed from the text itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Speculation {
    /// Where it pays and changes no bit: on the CPU, which reads its weights once for all tokens of a draft, if it multiplies all
    /// matrices as integers.
    #[default]
    Auto,
    /// Never.
    Off,
    /// By prompt lookup: see [`lookup`].
    Prompt,
}

impl Speculation {
    /// By the name that options have for it.
    ///
    /// # Errors
    /// [`Error::Input`] for any name but `auto`, `off` and `prompt`.
    pub fn named(name: &str) -> Result<Speculation> {
        match name {
            "auto" => Ok(Speculation::Auto),
            "off" => Ok(Speculation::Off),
            "prompt" => Ok(Speculation::Prompt),
            other => Err(Error::input("speculation", format!("`{other}` is not auto, off or prompt"))),
        }
    }

    /// Whether it is wanted for texts in this precision.
    pub(super) fn pays(self, engine: &Engine, precision: Precision) -> bool {
        match self {
            Speculation::Auto => {
                engine.facts().backend == Kind::Cpu
                    && precision == Precision::Fast
                    && engine.plans.is_of_integers()
            }
            Speculation::Off => false,
            Speculation::Prompt => true,
        }
    }
}

/// Who guesses.
pub(super) enum Drafter {
    /// The text itself.
    Lookup,
    /// A smaller model.
    Model(Rc<RefCell<Engine>>),
}

impl Drafter {
    /// A smaller model that makes drafts for `engine`.
    ///
    /// # Errors
    /// [`Error::Input`] if it cannot: see [`model::check`].
    pub fn of_model(smaller: Rc<RefCell<Engine>>, engine: &Engine) -> Result<Drafter> {
        model::check(&*model::lock(&smaller)?, engine)?;
        Ok(Drafter::Model(smaller))
    }
}

/// The guessing of one generation.
pub(super) struct Speculator {
    drafter: Drafter,
    purse: Purse,
    /// All tokens that are known: what an encoder reads, the prompt, the answer.
    text: Vec<u32>,
    /// How long the next draft may be.
    length: usize,
    /// How much of the text a model that guesses has read.
    n_read: usize,
    /// Whether it has nothing more to say: its context is full, or the text is not of its vocabulary.
    is_spent: bool,
}

impl Speculator {
    /// For a text that goes on from `prompt`; `source` is what an encoder reads.
    pub fn new(
        drafter: Drafter,
        engine: &Engine,
        prompt: &[u32],
        source: Option<&[u32]>,
    ) -> Result<Speculator> {
        let share = match &drafter {
            Drafter::Lookup => 0.0,
            Drafter::Model(other) => model::share(&*model::lock(other)?, engine),
        };
        Ok(Speculator {
            drafter,
            purse: Purse::new(engine.facts().backend, share),
            text: [source.unwrap_or_default(), prompt].concat(),
            length: SHORT_DRAFT,
            n_read: 0,
            is_spent: false,
        })
    }

    /// A token of the answer is known.
    pub fn push(&mut self, id: u32) {
        self.text.push(id);
    }

    /// The last token that is known.
    pub fn last(&self) -> Option<u32> {
        self.text.last().copied()
    }

    /// Whether a model that guesses has less than the first `end` tokens of the text.
    pub fn is_behind(&self, end: usize) -> bool {
        matches!(self.drafter, Drafter::Model(_)) && self.n_read < end
    }

    /// Lets a model that guesses read a chunk of the first `end` tokens.
    pub async fn read(&mut self, end: usize) -> Result<()> {
        if let Drafter::Model(other) = &self.drafter
            && model::lock(other)?.read_draft(&self.text[..end]).await?
        {
            self.n_read = end;
        }
        Ok(())
    }

    /// Whether to wait for `n` tokens that are on their way, to make a draft then.
    pub fn would_draft(&self, n: usize) -> bool {
        match self.drafter {
            _ if !self.purse.allows(SHORT_DRAFT) => false,
            Drafter::Lookup => lookup::go_on(&self.text, n + 1).len() > n,
            Drafter::Model(_) => !self.is_spent,
        }
    }

    /// The next tokens, at most `most`; none where there is nothing to guess from, or it went wrong too often. `run` is that of
    /// the token after the last one.
    pub async fn draft(&mut self, most: usize, run: &Run) -> Result<Vec<u32>> {
        let mut n = self.length.min(most);
        while n > 0 && !self.purse.allows(n) {
            n /= 2;
        }
        if n == 0 {
            return Ok(Vec::new());
        }
        match &self.drafter {
            Drafter::Lookup => Ok(lookup::go_on(&self.text, n)),
            Drafter::Model(other) => {
                let draft = model::lock(other)?.draft(&self.text, n, run).await?;
                self.is_spent = draft.is_empty();
                Ok(draft)
            }
        }
    }

    /// A token was drawn without a draft.
    pub fn drew(&mut self) {
        self.purse.earn();
    }

    /// Of a draft of `n` tokens the first `accepted` were right.
    pub fn learn(&mut self, n: usize, accepted: usize) {
        self.purse.spend(n, accepted);
        // A draft and the token before it fill whole tiles of rows: 4, 8, 16.
        self.length = match accepted == n {
            true => (2 * self.length + 1).min(MAX_DRAFT),
            false => SHORT_DRAFT,
        };
    }
}
