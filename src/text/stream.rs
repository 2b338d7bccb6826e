//! Ids become text as they come, in whole characters.

use super::{
    decoder::{Decoding, unfinished_len},
    tokenizer::{Decoder, Tokenizer},
};
use crate::error::Result;

/// The state of a text under way: what is unfinished of it.
#[derive(Debug, Clone)]
pub struct StreamDecoder {
    state: State,
    skip_special: bool,
}

#[derive(Debug, Clone)]
enum State {
    /// Tokens are bytes.
    Bytes {
        /// At most three bytes of an unfinished character.
        unfinished: Vec<u8>,
        /// No text came yet that the prefix space of SentencePiece would stand before.
        at_start: bool,
    },
    Steps(Decoding),
}

impl StreamDecoder {
    /// For a text of its own. `skip_special` leaves control tokens out.
    pub fn new(tokenizer: &Tokenizer, skip_special: bool) -> Self {
        let state = match tokenizer.decoder() {
            Decoder::Steps { steps, .. } => State::Steps(Decoding::new(steps.clone())),
            Decoder::Alphabet => State::Bytes { unfinished: Vec::new(), at_start: false },
            Decoder::Spaces { first_is_added } => {
                State::Bytes { unfinished: Vec::new(), at_start: *first_is_added }
            }
        };
        StreamDecoder { state, skip_special }
    }

    /// For what follows `prompt`, without control tokens. The space of the first piece is part of the text then,
    /// unless the prompt ends in a special token; a character that the prompt leaves unfinished is completed.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for an id outside the vocabulary.
    pub fn after(tokenizer: &Tokenizer, prompt: &[u32]) -> Result<Self> {
        let mut decoder = StreamDecoder::new(tokenizer, true);
        // A character is four bytes at most, so four tokens with bytes tell what is unfinished.
        let mut tail: Vec<u32> =
            prompt.iter().rev().copied().take_while(|id| !tokenizer.is_special(*id)).take(4).collect();
        tail.reverse();
        for id in &tail {
            decoder.push(tokenizer, *id)?;
        }
        if let State::Bytes { at_start, .. } = &mut decoder.state {
            *at_start &= tail.is_empty();
        }
        Ok(decoder)
    }

    /// The text that a token completes; empty while a character is unfinished. Bytes that are no UTF-8 become
    /// U+FFFD.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for an id outside the vocabulary.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> Result<String> {
        let spelled = tokenizer.spelled(id)?;
        if self.skip_special && tokenizer.is_special(id) {
            return Ok(String::new());
        }
        match &mut self.state {
            State::Steps(decoding) => decoding.push(spelled),
            State::Bytes { unfinished, at_start } => {
                let bytes = tokenizer.token_bytes(id)?;
                let mut bytes = &bytes[..];
                if *at_start && !bytes.is_empty() {
                    bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
                    *at_start = false;
                }
                unfinished.extend_from_slice(bytes);
                let whole = unfinished.len() - unfinished_len(unfinished);
                let text = String::from_utf8_lossy(&unfinished[..whole]).into_owned();
                unfinished.drain(..whole);
                Ok(text)
            }
        }
    }

    /// What is left when nothing more will come: U+FFFD for an unfinished character.
    pub fn finish(&mut self) -> String {
        match &mut self.state {
            State::Bytes { unfinished, .. } => {
                String::from_utf8_lossy(&std::mem::take(unfinished)).into_owned()
            }
            State::Steps(decoding) => decoding.finish(),
        }
    }
}
