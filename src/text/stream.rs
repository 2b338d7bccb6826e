//! Ids become text as they come, in whole characters.

use super::tokenizer::Tokenizer;
use crate::error::Result;

/// The state of a text under way: at most the three bytes of an unfinished character.
#[derive(Debug, Clone)]
pub struct StreamDecoder {
    unfinished: Vec<u8>,
    /// No text came yet that the prefix space of SentencePiece would stand before.
    at_start: bool,
    skip_special: bool,
}

impl StreamDecoder {
    /// For a text of its own. `skip_special` leaves control tokens out.
    pub fn new(tokenizer: &Tokenizer, skip_special: bool) -> Self {
        StreamDecoder { unfinished: Vec::new(), at_start: tokenizer.opens_with_space(), skip_special }
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
        decoder.at_start &= tail.is_empty();
        Ok(decoder)
    }

    /// The text that a token completes; empty while a character is unfinished. Bytes that are no UTF-8 become
    /// U+FFFD as in [`String::from_utf8_lossy`].
    ///
    /// # Errors
    /// [`crate::Error::Input`] for an id outside the vocabulary.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> Result<String> {
        let bytes = tokenizer.token_bytes(id)?;
        if self.skip_special && tokenizer.is_special(id) {
            return Ok(String::new());
        }
        let mut bytes = &bytes[..];
        if self.at_start && !bytes.is_empty() {
            bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
            self.at_start = false;
        }
        self.unfinished.extend_from_slice(bytes);
        let whole = self.unfinished.len() - unfinished_len(&self.unfinished);
        let text = String::from_utf8_lossy(&self.unfinished[..whole]).into_owned();
        self.unfinished.drain(..whole);
        Ok(text)
    }

    /// What is left when nothing more will come: U+FFFD for an unfinished character.
    pub fn finish(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.unfinished).into_owned();
        self.unfinished.clear();
        text
    }
}

/// How many bytes at the end begin a character that more bytes could complete.
fn unfinished_len(bytes: &[u8]) -> usize {
    let start = bytes.len().saturating_sub(3);
    let lead = (start..bytes.len()).rev().find(|at| bytes[*at] & 0xC0 != 0x80);
    let Some(tail) = lead.map(|at| &bytes[at..]) else { return 0 };
    match std::str::from_utf8(tail) {
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => tail.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::unfinished_len;

    #[test]
    fn only_what_may_become_a_character_is_unfinished() {
        assert_eq!(unfinished_len("aé日😀".as_bytes()), 0);
        assert_eq!(unfinished_len(b"a\xF0\x9F\x98"), 3);
        assert_eq!(unfinished_len(b"a\xE6\x97"), 2);
        assert_eq!(unfinished_len(b"a\xC3"), 1);
        assert_eq!(unfinished_len(b"\xE6\x97a"), 0);
        assert_eq!(unfinished_len(b"\x97\x97\x97"), 0);
        assert_eq!(unfinished_len(b"\xFF"), 0);
        assert_eq!(unfinished_len(b"\xED\xA0"), 0, "half a surrogate is no character");
    }
}
