//! The `normalizer` of a `tokenizer.json`.

use super::{base64, node::Node};
use crate::{
    error::Result,
    text::{
        normalizer::{Charsmap, Normalizer},
        pattern::Pattern,
        regex::Regex,
    },
};

/// Appends the steps that a normalizer stands for.
pub(super) fn read(node: &Node, steps: &mut Vec<Normalizer>) -> Result<()> {
    if node.is_null() {
        return Ok(());
    }
    steps.push(match node.kind()? {
        "Sequence" => return node.get("normalizers").list()?.iter().try_for_each(|node| read(node, steps)),
        "BertNormalizer" => {
            let lowercases = node.get("lowercase").bool()?;
            Normalizer::Bert {
                cleans: node.get("clean_text").bool()?,
                spaces_ideographs: node.get("handle_chinese_chars").bool()?,
                strips_accents: node.opt("strip_accents", Node::bool)?.unwrap_or(lowercases),
                lowercases,
            }
        }
        "NFC" => Normalizer::Nfc,
        "NFD" => Normalizer::Nfd,
        "NFKC" => Normalizer::Nfkc,
        "NFKD" => Normalizer::Nfkd,
        "Nmt" => Normalizer::Nmt,
        "Lowercase" => Normalizer::Lowercase,
        "StripAccents" => Normalizer::StripAccents,
        "Strip" => {
            Normalizer::Strip { left: node.get("strip_left").bool()?, right: node.get("strip_right").bool()? }
        }
        "Precompiled" => {
            let map = node.get("precompiled_charsmap");
            let bytes = base64::decode(map.str()?).ok_or_else(|| map.error("it is no base64"))?;
            Normalizer::Precompiled(Charsmap::new(&bytes)?)
        }
        "Replace" => Normalizer::Replace {
            pattern: pattern(&node.get("pattern"))?,
            content: node.get("content").str()?.to_owned(),
        },
        "Prepend" => Normalizer::Prepend(node.get("prepend").str()?.to_owned()),
        "ByteLevel" => Normalizer::ByteLevel,
        other => return Err(node.unsupported("normalizer", other)),
    });
    Ok(())
}

/// `{"String": "…"}` or `{"Regex": "…"}`.
pub(super) fn pattern(node: &Node) -> Result<Pattern> {
    if let Some(text) = node.opt("String", Node::str)? {
        // Nothing is found before every character, which is what the empty expression does.
        return Ok(if text.is_empty() {
            Pattern::Regex(Regex::new("")?)
        } else {
            Pattern::Text(text.to_owned())
        });
    }
    let regex = node.get("Regex");
    Ok(Pattern::Regex(Regex::new(regex.str()?)?))
}
