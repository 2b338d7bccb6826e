//! Text to ids and back: tokenizers read out of a GGUF file's metadata or a `tokenizer.json`, text that streams as
//! whole characters, and the chat templates that turn messages into a prompt.
//!
//! A text passes added tokens, normalizers, pre-tokenizers, a model and the frame, and keeps the places of its bytes
//! all the way. The steps are those of Hugging Face's `tokenizers` and give its ids and places; they are our own,
//! because the crate's settled version (0.23) adds more to the page's download than all else together (690 KB after
//! gzip), and its coming one (1.0) has no places.

mod added;
mod aligned;
mod alphabet;
mod decoder;
mod encoding;
mod ends;
mod frame;
mod gguf;
mod id_table;
mod json;
mod model;
mod normalizer;
mod pattern;
mod pre_tokenizer;
mod regex;
mod stream;
mod template;
mod tokenizer;
mod unicode;
mod vocab;

/// Whether a name is, or behind a dot ends in, what a regular expression says, as PEFT reads the keys of its patterns.
///
/// # Errors
/// [`crate::Error::Unsupported`] for what is no expression or uses what this crate's leave out.
pub(crate) fn ends_in(pattern: &str, name: &str) -> crate::Result<bool> {
    let whole = regex::Regex::new(&format!("^(?:.*\\.)?(?:{pattern})$"))?;
    Ok(whole.parts(name)?.iter().any(|part| part.is_match))
}

pub use encoding::Encoding;
pub use json::TokenizerFiles;
pub use stream::StreamDecoder;
pub use template::ChatTemplate;
pub use tokenizer::Tokenizer;
pub use vocab::TokenKind;
