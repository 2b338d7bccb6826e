//! The constraints of `intab-grammar`, where that is compiled in. A page has it as a module of its own instead.

pub use intab_grammar::Structure;

use super::{Completion, Constraint, Engine};
use crate::error::{Error, Result};

/// The structures of one vocabulary.
pub struct Grammars(intab_grammar::Grammars);

impl Engine {
    /// What makes constraints for this model; making it takes up to a second, so it is worth keeping.
    ///
    /// # Errors
    /// As [`Engine::token_bytes`].
    pub fn grammars(&self) -> Result<Grammars> {
        intab_grammar::Grammars::new(self.token_bytes()?.iter()).map(Grammars).map_err(typed)
    }
}

impl Grammars {
    /// For one text.
    ///
    /// # Errors
    /// [`Error::Input`] for a structure that is malformed or that no text fits, [`Error::Unsupported`] for one that texts cannot
    /// be held to.
    pub fn constraint(&self, structure: &Structure) -> Result<Box<dyn Constraint>> {
        self.0.constraint(structure).map(|held| Box::new(held) as Box<dyn Constraint>).map_err(typed)
    }
}

impl Constraint for intab_grammar::Constraint {
    fn allow(&mut self, allowed: &mut [u32]) -> Result<Completion> {
        Ok(match intab_grammar::Constraint::allow(self, allowed).map_err(typed)? {
            intab_grammar::Completion::Open => Completion::Open,
            intab_grammar::Completion::MayEnd => Completion::MayEnd,
            intab_grammar::Completion::Over => Completion::Over,
        })
    }

    fn accept(&mut self, id: u32) -> Result<()> {
        intab_grammar::Constraint::accept(self, id).map_err(typed)
    }
}

fn typed(error: intab_grammar::Error) -> Error {
    match error {
        intab_grammar::Error::Input { what, problem } => Error::Input { what, problem },
        intab_grammar::Error::Unsupported { what, found, hint } => Error::Unsupported { what, found, hint },
    }
}
