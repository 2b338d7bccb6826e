//! What holds a text to a structure: a constraint says token by token what may come next. It is made elsewhere, from the bytes
//! that each token stands for.

use super::Engine;
use crate::error::Result;

/// How far a text has come that is held to a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// Something must follow.
    Open,
    /// It is whole; it may end or go on.
    MayEnd,
    /// It is whole, and nothing can follow.
    Over,
}

/// A structure that a text under way is held to.
pub trait Constraint {
    /// Sets the bits of the tokens that may come next, bit `i % 32` of word `i / 32` for token `i`; all are zero before. Tokens
    /// that end a text are not its concern.
    ///
    /// # Errors
    /// [`crate::Error::Input`] or [`crate::Error::Unsupported`] where it cannot be told, as for a structure that became too large.
    fn allow(&mut self, allowed: &mut [u32]) -> Result<Completion>;

    /// Takes the token that came, one of those allowed.
    ///
    /// # Errors
    /// As [`Constraint::allow`].
    fn accept(&mut self, id: u32) -> Result<()>;
}

/// What each token stands for: from this constraints are made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenBytes {
    /// Those of all tokens, one behind the other; a token that is no part of a text has none.
    pub bytes: Vec<u8>,
    /// Where the bytes of each token end: one for each of the model's scores.
    pub ends: Vec<u32>,
}

impl TokenBytes {
    /// The bytes of each token, by id.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start as usize..*end as usize])
    }
}

impl Engine {
    /// The bytes of each token that text is made of.
    ///
    /// # Errors
    /// [`crate::Error::Tokenizer`] where the model's files have none; [`crate::Error::Unsupported`] where a text is not the bytes
    /// of its tokens one after another.
    pub fn token_bytes(&self) -> Result<TokenBytes> {
        let tokenizer = self.tokenizer()?;
        tokenizer.check_concatenates()?;
        let mut all = TokenBytes::default();
        for id in 0..self.facts().config.n_vocab as u32 {
            // Embedding tables are often padded.
            let is_text =
                (id as usize) < tokenizer.vocab_size() && !tokenizer.is_special(id) && !self.is_end(id);
            if is_text {
                all.bytes.extend_from_slice(&tokenizer.token_bytes(id)?);
            }
            all.ends.push(all.bytes.len() as u32);
        }
        Ok(all)
    }
}
