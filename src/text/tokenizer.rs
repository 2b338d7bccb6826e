//! The tokenizer of a file.

use std::borrow::Cow;

use super::{
    byte_level::{self, ByteLevel},
    sentencepiece::{self, SentencePiece},
    special::{Part, Specials},
    stream::StreamDecoder,
    vocab::{TokenKind, Vocab, byte_of},
};
use crate::{
    error::{Error, Result},
    format::metadata::Metadata,
};

/// Tokens that end an answer, whatever the metadata says: the names that chat models use.
const END_NAMES: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<turn|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eom_id|>",
    "<EOT>",
    "<|return|>",
    "<|call|>",
    "<end_of_utterance>",
    "<｜end▁of▁sentence｜>",
];

/// A model's tokenizer: text to ids and back.
#[derive(Debug)]
pub struct Tokenizer {
    vocab: Vocab,
    model: Model,
    specials: Specials,
    roles: Roles,
    adds_bos: bool,
    adds_eos: bool,
    /// Tokens after which an answer is over, sorted.
    ends: Vec<u32>,
    /// Special tokens swallow the white space after them (Phi-3).
    strips_after_specials: bool,
}

/// The ids with a role.
#[derive(Debug, Clone, Copy)]
struct Roles {
    bos: Option<u32>,
    eos: Option<u32>,
    eot: Option<u32>,
    unknown: Option<u32>,
    padding: Option<u32>,
}

#[derive(Debug)]
enum Model {
    ByteLevel(ByteLevel),
    SentencePiece(SentencePiece),
}

impl Tokenizer {
    /// Reads the tokenizer out of a GGUF file's metadata.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if there is none, [`Error::Unsupported`] for a kind or a pre-tokenizer that is not
    /// known, [`Error::Format`] where lists, ids or merges do not fit each other.
    pub fn from_metadata(metadata: &Metadata) -> Result<Tokenizer> {
        let vocab = Vocab::read(metadata)?;
        let name = metadata.str("tokenizer.ggml.model")?;
        let usual = |text: &str| vocab.find(text).filter(|_| name == "llama");
        let mut roles = Roles {
            bos: vocab.role(metadata, "bos")?.or_else(|| usual("<s>")),
            eos: vocab.role(metadata, "eos")?.or_else(|| usual("</s>")),
            eot: vocab.role(metadata, "eot")?,
            unknown: vocab.role(metadata, "unknown")?.or_else(|| usual("<unk>")),
            padding: vocab.role(metadata, "padding")?,
        };
        let eom = vocab.role(metadata, "eom")?;
        let model = match name {
            "gpt2" => Model::ByteLevel(ByteLevel::read(metadata, &vocab)?),
            "llama" => Model::SentencePiece(SentencePiece::read(metadata, &vocab, roles.unknown)?),
            other => {
                let hint = "this version reads `gpt2` (byte-level BPE) and `llama` (SentencePiece BPE)";
                return Err(Error::unsupported("tokenizer", other, hint));
            }
        };
        let ends = ends(&vocab, [roles.eos, roles.eot, eom]);
        roles.eot = roles.eot.or_else(|| ends.iter().copied().find(|id| Some(*id) != roles.eos));
        let adds_bos = match &model {
            Model::ByteLevel(model) => model.adds_bos(),
            Model::SentencePiece(_) => true,
        };
        let is_phi3 = metadata.opt_str("general.architecture")? == Some("phi3");
        Ok(Tokenizer {
            specials: Specials::new(&vocab),
            strips_after_specials: is_phi3 && matches!(model, Model::SentencePiece(_)),
            adds_bos: metadata.opt_bool("tokenizer.ggml.add_bos_token")?.unwrap_or(adds_bos),
            adds_eos: metadata.opt_bool("tokenizer.ggml.add_eos_token")?.unwrap_or(false),
            vocab,
            model,
            roles,
            ends,
        })
    }

    /// The ids of a text. `add_special` puts BOS before and EOS after it where the file says so. With
    /// `parse_special` the text of control tokens (`<|im_start|>`) becomes those tokens, without it stays text.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if the vocabulary cannot spell the text, [`Error::Input`] if it is 1 GiB or longer.
    pub fn encode(&self, text: &str, add_special: bool, parse_special: bool) -> Result<Vec<u32>> {
        // Positions are 32 bits wide, and SentencePiece makes three bytes of a space.
        if text.len() >= 1 << 30 {
            return Err(Error::input("text", "it is longer than 1 GiB"));
        }
        let mut ids = Vec::with_capacity(text.len() / 4 + 2);
        if add_special && self.adds_bos {
            ids.extend(self.roles.bos);
        }
        let mut opens = true;
        for part in self.specials.split(text, parse_special, |id| self.strips_after(id)) {
            match (part, &self.model) {
                (Part::Token(id), _) => ids.push(id),
                (Part::Text(text), Model::ByteLevel(model)) => model.encode(&self.vocab, text, &mut ids)?,
                (Part::Text(text), Model::SentencePiece(model)) => {
                    model.encode(&self.vocab, text, opens, &mut ids)?;
                }
            }
            opens = matches!(part, Part::Token(_));
        }
        if add_special && self.adds_eos {
            ids.extend(self.roles.eos);
        }
        Ok(ids)
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
        let (Some(text), Some(kind)) = (self.vocab.text(id), self.vocab.kind(id)) else {
            return Err(self.no_such(id));
        };
        Ok(match (kind, &self.model) {
            (TokenKind::Byte, _) if byte_of(text).is_some() => {
                Cow::Owned(byte_of(text).into_iter().collect())
            }
            (TokenKind::Normal | TokenKind::Unused, Model::ByteLevel(_)) => {
                Cow::Owned(byte_level::bytes_of(text))
            }
            (TokenKind::Normal | TokenKind::Unused | TokenKind::UserDefined, Model::SentencePiece(_))
                if text.contains(sentencepiece::SPACE) =>
            {
                Cow::Owned(text.replace(sentencepiece::SPACE, " ").into_bytes())
            }
            _ => Cow::Borrowed(text.as_bytes()),
        })
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

    /// Whether `add_special` puts BOS before a text.
    pub fn adds_bos(&self) -> bool {
        self.adds_bos && self.roles.bos.is_some()
    }

    /// Whether `add_special` puts EOS after a text.
    pub fn adds_eos(&self) -> bool {
        self.adds_eos && self.roles.eos.is_some()
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
        matches!(self.vocab.kind(id), Some(TokenKind::Control | TokenKind::Unknown))
    }

    /// Whether the first piece of a text carries a space that is not in the text.
    pub(super) fn opens_with_space(&self) -> bool {
        matches!(&self.model, Model::SentencePiece(model) if model.adds_space)
    }

    /// Phi-3 was trained on tokens that strip what follows them, all but these four.
    fn strips_after(&self, id: u32) -> bool {
        let keeps = |text: &str| matches!(text, "<unk>" | "<s>" | "<|endoftext|>");
        self.strips_after_specials && !self.vocab.text(id).is_some_and(keeps)
    }

    fn no_such(&self, id: u32) -> Error {
        Error::input("token", format!("{id} is outside the vocabulary of {} tokens", self.vocab.len()))
    }
}

/// The tokens after which an answer is over.
fn ends(vocab: &Vocab, roles: [Option<u32>; 3]) -> Vec<u32> {
    let named = |name: &&str| vocab.find(name);
    // Where an answer has several messages (gpt-oss), `<|end|>` ends only one of them.
    let many_messages = vocab.find("<|return|>").is_some() && vocab.find("<|call|>").is_some();
    let names = END_NAMES.iter().filter(|name| !(many_messages && **name == "<|end|>"));
    let mut ends: Vec<u32> = roles.into_iter().flatten().chain(names.filter_map(named)).collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}
