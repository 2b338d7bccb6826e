//! What a text, or a pair of texts, becomes for an encoder.

/// Tokens with their places. All lists are equally long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoding {
    /// Token ids.
    pub ids: Vec<u32>,
    /// What BERT calls segment ids: 0 for the first text, 1 for the second where the model tells them apart.
    pub type_ids: Vec<u32>,
    /// The bytes, from and to, of the text that a token came from; `(0, 0)` for tokens that were added around it.
    /// A token that holds part of a character has the place of the whole character.
    pub offsets: Vec<(usize, usize)>,
    /// Which text a token came from, 0 or 1; `None` for tokens that were added around them.
    pub sequences: Vec<Option<u8>>,
    /// The word within its text that a token is part of, numbered as the pre-tokenizer cuts them; `None` for tokens
    /// that were added.
    pub words: Vec<Option<u32>>,
}

impl Encoding {
    /// How many tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub(super) fn push(&mut self, id: u32, type_id: u32, source: Option<(u8, &Token)>) {
        self.ids.push(id);
        self.type_ids.push(type_id);
        self.offsets.push(source.map_or((0, 0), |(_, token)| (token.start, token.end)));
        self.sequences.push(source.map(|(sequence, _)| sequence));
        self.words.push(source.map(|(_, token)| token.word));
    }
}

/// A token of one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub id: u32,
    /// Where it stands in the original text, in bytes.
    pub start: usize,
    pub end: usize,
    pub word: u32,
}
