//! The `pre_tokenizer` of a `tokenizer.json`.

use super::{node::Node, normalizers::pattern};
use crate::{
    error::Result,
    text::{
        pre_tokenizer::{Behavior, GPT2, PreTokenizer, PrependScheme},
        regex::Regex,
    },
};

/// Appends the steps that a pre-tokenizer stands for.
pub(super) fn read(node: &Node, steps: &mut Vec<PreTokenizer>) -> Result<()> {
    if node.is_null() {
        return Ok(());
    }
    steps.push(match node.kind()? {
        "Sequence" => return node.get("pretokenizers").list()?.iter().try_for_each(|node| read(node, steps)),
        "BertPreTokenizer" => PreTokenizer::Bert,
        "ByteLevel" => {
            let uses_regex = node.opt("use_regex", Node::bool)?.unwrap_or(true);
            PreTokenizer::ByteLevel {
                adds_prefix_space: node.get("add_prefix_space").bool()?,
                words: if uses_regex { Some(Regex::new(GPT2)?) } else { None },
            }
        }
        "CharDelimiterSplit" | "Delimiter" => PreTokenizer::Delimiter(node.get("delimiter").char()?),
        "Metaspace" => PreTokenizer::Metaspace {
            replacement: node.get("replacement").char()?,
            prepend: prepend_scheme(node)?,
            splits: node.opt("split", Node::bool)?.unwrap_or(true),
        },
        "Whitespace" => PreTokenizer::Whitespace(Regex::whitespace_words()),
        "WhitespaceSplit" => PreTokenizer::WhitespaceSplit,
        "Split" => PreTokenizer::Split {
            pattern: pattern(&node.get("pattern"))?,
            behavior: behavior(&node.get("behavior"))?,
            inverts: node.get("invert").bool()?,
        },
        "Punctuation" => {
            PreTokenizer::Punctuation(node.opt("behavior", behavior)?.unwrap_or(Behavior::Isolated))
        }
        "Digits" => PreTokenizer::Digits { individual: node.get("individual_digits").bool()? },
        "FixedLength" => {
            let length = node.opt("length", Node::usize)?.unwrap_or(5);
            if length == 0 {
                return Err(node.get("length").error("pieces have at least one character"));
            }
            PreTokenizer::FixedLength(length)
        }
        other => return Err(node.unsupported("pre-tokenizer", other)),
    });
    Ok(())
}

fn behavior(node: &Node) -> Result<Behavior> {
    let name = node.str()?;
    Behavior::named(name).ok_or_else(|| node.unsupported("split behavior", name))
}

/// Where `Metaspace` puts a space before the text.
pub(super) fn prepend_scheme(node: &Node) -> Result<PrependScheme> {
    let scheme = match node.opt("prepend_scheme", Node::str)?.unwrap_or("always") {
        "always" => PrependScheme::Always,
        "first" => PrependScheme::First,
        "never" => PrependScheme::Never,
        other => return Err(node.get("prepend_scheme").unsupported("prepend scheme", other)),
    };
    if node.opt("add_prefix_space", Node::bool)? == Some(false) && scheme != PrependScheme::Never {
        return Err(node.get("add_prefix_space").error("it contradicts `prepend_scheme`"));
    }
    Ok(scheme)
}
