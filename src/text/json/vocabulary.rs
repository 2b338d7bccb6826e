//! The tokens of a `tokenizer.json`, those of the model and the added ones, under their ids, and those with a role.

use std::collections::HashMap;

use super::{
    config::TokenizerFiles,
    file::{Added, File, VocabPart},
    node::FILE,
};
use crate::{
    error::{Error, Result},
    format::StringArray,
    text::{
        added::AddedToken,
        model::NONE,
        tokenizer::Roles,
        vocab::{TokenKind, Vocab, byte_of},
    },
};

/// What all tokens are.
pub(super) struct Vocabulary {
    pub vocab: Vocab,
    pub added: Vec<AddedToken>,
    pub roles: Roles,
}

impl Vocabulary {
    /// # Errors
    /// [`Error::Format`] if there is no vocabulary, or for ids that are used twice or beyond all reason.
    pub fn new(file: &File, files: &TokenizerFiles) -> Result<Self> {
        let listed = files.added();
        let mut vocab = base(file, file.added_tokens.len() + listed.len())?;
        let mut added = Tokens::default();
        for token in &file.added_tokens {
            added.add(&mut vocab, token)?;
        }
        for token in &listed {
            if !added.ids.contains_key(&token.content) {
                added.add(&mut vocab, token)?;
            }
        }
        let roles = roles(&vocab, file, files);
        // A token with a role is special, whether or not the file lists it.
        for id in [roles.bos, roles.eos, roles.unknown, roles.padding, roles.cls, roles.sep, roles.mask] {
            let text = id.and_then(|id| vocab.text(id)).map(str::to_owned);
            if let Some(content) = text.filter(|text| files.names(text) && !added.ids.contains_key(text)) {
                added.add(&mut vocab, &Added { content, special: true, ..Added::default() })?;
            }
        }
        for token in &added.tokens {
            let kind = match token.special {
                true if Some(token.id) == roles.unknown => TokenKind::Unknown,
                true => TokenKind::Control,
                false => TokenKind::UserDefined,
            };
            vocab.set_kind(token.id, kind);
        }
        Ok(Vocabulary { vocab, added: added.tokens, roles })
    }
}

/// The added tokens so far.
#[derive(Default)]
struct Tokens {
    tokens: Vec<AddedToken>,
    /// Ids by content.
    ids: HashMap<String, u32>,
    /// Places in `tokens` by id.
    places: HashMap<u32, usize>,
}

impl Tokens {
    /// A token that the model knows has its id there; others are numbered from the model's last on.
    fn add(&mut self, vocab: &mut Vocab, token: &Added) -> Result<()> {
        if token.content.is_empty() {
            return Ok(());
        }
        let known = self.ids.get(&token.content).copied().or_else(|| vocab.find(&token.content));
        let id = known.or_else(|| vocab.push(&token.content, TokenKind::Normal));
        let id = id.ok_or_else(|| error("added_tokens", "the texts of all tokens together pass 4 GiB"))?;
        self.ids.insert(token.content.clone(), id);
        let token = AddedToken {
            id,
            content: token.content.clone(),
            special: token.special,
            normalized: token.normalized,
            lstrip: token.lstrip,
            rstrip: token.rstrip,
            single_word: token.single_word,
        };
        match self.places.get(&id) {
            Some(&place) => self.tokens[place] = token,
            None => {
                self.places.insert(id, self.tokens.len());
                self.tokens.push(token);
            }
        }
        Ok(())
    }
}

fn error(field: &str, problem: impl Into<String>) -> Error {
    Error::format(FILE, field, 0, problem)
}

/// The model's tokens in the order of their ids, with room for `n_added` more.
fn base(file: &File, n_added: usize) -> Result<Vocab> {
    const FIELD: &str = "model.vocab";
    let (texts, ids) = match &file.model.vocab {
        None => return Err(error(FIELD, "it is missing")),
        Some(VocabPart::Scores(texts, _)) => {
            return Ok(Vocab::new(texts.clone(), kinds(file, texts), true, n_added));
        }
        Some(VocabPart::Ids(texts, ids)) => (texts, ids),
    };
    let n_ids = ids.iter().max().map_or(0, |last| *last as usize + 1);
    // Ids may be left out, but a file cannot ask for more memory than it has bytes for.
    if n_ids > 2 * ids.len() + (1 << 16) {
        return Err(error(FIELD, format!("the id {} is too large for {} tokens", n_ids - 1, ids.len())));
    }
    let mut places = vec![NONE; n_ids];
    for (place, id) in ids.iter().enumerate() {
        if std::mem::replace(&mut places[*id as usize], place as u32) != NONE {
            return Err(error(FIELD, format!("{:?} has the id {id} of another token", &texts[place])));
        }
    }
    let mut ordered = StringArray::with_capacity(n_ids);
    for place in places {
        let text = if place == NONE { "" } else { &texts[place as usize] };
        if !ordered.push(text) {
            return Err(error(FIELD, "the texts of all tokens together pass 4 GiB"));
        }
    }
    let kinds = kinds(file, &ordered);
    Ok(Vocab::new(ordered, kinds, false, n_added))
}

/// Byte tokens are such only where the model falls back to them.
fn kinds(file: &File, texts: &StringArray) -> Vec<TokenKind> {
    let falls_back =
        file.model.options.get("byte_fallback").and_then(serde_json::Value::as_bool) == Some(true);
    let kind = |text| match byte_of(text).filter(|_| falls_back) {
        Some(_) => TokenKind::Byte,
        None => TokenKind::Normal,
    };
    texts.iter().map(kind).collect()
}

/// The tokens that the files name, or else the usual names.
fn roles(vocab: &Vocab, file: &File, files: &TokenizerFiles) -> Roles {
    let role = |name: &str, usual: &[&str]| {
        let named = files.token(name).and_then(|text| vocab.find(text));
        // One file that names tokens leaves out those that the model does not have.
        let guess = || usual.iter().find_map(|text| vocab.find(text));
        if files.names_any() { named } else { guess() }
    };
    let option = |key: &str| file.model.options.get(key);
    let unknown = option("unk_token").and_then(|text| vocab.find(text.as_str()?));
    let unknown = unknown.or_else(|| option("unk_id")?.as_u64()?.try_into().ok());
    Roles {
        bos: role("bos_token", &["<s>", "<bos>", "<|begin_of_text|>"]),
        eos: role("eos_token", &["</s>", "<eos>", "<|endoftext|>", "<|end_of_text|>"]),
        eot: None,
        unknown: role("unk_token", &["[UNK]", "<unk>"]).or(unknown),
        padding: role("pad_token", &["[PAD]", "<pad>"]),
        cls: role("cls_token", &["[CLS]"]),
        sep: role("sep_token", &["[SEP]"]),
        mask: role("mask_token", &["[MASK]", "<mask>"]),
    }
}
