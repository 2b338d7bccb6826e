//! The `post_processor` of a `tokenizer.json`: the tokens around a text, and how places are trimmed.

use super::node::Node;
use crate::{
    error::Result,
    text::frame::{Frame, Piece, Trim},
};

/// The frame that a post-processor stands for.
pub(super) fn read(node: &Node) -> Result<Frame> {
    let mut frame = Frame::default();
    let mut is_framed = false;
    if !node.is_null() {
        add(node, &mut frame, &mut is_framed)?;
    }
    Ok(frame)
}

fn add(node: &Node, frame: &mut Frame, is_framed: &mut bool) -> Result<()> {
    let kind = node.kind()?;
    let pieces = match kind {
        "Sequence" => {
            return node.get("processors").list()?.iter().try_for_each(|node| add(node, frame, is_framed));
        }
        "ByteLevel" => return trim(node, frame),
        "BertProcessing" => Frame::bert(token(node, "cls")?, token(node, "sep")?),
        "RobertaProcessing" => {
            trim(node, frame)?;
            Frame::roberta(token(node, "cls")?, token(node, "sep")?)
        }
        "TemplateProcessing" => {
            Frame { single: template(node, "single")?, pair: template(node, "pair")?, trims: Vec::new() }
        }
        other => return Err(node.unsupported("post-processor", other)),
    };
    if std::mem::replace(is_framed, true) {
        return Err(node.unsupported("second post-processor", kind));
    }
    (frame.single, frame.pair) = (pieces.single, pieces.pair);
    Ok(())
}

fn trim(node: &Node, frame: &mut Frame) -> Result<()> {
    if node.get("trim_offsets").bool()? {
        frame.trims.push(Trim { keeps_first_space: node.get("add_prefix_space").bool()? });
    }
    Ok(())
}

/// The id in `["[CLS]", 101]`.
fn token(node: &Node, role: &str) -> Result<u32> {
    let node = node.get(role);
    match &node.list()?[..] {
        [_, id] => id.u32(),
        _ => Err(node.error("a token and its id are expected")),
    }
}

fn template(node: &Node, which: &str) -> Result<Vec<Piece>> {
    let specials = node.get("special_tokens");
    node.get(which).list()?.iter().map(|piece| self::piece(piece, &specials, which == "pair")).collect()
}

fn piece(node: &Node, specials: &Node, in_pair: bool) -> Result<Piece> {
    let sequence = node.get("Sequence");
    if !sequence.is_null() {
        let second = match sequence.get("id").str()? {
            "A" => false,
            "B" if in_pair => true,
            other => return Err(sequence.unsupported("sequence", other)),
        };
        return Ok(Piece::Text { second, type_id: sequence.get("type_id").u32()? });
    }
    let special = node.get("SpecialToken");
    let name = special.get("id").str()?;
    let ids = specials.get(name).get("ids").list()?.iter().map(Node::u32).collect::<Result<_>>()?;
    Ok(Piece::Tokens { ids, type_id: special.get("type_id").u32()? })
}
