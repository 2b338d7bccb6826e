//! Byte-pair encoding (Sennrich et al. 2016): the characters of a word merge by the rank of their pair. Byte-level
//! vocabularies spell bytes as characters, others fall back to byte tokens or to the unknown token.

use super::{
    Found, Reading, cannot_spell,
    merge::{Merge, Merger, NONE},
};
use crate::{
    error::{Error, Result},
    text::{alphabet, id_table::IdTable, vocab::Vocab},
};

/// The merges of a vocabulary and how it spells words.
#[derive(Debug)]
pub(in crate::text) struct Bpe {
    merges: MergeList,
    /// The tokens of the first characters of Unicode, in which byte-level vocabularies write, or [`NONE`].
    chars: Vec<u32>,
    spelling: Spelling,
}

/// How words become the first symbols, before any merge.
#[derive(Debug, Clone, Default)]
pub(in crate::text) struct Spelling {
    /// Stands before every character but a word's first.
    pub prefix: String,
    /// Stands after a word's last character.
    pub suffix: String,
    pub whole_words: WholeWords,
    /// What a character without a token falls back to first.
    pub bytes: Option<ByteTokens>,
    /// What it falls back to then. The file may name a token that is not in the vocabulary: an error at its first use.
    pub unknown: Option<Result<u32, String>>,
    /// Neighbouring unknown characters are one token.
    pub fuses_unknown: bool,
    /// A character that nothing spells is left out, as the reference does, instead of being an error.
    pub drops_unknown: bool,
}

/// Which words that are a token stay that token, whether or not merges lead to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::text) enum WholeWords {
    #[default]
    None,
    All,
    /// Only runs of newlines.
    Newlines,
}

/// The token of each byte, or [`NONE`].
pub(in crate::text) type ByteTokens = Vec<u32>;

/// Pairs of tokens in the order of their rank.
#[derive(Debug)]
pub(in crate::text) struct MergeList {
    pairs: Vec<Pair>,
    /// Ranks by the two tokens that merge.
    ranks: IdTable,
}

/// `left` and `right` merge to `product`.
#[derive(Debug, Clone, Copy)]
struct Pair {
    left: u32,
    right: u32,
    product: u32,
}

impl MergeList {
    /// `prefix` is what the product leaves out of the right side. Of equal pairs the last has its rank if
    /// `last_counts`, else the first.
    ///
    /// # Errors
    /// Says which merge is none, or names a token that is not in the vocabulary.
    pub fn new<'a>(
        vocab: &Vocab,
        texts: impl ExactSizeIterator<Item = Option<(&'a str, &'a str)>>,
        prefix: &str,
        last_counts: bool,
    ) -> Result<Self, String> {
        let mut pairs = Vec::with_capacity(texts.len());
        let mut product = String::new();
        for (rank, text) in texts.enumerate() {
            let (left, right) = text.ok_or_else(|| format!("merge {rank}: no space between two tokens"))?;
            let wrong =
                |token: &str| format!("merge {rank}, {left:?} {right:?}: {token:?} is not in the vocabulary");
            let find = |token: &str| vocab.find_in_model(token).ok_or_else(|| wrong(token));
            product.clear();
            product.push_str(left);
            product.push_str(right.get(prefix.len()..).ok_or_else(|| wrong(right))?);
            pairs.push(Pair { left: find(left)?, right: find(right)?, product: find(&product)? });
        }
        let mut ranks = IdTable::with_capacity(pairs.len());
        let mut insert = |rank: usize| {
            let pair = &pairs[rank];
            let same = |other: u32| {
                (pairs[other as usize].left, pairs[other as usize].right) == (pair.left, pair.right)
            };
            ranks.insert((pair.left, pair.right), rank as u32, same);
        };
        // The table keeps what came first.
        if last_counts {
            (0..pairs.len()).rev().for_each(&mut insert);
        } else {
            (0..pairs.len()).for_each(&mut insert);
        }
        Ok(MergeList { pairs, ranks })
    }

    fn find(&self, left: u32, right: u32) -> Option<Merge> {
        let same = |rank: u32| {
            let pair = &self.pairs[rank as usize];
            (pair.left, pair.right) == (left, right)
        };
        let rank = self.ranks.find((left, right), same)?;
        Some(Merge { rank, id: self.pairs[rank as usize].product })
    }
}

/// The two sides of a merge that is written with a space between them; a token may itself begin with a space.
pub(in crate::text) fn sides(text: &str) -> Option<(&str, &str)> {
    let first = text.chars().next()?.len_utf8();
    let space = first + text[first..].find(' ')?;
    Some((&text[..space], &text[space + 1..]))
}

impl Bpe {
    pub fn new(vocab: &Vocab, merges: MergeList, spelling: Spelling) -> Self {
        let id = |code: u32| {
            let c = char::from_u32(code)?;
            vocab.find_in_model(c.encode_utf8(&mut [0; 4]))
        };
        Bpe { merges, chars: (0..alphabet::END).map(|code| id(code).unwrap_or(NONE)).collect(), spelling }
    }

    /// # Errors
    /// [`Error::Tokenizer`] for a character that nothing spells.
    pub fn tokenize(
        &self,
        vocab: &Vocab,
        word: &str,
        reading: Reading,
        merger: &mut Merger,
        found: &mut Vec<Found>,
    ) -> Result<()> {
        let is_newlines = || word.bytes().all(|byte| byte == b'\n');
        let whole = match self.spelling.whole_words {
            WholeWords::None => None,
            WholeWords::Newlines if !is_newlines() => None,
            WholeWords::All | WholeWords::Newlines => vocab.find_for(word, reading),
        };
        if let Some(id) = whole {
            found.push(Found { id, start: 0, end: word.len() });
            return Ok(());
        }
        merger.clear();
        self.spell(vocab, word, merger)?;
        let symbols = merger.run(|left, right| self.merges.find(left.id, right.id));
        found.extend(symbols.map(|symbol| {
            let start = symbol.start as usize;
            Found { id: symbol.id, start, end: start + symbol.len as usize }
        }));
        Ok(())
    }

    /// The symbols of a word before any merge, in the reference's order: an unknown one comes when it is known where
    /// it ends.
    fn spell(&self, vocab: &Vocab, word: &str, merger: &mut Merger) -> Result<()> {
        let Spelling { prefix, suffix, bytes, unknown, .. } = &self.spelling;
        let mut pending: Option<(u32, u32)> = None;
        let mut spelled = String::new();
        for (start, c) in word.char_indices() {
            let end = start + c.len_utf8();
            let len = c.len_utf8() as u32;
            let mut text = &word[start..end];
            let before = if start > 0 { prefix.as_str() } else { "" };
            let after = if end == word.len() { suffix.as_str() } else { "" };
            let id = if before.is_empty() && after.is_empty() {
                match self.chars.get(c as usize) {
                    Some(id) => Some(*id).filter(|id| *id != NONE),
                    None => vocab.find_in_model(text),
                }
            } else {
                spelled.clear();
                spelled.extend([before, text, after]);
                text = &spelled;
                vocab.find_in_model(text)
            };
            if let Some(id) = id {
                if let Some((unknown, len)) = pending.take() {
                    merger.push(len, unknown);
                }
                merger.push(len, id);
                continue;
            }
            if let Some(bytes) = bytes
                && text.bytes().all(|byte| bytes[byte as usize] != NONE)
            {
                text.bytes().for_each(|byte| merger.push(1, bytes[byte as usize]));
                continue;
            }
            match unknown {
                Some(Ok(unknown)) => match pending {
                    Some((_, so_far)) if self.spelling.fuses_unknown => {
                        pending = Some((*unknown, so_far + len))
                    }
                    _ => {
                        if let Some((unknown, len)) = pending.replace((*unknown, len)) {
                            merger.push(len, unknown);
                        }
                    }
                },
                Some(Err(name)) => {
                    let problem =
                        format!("{text:?} needs the unknown token {name:?}, which is not in the vocabulary");
                    return Err(Error::Tokenizer { problem });
                }
                None if self.spelling.drops_unknown => {}
                None => return Err(unspelled(c, word)),
            }
        }
        if let Some((unknown, len)) = pending {
            merger.push(len, unknown);
        }
        Ok(())
    }
}

fn unspelled(c: char, word: &str) -> Error {
    let Some(byte) = alphabet::byte_of(c) else { return cannot_spell(word) };
    let problem = format!("the vocabulary has no token for the byte 0x{byte:02X} of {word:?}");
    Error::Tokenizer { problem }
}
