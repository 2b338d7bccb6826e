//! The `decoder` of a `tokenizer.json`.

use super::{node::Node, normalizers::pattern, pre_tokenizers::prepend_scheme};
use crate::{
    error::Result,
    text::{
        decoder::{Step, Strip},
        pre_tokenizer::PrependScheme,
    },
};

/// The steps that a decoder stands for, in order.
pub(super) fn read(node: &Node) -> Result<Vec<Step>> {
    if node.is_null() {
        return Ok(vec![Step::Join]);
    }
    let mut steps = Vec::new();
    add(node, &mut steps)?;
    Ok(steps)
}

fn add(node: &Node, steps: &mut Vec<Step>) -> Result<()> {
    let text = |key| Ok::<_, crate::Error>(node.get(key).str()?.to_owned());
    steps.push(match node.kind()? {
        "Sequence" => return node.get("decoders").list()?.iter().try_for_each(|node| add(node, steps)),
        "ByteLevel" => Step::ByteLevel,
        "ByteFallback" => Step::ByteFallback,
        "Fuse" => Step::Fuse,
        "WordPiece" => Step::WordPiece { prefix: text("prefix")?, cleans: node.get("cleanup").bool()? },
        "BPEDecoder" => Step::BpeSuffix(text("suffix")?),
        "Metaspace" => Step::Metaspace {
            replacement: node.get("replacement").char()?,
            prepends: prepend_scheme(node)? != PrependScheme::Never,
        },
        "CTC" => Step::Ctc {
            pad: text("pad_token")?,
            delimiter: text("word_delimiter_token")?,
            cleans: node.get("cleanup").bool()?,
        },
        "Replace" => Step::Replace { pattern: pattern(&node.get("pattern"))?, content: text("content")? },
        "Strip" => Step::Strip(Strip {
            content: node.get("content").char()?,
            start: node.get("start").usize()?,
            stop: node.get("stop").usize()?,
        }),
        other => return Err(node.unsupported("decoder", other)),
    });
    Ok(())
}
