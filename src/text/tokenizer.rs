//! The tokenizer of a model, whichever file it was read from.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use super::{
    added::{AddedTokens, Part},
    aligned::Aligned,
    alphabet,
    decoder::{self, Step},
    encoding::{Encoding, Token},
    ends::ends,
    frame::Frame,
    model::{Model, Reading},
    normalizer::{Normalizer, SPACE, normalize},
    pre_tokenizer::{Pieces, PreTokenizer},
    stream::StreamDecoder,
    vocab::{TokenKind, Vocab, byte_of},
};
use crate::error::{Error, Result};

/// A model's tokenizer: text to ids and back.
#[derive(Debug)]
pub struct Tokenizer {
    vocab: Vocab,
    added: AddedTokens,
    normalizers: Vec<Normalizer>,
    pre_tokenizers: Vec<PreTokenizer>,
    model: Model,
    frame: Frame,
    decoder: Decoder,
    roles: Roles,
    /// Tokens after which an answer is over, sorted.
    ends: Vec<u32>,
}

/// What a file is read into.
pub(super) struct Parts {
    pub vocab: Vocab,
    pub added: AddedTokens,
    pub normalizers: Vec<Normalizer>,
    pub pre_tokenizers: Vec<PreTokenizer>,
    pub model: Model,
    pub frame: Frame,
    pub decoder: Decoder,
    pub roles: Roles,
    /// The end of a message, where the file names one.
    pub eom: Option<u32>,
}

/// The ids with a role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Roles {
    pub bos: Option<u32>,
    pub eos: Option<u32>,
    pub eot: Option<u32>,
    pub unknown: Option<u32>,
    pub padding: Option<u32>,
    pub cls: Option<u32>,
    pub sep: Option<u32>,
    pub mask: Option<u32>,
}

/// How tokens become text.
#[derive(Debug)]
pub(super) enum Decoder {
    /// Pieces of text are written in the byte alphabet.
    Alphabet,
    /// Spaces are written as `▁`; the first may be one that no text has.
    Spaces { first_is_added: bool },
    /// As a `tokenizer.json` says. Some added tokens are spelled differently when they are decoded.
    Steps { steps: Arc<[Step]>, spelled: HashMap<u32, String> },
}

impl Tokenizer {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { vocab, added, normalizers, pre_tokenizers, model, frame, decoder, mut roles, eom } =
            parts;
        let ends = ends(&vocab, [roles.eos, roles.eot, eom]);
        roles.eot = roles.eot.or_else(|| ends.iter().copied().find(|id| Some(*id) != roles.eos));
        Tokenizer { vocab, added, normalizers, pre_tokenizers, model, frame, decoder, roles, ends }
    }

    /// The ids of a text. `add_special` puts around it what the file says (BOS, EOS, `[CLS]`, `[SEP]`). With
    /// `parse_special` the text of control tokens (`<|im_start|>`) becomes those tokens, without it stays text.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the vocabulary cannot spell the text, [`Error::Input`] if it is 1 GiB or longer.
    pub fn encode(&self, text: &str, add_special: bool, parse_special: bool) -> Result<Vec<u32>> {
        let tokens = self.tokens(text, Reading { specials: parse_special })?;
        let ids = tokens.iter().map(|token| token.id);
        let (before, after) = if add_special { self.frame.around_single() } else { Default::default() };
        Ok(before.into_iter().chain(ids).chain(after).collect())
    }

    /// The tokens of a text, or of a pair of texts, with their places, for an encoder: `[CLS] a [SEP] b [SEP]`,
    /// `<s> a </s></s> b </s>`, `a </s>`. Without `add_special` only the texts' own. The text of special tokens
    /// (`[MASK]`) becomes those tokens, as in the reference.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_pair(&self, text: &str, second: Option<&str>, add_special: bool) -> Result<Encoding> {
        let reading = Reading { specials: true };
        let first = self.tokens(text, reading)?;
        let second = second.map(|second| self.tokens(second, reading)).transpose()?;
        Ok(self.frame.apply(&first, second.as_deref(), add_special))
    }

    /// As [`Tokenizer::encode_pair`] with special tokens, but of at most `max_len` tokens: the longer of the two
    /// texts loses its last tokens, one by one, until all fits.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`]; [`Error::Input`] if not even the tokens around the texts fit.
    pub fn encode_truncated(&self, text: &str, second: Option<&str>, max_len: usize) -> Result<Encoding> {
        let reading = Reading { specials: true };
        let mut first = self.tokens(text, reading)?;
        let mut second = second.map(|second| self.tokens(second, reading)).transpose()?;
        let n_added = self.n_special(second.is_some());
        let room = max_len.checked_sub(n_added).ok_or_else(|| {
            Error::input("max_len", format!("{max_len} tokens do not hold the {n_added} special tokens"))
        })?;
        let (n_first, n_second) = shares(first.len(), second.as_ref().map_or(0, Vec::len), room);
        first.truncate(n_first);
        second.iter_mut().for_each(|second| second.truncate(n_second));
        Ok(self.frame.apply(&first, second.as_deref(), true))
    }

    /// How many tokens are put around one text, or around a pair of texts.
    pub fn n_special(&self, pair: bool) -> usize {
        self.frame.n_added(pair)
    }

    /// The tokens of one text, without those around it.
    fn tokens(&self, text: &str, reading: Reading) -> Result<Vec<Token>> {
        // Places are 32 bits wide, and SentencePiece makes three bytes of a space.
        if text.len() >= 1 << 30 {
            return Err(Error::input("text", "it is longer than 1 GiB"));
        }
        let mut tokens = Vec::with_capacity(text.len() / 4 + 2);
        let mut word = 0;
        for part in self.added.split(text, false, reading) {
            match part {
                Part::Token(id, range) => {
                    let token = Token { id, start: range.start, end: range.end, word };
                    self.push(&mut tokens, token, &text[range], text);
                    word += 1;
                }
                Part::Text(range) => {
                    let mut part = Aligned::new(&text[range.clone()], range.start);
                    normalize(&self.normalizers, &mut part)?;
                    self.normalized(part, text, reading, &mut tokens, &mut word)?;
                }
            }
        }
        Ok(tokens)
    }

    /// The tokens of a part of `original` after the normalizers.
    fn normalized(
        &self,
        part: Aligned,
        original: &str,
        reading: Reading,
        tokens: &mut Vec<Token>,
        word: &mut u32,
    ) -> Result<()> {
        let parts = self.added.split(part.text(), true, reading);
        if let [Part::Text(_)] = parts[..] {
            return self.pieces(Pieces::new(part), original, reading, tokens, word);
        }
        for found in parts {
            match found {
                Part::Text(range) => {
                    self.pieces(Pieces::new(part.slice(range)), original, reading, tokens, word)?;
                }
                Part::Token(id, range) => {
                    let source = part.source(range.clone());
                    let token = Token { id, start: source.start, end: source.end, word: *word };
                    self.push(tokens, token, &part.text()[range], original);
                    *word += 1;
                }
            }
        }
        Ok(())
    }

    /// The tokens of a part of `original` between added tokens.
    fn pieces(
        &self,
        mut pieces: Pieces,
        original: &str,
        reading: Reading,
        tokens: &mut Vec<Token>,
        word: &mut u32,
    ) -> Result<()> {
        self.pre_tokenizers.iter().try_for_each(|pre_tokenizer| pre_tokenizer.apply(&mut pieces))?;
        let Pieces { text, ranges } = pieces;
        let (mut scratch, mut found) = (Model::scratch(), Vec::new());
        for (start, end) in ranges {
            found.clear();
            self.model.tokenize(&self.vocab, &text.text()[start..end], reading, &mut scratch, &mut found)?;
            for token in &found {
                let source = text.source(start + token.start..start + token.end);
                let spelled = self.vocab.text(token.id).unwrap_or_default();
                let token = Token { id: token.id, start: source.start, end: source.end, word: *word };
                self.push(tokens, token, spelled, original);
            }
            *word += 1;
        }
        Ok(())
    }

    fn push(&self, tokens: &mut Vec<Token>, mut token: Token, spelled: &str, original: &str) {
        self.frame.trim(&mut token, tokens.is_empty(), spelled, original);
        tokens.push(token);
    }

    /// The text of ids that are a whole text; bytes that are no UTF-8 become U+FFFD. `skip_special` leaves control
    /// tokens out.
    ///
    /// # Errors
    /// [`Error::Input`] for an id outside the vocabulary.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        let mut decoder = StreamDecoder::new(self, skip_special);
        let mut text = String::new();
        for id in ids {
            text += &decoder.push(self, *id)?;
        }
        text += &decoder.finish();
        Ok(text)
    }

    /// One token's own text for display: its bytes, with U+FFFD for what is only part of a character.
    ///
    /// # Errors
    /// [`Error::Input`] for an id outside the vocabulary.
    pub fn piece(&self, id: u32) -> Result<String> {
        let bytes = self.token_bytes(id)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The bytes that a token stands for: a piece's text with spaces as spaces, the one byte of a byte token, the
    /// name of a control token.
    ///
    /// # Errors
    /// [`Error::Input`] for an id outside the vocabulary.
    pub fn token_bytes(&self, id: u32) -> Result<Cow<'_, [u8]>> {
        use TokenKind::{Byte, Normal, Unused, UserDefined};
        let (text, kind) = (self.spelled(id)?, self.kind(id)?);
        let byte = byte_of(text).filter(|_| kind == Byte);
        Ok(match (kind, &self.decoder) {
            // A `tokenizer.json` says itself whether these are bytes.
            (Byte, Decoder::Steps { steps, .. }) => Cow::Owned(decoder::token_bytes(steps, text)),
            (Byte, _) if byte.is_some() => Cow::Owned(byte.into_iter().collect()),
            (Normal | Unused, Decoder::Alphabet) => {
                alphabet::bytes_of(text).map_or(Cow::Borrowed(text.as_bytes()), Cow::Owned)
            }
            (Normal | Unused | UserDefined, Decoder::Spaces { .. }) if text.contains(SPACE) => {
                Cow::Owned(text.replace(SPACE, " ").into_bytes())
            }
            (Normal | Unused, Decoder::Steps { steps, .. }) => Cow::Owned(decoder::token_bytes(steps, text)),
            _ => Cow::Borrowed(text.as_bytes()),
        })
    }

    /// # Errors
    /// [`Error::Unsupported`] where a text is not the bytes of its tokens one after another, but for a space at its start.
    pub fn check_concatenates(&self) -> Result<()> {
        let Decoder::Steps { steps, .. } = &self.decoder else { return Ok(()) };
        match decoder::looks_around(steps) {
            None => Ok(()),
            Some(name) => {
                let hint =
                    "its text is not the bytes of its tokens one after another, so no structure can hold it";
                Err(Error::unsupported("decoder", name, hint))
            }
        }
    }

    /// A token as it is spelled for decoding.
    pub(super) fn spelled(&self, id: u32) -> Result<&str> {
        if let Decoder::Steps { spelled, .. } = &self.decoder
            && let Some(text) = spelled.get(&id)
        {
            return Ok(text);
        }
        self.vocab.text(id).ok_or_else(|| self.no_such(id))
    }

    pub(super) fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// What a token is for.
    ///
    /// # Errors
    /// [`Error::Input`] for an id outside the vocabulary.
    pub fn kind(&self, id: u32) -> Result<TokenKind> {
        self.vocab.kind(id).ok_or_else(|| self.no_such(id))
    }

    /// How many tokens there are.
    pub fn vocab_size(&self) -> usize {
        self.vocab.len()
    }

    /// The token with this spelling in the file.
    pub fn token_id(&self, text: &str) -> Option<u32> {
        self.vocab.find(text)
    }

    /// The token that begins a text.
    pub fn bos(&self) -> Option<u32> {
        self.roles.bos
    }

    /// The token that ends a text.
    pub fn eos(&self) -> Option<u32> {
        self.roles.eos
    }

    /// The token that ends a turn of a chat: the file's, else another one that ends an answer by its name.
    pub fn eot(&self) -> Option<u32> {
        self.roles.eot
    }

    /// The token for what cannot be spelled.
    pub fn unknown(&self) -> Option<u32> {
        self.roles.unknown
    }

    /// The token that fills batches up.
    pub fn padding(&self) -> Option<u32> {
        self.roles.padding
    }

    /// The token before an encoder's text whose state stands for all of it.
    pub fn cls(&self) -> Option<u32> {
        self.roles.cls
    }

    /// The token between and after an encoder's texts.
    pub fn sep(&self) -> Option<u32> {
        self.roles.sep
    }

    /// The token that stands for a word to be found.
    pub fn mask(&self) -> Option<u32> {
        self.roles.mask
    }

    /// Whether `add_special` puts BOS before a text.
    pub fn adds_bos(&self) -> bool {
        self.roles.bos.is_some_and(|bos| self.frame.around_single().0.first() == Some(&bos))
    }

    /// Whether `add_special` puts EOS after a text.
    pub fn adds_eos(&self) -> bool {
        self.roles.eos.is_some_and(|eos| self.frame.around_single().1.last() == Some(&eos))
    }

    /// Whether an answer is over with this token: EOS, end of turn, end of message.
    pub fn is_end(&self, id: u32) -> bool {
        self.ends.binary_search(&id).is_ok()
    }

    /// Every token that ends an answer, ascending.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Whether a token is a control or unknown token, which is no part of the text.
    pub fn is_special(&self, id: u32) -> bool {
        self.vocab.is_special(id)
    }

    fn no_such(&self, id: u32) -> Error {
        Error::input("token", format!("{id} is outside the vocabulary of {} tokens", self.vocab.len()))
    }
}

/// How many tokens two texts keep if the longer loses its last until both fit; of equally long ones the second.
fn shares(first: usize, second: usize, room: usize) -> (usize, usize) {
    let mut excess = (first + second).saturating_sub(room);
    let difference = first.abs_diff(second).min(excess);
    let (mut first, mut second) =
        if first > second { (first - difference, second) } else { (first, second - difference) };
    excess -= difference;
    first -= excess / 2;
    second -= excess - excess / 2;
    (first, second)
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn the_longer_text_is_cut_first() {
        assert_eq!(shares(10, 4, 20), (10, 4));
        assert_eq!(shares(10, 4, 12), (8, 4));
        assert_eq!(shares(10, 4, 5), (3, 2));
        assert_eq!(shares(4, 10, 5), (3, 2));
        assert_eq!(shares(7, 0, 3), (3, 0));
        assert_eq!(shares(7, 7, 0), (0, 0));
    }
}
