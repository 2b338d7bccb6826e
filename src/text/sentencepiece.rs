//! SentencePiece BPE (Llama 1 and 2, Mistral, Gemma, Phi-3): the text is one word, neighbours merge to the piece
//! with the highest score, and what no piece spells falls back to byte tokens (Kudo and Richardson 2018).
//!
//! It merges by score as the original does. Ranks made out of the scores, as converters write them, differ where
//! scores are equal, and take seconds to make for large vocabularies.

use super::{
    merge::{Merge, Merger, NONE, Symbol},
    vocab::{TokenKind, Vocab, byte_of},
};
use crate::{
    error::{Error, Result},
    format::metadata::Metadata,
};

const SCORES: &str = "tokenizer.ggml.scores";

/// What stands for a space in a piece.
pub(super) const SPACE: char = '▁';

/// The scores of a vocabulary and its byte tokens.
#[derive(Debug)]
pub(super) struct SentencePiece {
    /// By id, so that a higher score is a lower rank.
    ranks: Vec<u32>,
    /// The token of each byte, or [`NONE`].
    bytes: Vec<u32>,
    unknown: Option<u32>,
    /// Bytes of the longest token.
    longest: usize,
    /// A text begins with a space that is not in it.
    pub(super) adds_space: bool,
    /// Spaces at both ends go, runs of them become one.
    collapses_spaces: bool,
}

impl SentencePiece {
    /// # Errors
    /// [`Error::Format`] if scores are missing or too few.
    pub(super) fn read(metadata: &Metadata, vocab: &Vocab, unknown: Option<u32>) -> Result<Self> {
        let scores =
            metadata.opt_floats(SCORES)?.ok_or_else(|| metadata.error(SCORES, "the key is missing"))?;
        if scores.len() < vocab.len() {
            let problem = format!("{} scores for {} tokens", scores.len(), vocab.len());
            return Err(metadata.error(SCORES, problem));
        }
        let mut bytes = vec![NONE; 256];
        for (id, text, kind) in vocab.iter() {
            if let (TokenKind::Byte, Some(byte)) = (kind, byte_of(text)) {
                bytes[byte as usize] = id;
            }
        }
        Ok(SentencePiece {
            ranks: scores[..vocab.len()].iter().map(|score| rank(*score)).collect(),
            bytes,
            unknown,
            longest: vocab.iter().map(|(_, text, _)| text.len()).max().unwrap_or(0),
            adds_space: metadata.opt_bool("tokenizer.ggml.add_space_prefix")?.unwrap_or(true),
            collapses_spaces: metadata.opt_bool("tokenizer.ggml.remove_extra_whitespaces")?.unwrap_or(false),
        })
    }

    /// Appends the tokens of a text; `opens` tells that nothing, or a special token, stands before it.
    pub(super) fn encode(&self, vocab: &Vocab, text: &str, opens: bool, ids: &mut Vec<u32>) -> Result<()> {
        let text = self.normalize(text, opens);
        let mut merger = Merger::default();
        for (start, c) in text.char_indices() {
            let id = vocab.find_plain(&text[start..start + c.len_utf8()]).unwrap_or(NONE);
            merger.push(c.len_utf8() as u32, id);
        }
        let spelled = |symbol: &Symbol| &text[symbol.start as usize..(symbol.start + symbol.len) as usize];
        let merge = |left: &Symbol, right: &Symbol| {
            let len = (left.len + right.len) as usize;
            if len > self.longest {
                return None;
            }
            let id = vocab.find_plain(&text[left.start as usize..left.start as usize + len])?;
            Some(Merge { rank: self.ranks[id as usize], id })
        };
        for symbol in merger.run(merge) {
            if symbol.id != NONE {
                ids.push(symbol.id);
                continue;
            }
            for byte in spelled(&symbol).bytes() {
                let id = Some(self.bytes[byte as usize]).filter(|id| *id != NONE).or(self.unknown);
                ids.push(id.ok_or_else(|| {
                    let problem = format!(
                        "the vocabulary has no token for {:?}, nor for its bytes, nor an unknown token",
                        spelled(&symbol)
                    );
                    Error::Tokenizer { problem }
                })?);
            }
        }
        Ok(())
    }

    fn normalize(&self, text: &str, opens: bool) -> String {
        let mut normal = String::with_capacity(text.len() + 3 + 2 * text.matches(' ').count());
        if self.adds_space && opens {
            normal.push(SPACE);
        }
        let mut after_space = true;
        let text = if self.collapses_spaces { text.trim_matches(' ') } else { text };
        for c in text.chars() {
            if c != ' ' {
                normal.push(c);
            } else if !(self.collapses_spaces && after_space) {
                normal.push(SPACE);
            }
            after_space = c == ' ';
        }
        normal
    }
}

/// Maps floats to integers in the opposite order.
fn rank(score: f32) -> u32 {
    let bits = score.to_bits();
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    !ascending
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn a_higher_score_is_a_lower_rank() {
        let scores = [1e9, 2.0, 0.5, 0.0, -0.25, -31740.0, f32::NEG_INFINITY];
        assert!(scores.is_sorted_by(|a, b| rank(*a) < rank(*b)));
    }
}
