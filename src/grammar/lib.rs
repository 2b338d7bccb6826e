//! Which tokens a text may go on with so that it stays within a JSON schema, a regular expression or a grammar. A
//! [`Grammars`] is made once from a model's vocabulary, a [`Constraint`] from it for each text. The work is done by llguidance,
//! an Earley parser over a lexer of derivatives, which looks at tokens as bytes.
//!
//! Nothing is taken leniently: what cannot be held is an [`Error`], so that a text which comes to its end fits.

mod error;
mod lark;
mod pattern;
mod schema;
#[cfg(target_arch = "wasm32")]
mod wasm;

use std::sync::Arc;

use llguidance::{
    Matcher, ParserFactory,
    api::{StopReason, TopLevelGrammar},
    toktrie::{InferenceCapabilities, TokRxInfo, TokTrie, TokenId, TokenizerEnv},
};

pub use error::{Error, Result};

/// Longer tokens are never allowed: the tree of tokens is no deeper.
const MAX_TOKEN_BYTES: usize = 1000;

/// What a text is held to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Structure<'a> {
    /// A JSON schema (draft 4 to 2020-12), as JSON.
    JsonSchema(&'a str),
    /// A regular expression in JavaScript's syntax that the whole text matches.
    Regex(&'a str),
    /// A context-free grammar in llguidance's variant of the syntax of Lark; the text is a `start`. Schemas in it, after `%json`,
    /// are held to like others.
    Lark(&'a str),
}

/// How far a text has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// Something must follow.
    Open,
    /// It is whole; it may end or go on.
    MayEnd,
    /// It is whole, and nothing can follow.
    Over,
}

/// The structures of one vocabulary.
pub struct Grammars {
    factory: ParserFactory,
}

impl Grammars {
    /// Of tokens by their bytes, in the order of their ids. A token without bytes is never allowed. This takes up to a second for
    /// a large vocabulary.
    ///
    /// # Errors
    /// [`Error::Input`] for a vocabulary without a token.
    pub fn new<'a>(tokens: impl IntoIterator<Item = &'a [u8]>) -> Result<Grammars> {
        let fits = |token: &&[u8]| {
            token.len() <= MAX_TOKEN_BYTES && token.first() != Some(&TokTrie::SPECIAL_TOKEN_MARKER)
        };
        let words: Vec<Vec<u8>> =
            tokens.into_iter().map(|token| Some(token).filter(fits).unwrap_or_default().to_vec()).collect();
        if words.iter().all(Vec::is_empty) {
            return Err(Error::input("vocabulary", "none of its tokens has bytes"));
        }
        let info = TokRxInfo::new(words.len() as u32, llguidance::toktrie::INVALID_TOKEN);
        let vocabulary: Arc<dyn TokenizerEnv + Sync> = Arc::new(Vocabulary(TokTrie::from(&info, &words)));
        let slices = llguidance::earley::SlicedBiasComputer::general_slices();
        let factory = ParserFactory::new(&vocabulary, InferenceCapabilities::default(), &slices);
        let mut factory = factory.map_err(|error| Error::input("vocabulary", error.to_string()))?;
        factory.quiet();
        factory.limits_mut().verbose_errors = false;
        Ok(Grammars { factory })
    }

    /// A text that has yet to begin, held to a structure.
    ///
    /// # Errors
    /// [`Error::Input`] for a structure that is malformed or that no text fits, [`Error::Unsupported`] for one that cannot be
    /// held to.
    pub fn constraint(&self, structure: &Structure) -> Result<Constraint> {
        let (what, grammar) = match structure {
            Structure::JsonSchema(text) => {
                ("json_schema", TopLevelGrammar::from_json_schema(schema::prepare(text)?))
            }
            Structure::Regex(text) => ("regex", TopLevelGrammar::from_regex(&pattern::whole(text)?)),
            Structure::Lark(text) => ("lark", TopLevelGrammar::from_lark(lark::prepare(text)?)),
        };
        let matcher = Matcher::new(self.factory.create_parser(grammar));
        match matcher.get_error() {
            Some(problem) => Err(Error::of_structure(what, &problem)),
            None => Ok(Constraint { matcher, what }),
        }
    }
}

/// A text under way.
pub struct Constraint {
    matcher: Matcher,
    what: &'static str,
}

impl Constraint {
    /// Takes the beginning of the text, where it stands there already. To be called before any token is accepted.
    ///
    /// # Errors
    /// [`Error::Input`] for one that no text of the structure begins with, or that no tokens of the vocabulary spell.
    pub fn begin(&mut self, text: &str) -> Result<()> {
        let failed = |error: &dyn std::fmt::Display| Error::of_structure(self.what, &error.to_string());
        let vocabulary = self.matcher.tok_env().map_err(|error| failed(&error))?;
        let trie = vocabulary.tok_trie();
        let tokens = trie.greedy_tokenize(text.as_bytes());
        if trie.decode_raw(&tokens) != text.as_bytes() {
            return Err(Error::input("prefix", "the model's vocabulary has no tokens that spell it"));
        }
        let taken = self.matcher.try_consume_tokens(&tokens).map_err(|error| failed(&error))?;
        if taken == tokens.len() {
            return Ok(());
        }
        let fits = String::from_utf8_lossy(&trie.decode_raw(&tokens[..taken])).into_owned();
        let problem =
            format!("no text that fits begins with it: it may go as far as {fits:?} and then differs");
        Err(Error::input("prefix", problem))
    }

    /// Sets the bits of the tokens that may come next: bit `i % 32` of word `i / 32` for token `i`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the structure became too large to be followed.
    pub fn allow(&mut self, allowed: &mut [u32]) -> Result<Completion> {
        let failed = |error: &dyn std::fmt::Display| Error::of_structure(self.what, &error.to_string());
        match self.matcher.stop_reason() {
            StopReason::NotStopped => {}
            reason if reason.is_ok() => return Ok(Completion::Over),
            reason => return Err(failed(&reason)),
        }
        let may_end = self.matcher.is_accepting().map_err(|error| failed(&error))?;
        match self.matcher.compute_mask() {
            Ok(mask) => {
                allowed.iter_mut().zip(mask.as_slice()).for_each(|(word, mask)| *word |= mask);
                Ok(if may_end { Completion::MayEnd } else { Completion::Open })
            }
            // That nothing can follow may be seen late.
            Err(_) if may_end && self.matcher.stop_reason() == StopReason::NoExtensionBias => {
                Ok(Completion::Over)
            }
            Err(error) => Err(failed(&error)),
        }
    }

    /// Takes the token that came.
    ///
    /// # Errors
    /// [`Error::Input`] for a token that was not allowed.
    pub fn accept(&mut self, id: TokenId) -> Result<()> {
        let accepted = self.matcher.consume_token(id);
        accepted.map_err(|error| Error::of_structure(self.what, &error.to_string()))
    }
}

/// The tokens as llguidance looks at them.
struct Vocabulary(TokTrie);

impl TokenizerEnv for Vocabulary {
    fn tok_trie(&self) -> &TokTrie {
        &self.0
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        self.0.greedy_tokenize(bytes)
    }

    /// How the model's own tokenizer cuts a text is not known here; any tokens that spell what must come are allowed.
    fn tokenize_is_canonical(&self) -> bool {
        false
    }
}
