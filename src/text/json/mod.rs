//! Tokenizers out of Hugging Face's `tokenizer.json`, as it is.

mod base64;
mod config;
mod decoders;
mod file;
mod models;
mod node;
mod normalizers;
mod post_processor;
mod pre_tokenizers;
mod vocabulary;

use std::collections::HashMap;

pub use self::config::TokenizerFiles;
use self::{
    file::File,
    node::{FILE, Node},
    vocabulary::Vocabulary,
};
use super::{
    added::{AddedToken, AddedTokens},
    aligned::Aligned,
    decoder,
    frame::Frame,
    normalizer::{Normalizer, normalize},
    tokenizer::{Decoder, Parts, Tokenizer},
};
use crate::error::{Error, Result};

impl Tokenizer {
    /// Reads a `tokenizer.json`; `files` are those beside it. What only concerns batches (truncation, padding) is left
    /// to the caller.
    ///
    /// The tokens around a text are those of its post-processor, as in transformers 5; `add_bos_token` and
    /// `add_eos_token` of the configuration count where it has none.
    ///
    /// # Errors
    /// [`Error::Format`] for what is no `tokenizer.json`, with the place in it, [`Error::Unsupported`] for parts of it
    /// that are not known.
    pub fn from_json(json: &[u8], files: &TokenizerFiles) -> Result<Tokenizer> {
        let file: File = serde_json::from_slice(json)
            .map_err(|error| Error::format(FILE, "the JSON", 0, error.to_string()))?;
        if let Some(version) = file.version.as_deref().filter(|version| *version != "1.0") {
            return Err(Error::unsupported("version of tokenizer.json", version, "this version reads 1.0"));
        }
        let mut normalizers = Vec::new();
        normalizers::read(&Node::new(&file.normalizer, "normalizer"), &mut normalizers)?;
        let mut pre_tokenizers = Vec::new();
        pre_tokenizers::read(&Node::new(&file.pre_tokenizer, "pre_tokenizer"), &mut pre_tokenizers)?;
        let steps = decoder::compile(decoders::read(&Node::new(&file.decoder, "decoder"))?)?;

        let Vocabulary { vocab, added, roles } = Vocabulary::new(&file, files)?;
        let (added, spelled) = normalized(added, &normalizers)?;
        let model = models::read(&file.model, &vocab)?;
        let frame = match post_processor::read(&Node::new(&file.post_processor, "post_processor"))? {
            _ if file.post_processor.is_null() => {
                let bos = roles.bos.filter(|_| files.flag("add_bos_token"));
                Frame::each_text(bos, roles.eos.filter(|_| files.flag("add_eos_token")))
            }
            frame => frame,
        };
        Ok(Tokenizer::new(Parts {
            vocab,
            added: AddedTokens::new(added),
            normalizers,
            pre_tokenizers,
            model,
            frame,
            decoder: Decoder::Steps { steps, spelled },
            roles,
            eom: None,
        }))
    }
}

/// Tokens that are looked for after the normalizers look as those make them, in the text and when they are decoded.
fn normalized(
    mut tokens: Vec<AddedToken>,
    normalizers: &[Normalizer],
) -> Result<(Vec<AddedToken>, HashMap<u32, String>)> {
    let mut spelled = HashMap::new();
    for token in tokens.iter_mut().filter(|token| token.normalized) {
        let mut text = Aligned::new(&token.content, 0);
        normalize(normalizers, &mut text)?;
        if text.text() != token.content {
            token.content = text.text().to_owned();
            spelled.insert(token.id, token.content.clone());
        }
    }
    Ok((tokens, spelled))
}
