//! Text to ids and back: tokenizers read out of a file's metadata, text that streams as whole characters, and
//! the chat templates that turn messages into a prompt.

mod byte_level;
mod id_table;
mod merge;
mod pre;
mod pre_rules;
mod sentencepiece;
mod special;
mod stream;
mod template;
mod tokenizer;
mod vocab;

pub use stream::StreamDecoder;
pub use template::ChatTemplate;
pub use tokenizer::Tokenizer;
pub use vocab::TokenKind;
