//! Byte-level BPE (GPT-2 and after): words are cut out by the pre-tokenizer, their bytes merge by rank.
//!
//! The `tokenizers` crate has this model too, but takes 1.4 s natively to build it from the 280,000 merges of
//! Llama 3, most of it for speed that a prompt does not need; this one takes a tenth and merges on the fly.

use tokenizers::utils::byte_level::{BYTES_CHAR_LOOKUP, char_to_byte};

use super::{
    id_table::IdTable,
    merge::{Merge, Merger, NONE},
    pre::PreTokenizer,
    vocab::Vocab,
};
use crate::{
    error::{Error, Result},
    format::metadata::Metadata,
};

const MERGES: &str = "tokenizer.ggml.merges";

/// The merges of a vocabulary and its pre-tokenizer.
#[derive(Debug)]
pub(super) struct ByteLevel {
    pre: PreTokenizer,
    /// The token of each byte, or [`NONE`].
    bytes: Vec<u32>,
    /// In the order of their rank.
    merges: Vec<Pair>,
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

impl ByteLevel {
    /// # Errors
    /// [`Error::Format`] for merges that are none or that name unknown tokens, [`Error::Unsupported`] for a
    /// pre-tokenizer that is not known.
    pub(super) fn read(metadata: &Metadata, vocab: &Vocab) -> Result<Self> {
        let pre = PreTokenizer::named(metadata.opt_str("tokenizer.ggml.pre")?.unwrap_or("default"))?;
        let texts =
            metadata.opt_strings(MERGES)?.ok_or_else(|| metadata.error(MERGES, "the key is missing"))?;
        let mut merges = Vec::with_capacity(texts.len());
        let mut product = String::new();
        for (rank, text) in texts.iter().enumerate() {
            let wrong =
                |problem: String| metadata.error(MERGES, format!("merge {rank}, {text:?}: {problem}"));
            // A token may itself begin with a space.
            let first = text.chars().next().map_or(0, char::len_utf8);
            let space = text[first..].find(' ').map(|at| first + at);
            let (left, right) = space
                .map(|at| (&text[..at], &text[at + 1..]))
                .ok_or_else(|| wrong("no space between two tokens".into()))?;
            product.clear();
            product.push_str(left);
            product.push_str(right);
            let find = |token: &str| {
                vocab.find(token).ok_or_else(|| wrong(format!("{token:?} is not in the vocabulary")))
            };
            merges.push(Pair { left: find(left)?, right: find(right)?, product: find(&product)? });
        }
        let mut ranks = IdTable::with_capacity(merges.len());
        for (rank, pair) in merges.iter().enumerate() {
            let same = |other: u32| {
                (merges[other as usize].left, merges[other as usize].right) == (pair.left, pair.right)
            };
            ranks.insert((pair.left, pair.right), rank as u32, same);
        }
        let byte = |c: &char| vocab.find(c.encode_utf8(&mut [0; 4])).unwrap_or(NONE);
        let bytes = BYTES_CHAR_LOOKUP.iter().map(byte).collect();
        Ok(ByteLevel { pre, bytes, merges, ranks })
    }

    /// Whether a text begins with BOS where the file does not say.
    pub(super) fn adds_bos(&self) -> bool {
        self.pre.adds_bos
    }

    /// Appends the tokens of a text.
    pub(super) fn encode(&self, vocab: &Vocab, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        let mut merger = Merger::default();
        let mut spelled = String::new();
        for word in self.pre.split(text)? {
            if self.pre.ignores_merges {
                spelled.clear();
                spelled.extend(word.bytes().map(|byte| BYTES_CHAR_LOOKUP[byte as usize]));
                if let Some(id) = vocab.find_plain(&spelled) {
                    ids.push(id);
                    continue;
                }
            }
            merger.clear();
            for byte in word.bytes() {
                let id = self.bytes[byte as usize];
                if id == NONE {
                    let problem =
                        format!("the vocabulary has no token for the byte 0x{byte:02X} of {word:?}");
                    return Err(Error::Tokenizer { problem });
                }
                merger.push(1, id);
            }
            ids.extend(merger.run(|left, right| self.merge(left.id, right.id)).map(|symbol| symbol.id));
        }
        Ok(())
    }

    fn merge(&self, left: u32, right: u32) -> Option<Merge> {
        let same = |rank: u32| {
            let pair = &self.merges[rank as usize];
            (pair.left, pair.right) == (left, right)
        };
        let rank = self.ranks.find((left, right), same)?;
        Some(Merge { rank, id: self.merges[rank as usize].product })
    }
}

/// The bytes that a token's spelling stands for; a character outside the byte alphabet stands for itself.
pub(super) fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match char_to_byte(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}
