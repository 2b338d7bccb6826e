//! The models that cut a piece of text into tokens.

mod bpe;
mod merge;
mod prefixes;
mod sentencepiece;
mod unigram;
mod wordpiece;

pub(super) use self::{
    bpe::{Bpe, ByteTokens, MergeList, Spelling, WholeWords, sides},
    merge::NONE,
    prefixes::Prefixes,
    sentencepiece::SentencePiece,
    unigram::Unigram,
    wordpiece::WordPiece,
};
use super::vocab::Vocab;
use crate::error::{Error, Result};

/// One of the models.
#[derive(Debug)]
pub(super) enum Model {
    Bpe(Bpe),
    SentencePiece(SentencePiece),
    Unigram(Unigram),
    WordPiece(WordPiece),
    /// A piece is a token or unknown.
    WordLevel {
        unknown: Option<u32>,
    },
}

/// A token of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub id: u32,
    /// Where it stands in the piece, in bytes.
    pub start: usize,
    pub end: usize,
}

/// How a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    /// Text may become any token, special ones too. Where it is not set, no spelling leads to a special token.
    pub specials: bool,
}

impl Model {
    /// Appends the tokens of a piece.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the vocabulary cannot spell it and has no unknown token.
    pub fn tokenize(
        &self,
        vocab: &Vocab,
        piece: &str,
        reading: Reading,
        merger: &mut merge::Merger,
        found: &mut Vec<Found>,
    ) -> Result<()> {
        match self {
            Model::Bpe(model) => model.tokenize(vocab, piece, reading, merger, found),
            Model::SentencePiece(model) => model.tokenize(vocab, piece, merger, found),
            Model::Unigram(model) => model.tokenize(vocab, piece, reading, found),
            Model::WordPiece(model) => model.tokenize(vocab, piece, found),
            Model::WordLevel { unknown } => {
                let id = vocab.find_for(piece, reading).or(*unknown).ok_or_else(|| cannot_spell(piece))?;
                found.push(Found { id, start: 0, end: piece.len() });
                Ok(())
            }
        }
    }

    /// What [`Model::tokenize`] works in.
    pub fn scratch() -> merge::Merger {
        merge::Merger::default()
    }
}

/// The error for text that has no token.
fn cannot_spell(text: &str) -> Error {
    let shown: String = text.chars().take(40).collect();
    Error::Tokenizer { problem: format!("the vocabulary has no token for {shown:?}, and no unknown token") }
}
