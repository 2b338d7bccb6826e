//! The tokens after which an answer is over.

use super::vocab::{TokenKind, Vocab};

/// Tokens that end an answer, whatever the metadata says: the names that chat models use.
const NAMES: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<turn|>",
    "<|tool_response>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "[e~[",
    "<eos>",
    "<|return|>",
    "<|call|>",
    "<|calls|>",
    "<|flush|>",
    "<end_of_utterance>",
    "<｜end▁of▁sentence｜>",
];

/// All of them, ascending; `roles` are those that the file names.
pub(super) fn ends(vocab: &Vocab, roles: [Option<u32>; 3]) -> Vec<u32> {
    let has = |name: &str| vocab.find(name).is_some();
    // Where an answer has several messages (gpt-oss, Solar Open), `<|end|>` ends only one of them.
    let many_messages = (has("<|return|>") && has("<|call|>")) || (has("<|calls|>") && has("<|flush|>"));
    let names = NAMES.iter().filter(|name| !(many_messages && **name == "<|end|>"));
    // What stands in brackets may be text like any other.
    let is_text = |name: &str, id: u32| name.starts_with('[') && vocab.kind(id) == Some(TokenKind::Normal);
    let named = names.filter_map(|name| vocab.find(name).filter(|id| !is_text(name, *id)));
    let mut ends: Vec<u32> = Vec::new();
    for id in roles.into_iter().flatten().chain(named) {
        if let Err(place) = ends.binary_search(&id) {
            ends.insert(place, id);
        }
    }
    ends
}
