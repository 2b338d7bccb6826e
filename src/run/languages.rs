//! Translators of many languages: a token in the source says which language it is in, and one at the beginning of the text which
//! language to write (mBART: Liu et al. 2020; M2M-100: Fan et al. 2021; NLLB: NLLB Team 2022).

use std::collections::BTreeMap;

use super::{Engine, GenerateOptions};
use crate::{
    error::{Error, Result},
    text::Tokenizer,
};

/// Languages by the names of their tokens: `__fr__` is called `fr`, `fr_XX` and `fra_Latn` as they are.
#[derive(Debug, Default)]
pub(super) struct Languages(BTreeMap<String, u32>);

/// What a generation reads and begins with.
pub(super) struct Beginning {
    /// For the encoder.
    pub source: Vec<u32>,
    /// The decoder's first token, which it is given.
    pub start: u32,
    /// The token after it, which it has to write.
    pub forced: Option<u32>,
}

impl Languages {
    pub fn of(tokenizer: &Tokenizer) -> Languages {
        let special = (0..tokenizer.vocab_size() as u32).filter(|id| tokenizer.is_special(*id));
        let named = special.filter_map(|id| Some((language(&tokenizer.piece(id).ok()?)?.to_owned(), id)));
        let languages: BTreeMap<_, _> = named.collect();
        // One name of that form says nothing.
        Languages(if languages.len() > 1 { languages } else { BTreeMap::new() })
    }

    fn find(&self, what: &'static str, name: &str) -> Result<u32> {
        if self.0.is_empty() {
            return Err(Error::input(what, "the model has no tokens for languages: leave it out"));
        }
        let known = || self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let none = || Error::input(what, format!("`{name}` is none of the model's: {}", known()));
        self.0.get(name).copied().ok_or_else(none)
    }

    fn has(&self, token: u32) -> bool {
        self.0.values().any(|id| *id == token)
    }
}

/// The language that a token's name is of.
fn language(token: &str) -> Option<&str> {
    let is = |part: &str, lengths: &[usize], of: fn(&char) -> bool| {
        lengths.contains(&part.len()) && part.chars().all(|c| of(&c))
    };
    let lower: fn(&char) -> bool = char::is_ascii_lowercase;
    let upper: fn(&char) -> bool = char::is_ascii_uppercase;
    if let Some(code) = token.strip_prefix("__").and_then(|rest| rest.strip_suffix("__")) {
        return Some(code).filter(|code| is(code, &[2, 3], lower));
    }
    let (code, place) = token.split_once('_')?;
    let is_script = place.len() == 4 && is(&place[..1], &[1], upper) && is(&place[1..], &[3], lower);
    (is(code, &[2, 3], lower) && (is_script || is(place, &[2], upper))).then_some(token)
}

impl Engine {
    /// The languages that the model has tokens for, as [`GenerateOptions::target_language`] names them; none for most models.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.languages.0.keys().map(String::as_str)
    }

    /// What an encoder-decoder reads and begins with, for the ids of a prompt.
    ///
    /// # Errors
    /// [`Error::Input`] for a language that the model does not have, or a source that says no language.
    pub(super) fn beginning(&self, prompt: &[u32], options: &GenerateOptions) -> Result<Beginning> {
        let defaults = self.defaults();
        let mut source = prompt.to_vec();
        let mut start = defaults.decoder_start.or(defaults.bos).unwrap_or(0);
        let mut forced = defaults.forced_bos;
        if let Some(name) = &options.source_language {
            let token = self.languages.find("source_language", name)?;
            // It stands around the text, where others of the text itself do not.
            let is_last = source.last().is_some_and(|id| self.languages.has(*id));
            let first = source.iter().position(|id| self.languages.has(*id));
            let at = if is_last { Some(source.len() - 1) } else { first }.ok_or_else(|| {
                Error::input("source_language", "the tokenizer puts no language's token into a text")
            })?;
            source[at] = token;
        }
        if let Some(name) = &options.target_language {
            let token = self.languages.find("target_language", name)?;
            // mBART's first models begin with the language, the others write it after their start.
            if self.languages.has(start) { start = token } else { forced = Some(token) }
        }
        Ok(Beginning { source, start, forced })
    }

    /// Refuses languages for a text that goes on.
    pub(super) fn refuse_languages(&self, options: &GenerateOptions) -> Result<()> {
        let named =
            [("source_language", &options.source_language), ("target_language", &options.target_language)];
        match named.into_iter().find(|(_, name)| name.is_some()) {
            Some((what, _)) => {
                Err(Error::input(what, "the model goes on with a text, it does not translate one"))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_languages_have_one_of_three_forms() {
        for (token, name) in
            [("__fr__", "fr"), ("__ast__", "ast"), ("fr_XX", "fr_XX"), ("fra_Latn", "fra_Latn")]
        {
            assert_eq!(language(token), Some(name));
        }
        for token in [
            "<s>",
            "<mask>",
            "fr",
            "__FR__",
            "____",
            "__a__",
            "fr_xx",
            "french_FR",
            "fra_latn",
            "fr_XXX",
            "é_XX",
        ] {
            assert_eq!(language(token), None, "{token}");
        }
    }
}
