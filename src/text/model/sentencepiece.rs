//! SentencePiece BPE (Llama 1 and 2, Mistral, Gemma, Phi-3): the text is one word, neighbours merge to the piece
//! with the highest score, and what no piece spells falls back to byte tokens (Kudo and Richardson 2018).
//!
//! It merges by score as the original does. Ranks made out of the scores, as converters write them, differ where
//! scores are equal, and take seconds to make for large vocabularies.

use super::{
    Found,
    bpe::ByteTokens,
    cannot_spell,
    merge::{Merge, Merger, NONE, Symbol},
};
use crate::{error::Result, text::vocab::Vocab};

/// The scores of a vocabulary and its byte tokens.
#[derive(Debug)]
pub(in crate::text) struct SentencePiece {
    /// By id, so that a higher score is a lower rank.
    ranks: Vec<u32>,
    bytes: ByteTokens,
    unknown: Option<u32>,
    /// Bytes of the longest token.
    longest: usize,
}

impl SentencePiece {
    /// `scores` has one for every token.
    pub fn new(vocab: &Vocab, scores: &[f32], bytes: ByteTokens, unknown: Option<u32>) -> Self {
        let ranks = scores.iter().map(|score| rank(*score)).collect();
        let longest = vocab.iter().map(|(_, text, _)| text.len()).max().unwrap_or(0);
        SentencePiece { ranks, bytes, unknown, longest }
    }

    /// Appends the tokens of a text.
    ///
    /// # Errors
    /// [`crate::Error::Tokenizer`] for what no piece and no byte token spells where there is no unknown token.
    pub fn tokenize(
        &self,
        vocab: &Vocab,
        text: &str,
        merger: &mut Merger,
        found: &mut Vec<Found>,
    ) -> Result<()> {
        merger.clear();
        for (start, c) in text.char_indices() {
            let id = vocab.find_plain(&text[start..start + c.len_utf8()]).unwrap_or(NONE);
            merger.push(c.len_utf8() as u32, id);
        }
        let merge = |left: &Symbol, right: &Symbol| {
            let len = (left.len + right.len) as usize;
            if len > self.longest {
                return None;
            }
            let id = vocab.find_plain(&text[left.start as usize..left.start as usize + len])?;
            Some(Merge { rank: self.ranks[id as usize], id })
        };
        for symbol in merger.run(merge) {
            let (start, end) = (symbol.start as usize, (symbol.start + symbol.len) as usize);
            if symbol.id != NONE {
                found.push(Found { id: symbol.id, start, end });
                continue;
            }
            for byte in text[start..end].bytes() {
                let id = Some(self.bytes[byte as usize]).filter(|id| *id != NONE).or(self.unknown);
                let id = id.ok_or_else(|| cannot_spell(&text[start..end]))?;
                found.push(Found { id, start, end });
            }
        }
        Ok(())
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
