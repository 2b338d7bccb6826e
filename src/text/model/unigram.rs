//! Unigram (Kudo 2018): of all ways to cut a piece into tokens the one with the highest sum of scores, found by
//! Viterbi's algorithm. What no token spells costs ten more than the worst token and becomes unknown or bytes.

use std::ops::Range;

use super::{Found, Reading, bpe::ByteTokens, cannot_spell, merge::NONE, prefixes::Prefixes};
use crate::{error::Result, text::vocab::Vocab};

/// What an unknown character costs more than the worst token.
const UNKNOWN_PENALTY: f64 = 10.0;

/// The scores of a vocabulary, log probabilities by id.
#[derive(Debug)]
pub(in crate::text) struct Unigram {
    prefixes: Prefixes,
    scores: Vec<f64>,
    unknown: Option<u32>,
    unknown_score: f64,
    /// What unknown text falls back to.
    bytes: Option<ByteTokens>,
}

/// The best way to cut the text up to a place.
#[derive(Debug, Clone, Copy)]
struct Best {
    id: u32,
    score: f64,
    /// Where its last token begins.
    start: usize,
}

impl Unigram {
    /// `lowest` is the score of the worst token.
    pub fn new(
        prefixes: Prefixes,
        scores: Vec<f64>,
        lowest: f64,
        unknown: Option<u32>,
        bytes: Option<ByteTokens>,
    ) -> Self {
        Unigram { prefixes, scores, unknown, unknown_score: lowest - UNKNOWN_PENALTY, bytes }
    }

    /// # Errors
    /// [`crate::Error::Tokenizer`] for what no token spells where there is no unknown token.
    pub fn tokenize(
        &self,
        vocab: &Vocab,
        piece: &str,
        reading: Reading,
        found: &mut Vec<Found>,
    ) -> Result<()> {
        let best = self.viterbi(vocab, piece, reading)?;
        let begins_at = found.len();
        // From the end to the start; neighbouring unknown characters become one.
        let mut end = piece.len();
        while end > 0 {
            let Best { id, mut start, .. } = best[end];
            if Some(id) == self.unknown {
                while start > 0 && Some(best[start].id) == self.unknown {
                    start = best[start].start;
                }
                self.unknown_text(vocab, piece, start..end, reading, found);
            } else {
                found.push(Found { id, start, end });
            }
            end = start;
        }
        found[begins_at..].reverse();
        Ok(())
    }

    fn viterbi(&self, vocab: &Vocab, piece: &str, reading: Reading) -> Result<Vec<Best>> {
        let nothing = Best { id: NONE, score: f64::NEG_INFINITY, start: 0 };
        let mut best = vec![nothing; piece.len() + 1];
        best[0].score = 0.0;
        let reaches = |at: &mut Best, id: u32, score: f64, start: usize| {
            if at.id == NONE || score > at.score {
                *at = Best { id, score, start };
            }
        };
        for (start, c) in piece.char_indices() {
            let so_far = best[start].score;
            let mut spells_char = false;
            self.prefixes.each(
                |id| vocab.text(id).unwrap_or_default(),
                &[],
                &piece.as_bytes()[start..],
                |id, len| {
                    if reading.specials || !vocab.is_special(id) {
                        spells_char |= len == c.len_utf8();
                        reaches(&mut best[start + len], id, so_far + self.scores[id as usize], start);
                    }
                },
            );
            if !spells_char {
                let unknown = self.unknown.ok_or_else(|| cannot_spell(piece))?;
                reaches(&mut best[start + c.len_utf8()], unknown, so_far + self.unknown_score, start);
            }
        }
        Ok(best)
    }

    /// Appends, from the last to the first, what unknown text becomes.
    fn unknown_text(
        &self,
        vocab: &Vocab,
        piece: &str,
        range: Range<usize>,
        reading: Reading,
        found: &mut Vec<Found>,
    ) {
        let text = &piece[range.clone()];
        let token = |id| Found { id, start: range.start, end: range.end };
        let is_byte = |bytes: &&ByteTokens| text.bytes().all(|byte| bytes[byte as usize] != NONE);
        if let Some(id) = vocab.find_for(text, reading) {
            found.push(token(id));
        } else if let Some(bytes) = self.bytes.as_ref().filter(is_byte) {
            found.extend(text.bytes().rev().map(|byte| token(bytes[byte as usize])));
        } else {
            found.extend(self.unknown.map(token));
        }
    }
}
