//! The `model` of a `tokenizer.json`.

use serde_json::Value;

use super::{
    file::{ModelPart, Pairs, VocabPart},
    node::Node,
};
use crate::{
    error::{Error, Result},
    text::{
        model::{Bpe, MergeList, Model, Spelling, Unigram, WholeWords, WordPiece},
        vocab::Vocab,
    },
};

/// Where a model's parts stand in the file.
const MODEL: &str = "model";

/// Which model a file describes; old files do not say so.
fn kind(part: &ModelPart) -> &str {
    let has = |key| part.options.contains_key(key);
    match part.options.get("type").and_then(Value::as_str) {
        Some(kind) => kind,
        None if part.merges.is_some() => "BPE",
        None if matches!(part.vocab, Some(VocabPart::Scores(..))) => "Unigram",
        None if has("continuing_subword_prefix") || has("max_input_chars_per_word") => "WordPiece",
        None => "WordLevel",
    }
}

/// # Errors
/// [`Error::Unsupported`] for a model that is not known, [`Error::Format`] where its parts do not fit each other.
pub(super) fn read(part: &ModelPart, vocab: &Vocab) -> Result<Model> {
    let options = Value::Object(part.options.clone());
    let node = Node::new(&options, MODEL);
    let unknown = |name: &str| vocab.find_in_model(name);
    Ok(match (kind(part), &part.vocab) {
        ("BPE", Some(VocabPart::Ids(..))) => Model::Bpe(bpe(&node, part.merges.as_ref(), vocab)?),
        ("WordPiece", Some(VocabPart::Ids(..))) => Model::WordPiece(WordPiece {
            prefixes: vocab.prefixes(|_| true),
            unknown: unknown(node.get("unk_token").str()?),
            beginning: String::new(),
            continuing: node.get("continuing_subword_prefix").str()?.to_owned(),
            most_chars: node.get("max_input_chars_per_word").usize()?,
        }),
        ("WordLevel", Some(VocabPart::Ids(..))) => {
            Model::WordLevel { unknown: unknown(node.get("unk_token").str()?) }
        }
        ("Unigram", Some(VocabPart::Scores(texts, scores))) => {
            let unknown = node.opt("unk_id", Node::u32)?;
            if unknown.is_some_and(|id| id as usize >= texts.len()) {
                return Err(node
                    .get("unk_id")
                    .error(format!("it is outside the vocabulary of {}", texts.len())));
            }
            let falls_back = node.opt("byte_fallback", Node::bool)?.unwrap_or(false);
            let lowest = scores.iter().copied().fold(f64::INFINITY, f64::min);
            let bytes = falls_back.then(|| vocab.byte_tokens());
            Model::Unigram(Unigram::new(vocab.prefixes(|_| true), scores.clone(), lowest, unknown, bytes))
        }
        ("BPE" | "WordPiece" | "WordLevel" | "Unigram", _) => {
            return Err(node
                .get("vocab")
                .error("an object of ids is expected, or for Unigram a list of scores"));
        }
        (other, _) => return Err(node.unsupported("tokenizer model", other)),
    })
}

/// `dropout`, which is for training, is left aside.
fn bpe(node: &Node, merges: Option<&Pairs>, vocab: &Vocab) -> Result<Bpe> {
    let list = node.get("merges");
    let texts = &merges.ok_or_else(|| list.error("it is missing"))?.0;
    let text = |key| Ok::<_, Error>(node.opt(key, Node::str)?.unwrap_or_default().to_owned());
    let flag = |key| Ok::<_, Error>(node.opt(key, Node::bool)?.unwrap_or(false));
    let prefix = text("continuing_subword_prefix")?;
    let pairs = (0..texts.len() / 2).map(|i| Some((&texts[2 * i], &texts[2 * i + 1])));
    let merges = MergeList::new(vocab, pairs, &prefix, true).map_err(|problem| list.error(problem))?;
    let unknown = |name: &str| vocab.find_in_model(name).ok_or_else(|| name.to_owned());
    let spelling = Spelling {
        suffix: text("end_of_word_suffix")?,
        whole_words: if flag("ignore_merges")? { WholeWords::All } else { WholeWords::None },
        bytes: flag("byte_fallback")?.then(|| vocab.byte_tokens()),
        unknown: node.opt("unk_token", Node::str)?.map(unknown),
        fuses_unknown: flag("fuse_unk")?,
        drops_unknown: true,
        prefix,
    };
    Ok(Bpe::new(vocab, merges, spelling))
}
