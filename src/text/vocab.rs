//! The vocabulary of a file: its tokens, what kind each is, and the ids with a role.

use super::{
    id_table::IdTable,
    model::{ByteTokens, NONE, Prefixes, Reading},
};
use crate::{
    error::{Error, Result},
    format::{StringArray, metadata::Metadata},
};

const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";

/// What a token is for, as `tokenizer.ggml.token_type` numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A piece of text.
    Normal,
    /// Stands for text that the vocabulary cannot spell.
    Unknown,
    /// Steers the model (`<s>`, `<|im_end|>`): no part of the text.
    Control,
    /// A text that is always this one token.
    UserDefined,
    /// Fills the vocabulary up.
    Unused,
    /// One byte, written `<0xNN>`.
    Byte,
}

impl TokenKind {
    fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            // Converters wrote 0, "undefined", for pieces of text.
            0 | 1 => TokenKind::Normal,
            2 => TokenKind::Unknown,
            3 => TokenKind::Control,
            4 => TokenKind::UserDefined,
            5 => TokenKind::Unused,
            6 => TokenKind::Byte,
            _ => return None,
        })
    }
}

/// The tokens by id and by text.
#[derive(Debug, Clone)]
pub(super) struct Vocab {
    tokens: StringArray,
    kinds: Vec<TokenKind>,
    by_text: IdTable,
    /// The model knows the tokens with ids below; those from here on are only found as they are.
    n_model: usize,
}

impl Vocab {
    /// # Errors
    /// [`Error::Tokenizer`] if the file has no tokens, [`Error::Format`] if its lists do not fit each other.
    pub(super) fn read(metadata: &Metadata) -> Result<Self> {
        let tokens = metadata.opt_strings(TOKENS)?.filter(|tokens| !tokens.is_empty());
        let problem = "the file holds no tokens (`tokenizer.ggml.tokens`): convert it with its tokenizer";
        let tokens = tokens.ok_or_else(|| Error::Tokenizer { problem: problem.into() })?.clone();
        let kinds = match metadata.opt_ints(TYPES)? {
            Some(numbers) => read_kinds(metadata, &numbers, tokens.len())?,
            None => tokens.iter().map(kind_by_text).collect(),
        };
        Ok(Vocab::new(tokens, kinds, false, 0))
    }

    /// From the model's tokens in the order of their ids, with a kind for each. An empty text stands for an id without
    /// a token. Of equal texts the last is found if `last_counts`, else the first. `n_added` more can be added.
    pub(super) fn new(tokens: StringArray, kinds: Vec<TokenKind>, last_counts: bool, n_added: usize) -> Self {
        let mut by_text = IdTable::with_capacity(tokens.len() + n_added);
        let mut insert = |(id, text): (usize, &str)| {
            if !text.is_empty() {
                by_text.insert(text, id as u32, |other| tokens[other as usize] == *text);
            }
        };
        if last_counts {
            tokens.iter().enumerate().rev().for_each(&mut insert);
        } else {
            tokens.iter().enumerate().for_each(&mut insert);
        }
        Vocab { n_model: tokens.len(), tokens, kinds, by_text }
    }

    /// Adds a token that the model does not know at the end.
    pub(super) fn push(&mut self, text: &str, kind: TokenKind) -> Option<u32> {
        let id = self.tokens.len() as u32;
        if !self.tokens.push(text) {
            return None;
        }
        self.kinds.push(kind);
        let tokens = &self.tokens;
        self.by_text.insert(text, id, |other| tokens[other as usize] == *text);
        Some(id)
    }

    /// Says what a token is for.
    pub(super) fn set_kind(&mut self, id: u32, kind: TokenKind) {
        if let Some(known) = self.kinds.get_mut(id as usize) {
            *known = kind;
        }
    }

    /// How many tokens.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// A token as the file spells it.
    pub(super) fn text(&self, id: u32) -> Option<&str> {
        self.tokens.get(id as usize)
    }

    /// What a token is for.
    pub(super) fn kind(&self, id: u32) -> Option<TokenKind> {
        self.kinds.get(id as usize).copied()
    }

    /// The token that the file spells `text`.
    pub(super) fn find(&self, text: &str) -> Option<u32> {
        self.by_text.find(text, |id| self.tokens[id as usize] == *text)
    }

    /// The token spelled `text` if plain text may become it: never a control, unknown or byte token, whatever the
    /// user writes.
    pub(super) fn find_plain(&self, text: &str) -> Option<u32> {
        use TokenKind::{Normal, Unused, UserDefined};
        self.find(text).filter(|id| matches!(self.kinds[*id as usize], Normal | UserDefined | Unused))
    }

    /// The model's token that is spelled `text`.
    pub(super) fn find_in_model(&self, text: &str) -> Option<u32> {
        self.find(text).filter(|id| (*id as usize) < self.n_model)
    }

    /// The model's token spelled `text` that a text may become when it is read so.
    pub(super) fn find_for(&self, text: &str, reading: Reading) -> Option<u32> {
        self.find_in_model(text).filter(|id| reading.specials || !self.is_special(*id))
    }

    /// The model's tokens with one id for each text, less those of kinds that `keep` refuses, in their order.
    pub(super) fn prefixes(&self, keep: impl Fn(TokenKind) -> bool) -> Prefixes {
        let of_model = self.iter().take(self.n_model);
        let found = of_model.filter(|(id, text, kind)| keep(*kind) && self.find(text) == Some(*id));
        let keys = found.map(|(id, ..)| id).collect();
        Prefixes::new(keys, &|id| self.text(id).unwrap_or_default())
    }

    /// Whether a token is a control or unknown token, which is no part of the text.
    pub(super) fn is_special(&self, id: u32) -> bool {
        matches!(self.kind(id), Some(TokenKind::Control | TokenKind::Unknown))
    }

    /// The token of each byte, or [`NONE`].
    pub(super) fn byte_tokens(&self) -> ByteTokens {
        let token = |byte: u8| self.find_in_model(&format!("<0x{byte:02X}>"));
        (0..=255).map(|byte| token(byte).unwrap_or(NONE)).collect()
    }

    /// Every token with its text and kind.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &str, TokenKind)> {
        (0..).zip(self.tokens.iter()).zip(&self.kinds).map(|((id, text), kind)| (id, text, *kind))
    }

    /// The id under a metadata key, if the file has it.
    ///
    /// # Errors
    /// [`Error::Format`] if it is no id of this vocabulary.
    pub(super) fn role(&self, metadata: &Metadata, role: &str) -> Result<Option<u32>> {
        let key = format!("tokenizer.ggml.{role}_token_id");
        match metadata.opt_usize(&key)? {
            Some(id) if id < self.len() => Ok(Some(id as u32)),
            Some(id) => {
                let problem = format!("token {id} is outside the vocabulary of {} tokens", self.len());
                Err(metadata.error(&key, problem))
            }
            None => Ok(None),
        }
    }
}

fn read_kinds(metadata: &Metadata, numbers: &[i64], n_tokens: usize) -> Result<Vec<TokenKind>> {
    if numbers.len() < n_tokens {
        return Err(metadata.error(TYPES, format!("{} types for {n_tokens} tokens", numbers.len())));
    }
    let kind = |(id, number): (usize, &i64)| {
        let problem = || metadata.error(TYPES, format!("token {id} has the unknown type {number}"));
        TokenKind::from_number(*number).ok_or_else(problem)
    };
    numbers[..n_tokens].iter().enumerate().map(kind).collect()
}

/// Files from before token types: the usual names tell.
fn kind_by_text(text: &str) -> TokenKind {
    match text {
        "<unk>" => TokenKind::Unknown,
        "<s>" | "</s>" | "<|endoftext|>" => TokenKind::Control,
        _ if byte_of(text).is_some() => TokenKind::Byte,
        _ => TokenKind::Normal,
    }
}

/// The byte that `<0xNN>` spells.
pub(super) fn byte_of(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}
