//! GGUF's tensor names are this crate's own, but for the few that stand for several weights.

use std::collections::BTreeMap;

use crate::{
    format::Checkpoint,
    model::{Change, Config, Origin, Piece, Rows, Stack},
};

/// Names that some files have for what this crate calls by another.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("attn_post_norm.", "post_attention_norm."),
    ("attn_o.", "attn_output."),
    ("cross_attn_o.", "cross_attn_output."),
];

/// Every weight's place in the file.
pub(super) fn origins(checkpoint: &Checkpoint, config: &Config) -> BTreeMap<String, Origin> {
    let mut origins = BTreeMap::new();
    for name in checkpoint.tensors.keys() {
        let ours = OTHER_NAMES.iter().fold(name.clone(), |name, (theirs, ours)| name.replace(theirs, ours));
        origins.insert(ours, Origin::whole(name));
    }
    for stack in [&config.encoder, &config.decoder].into_iter().flatten() {
        for i in 0..stack.layers.len() {
            split_fused(&mut origins, checkpoint, stack, &format!("{}blk.{i}", stack.prefix));
            rename_falcon(&mut origins, &format!("blk.{i}"));
        }
    }
    // gpt-oss's norm before the feed-forward bears the name that others have for the one after the attention.
    if config.architecture == "gpt-oss" {
        for i in 0..config.last_stack().layers.len() {
            if let Some(norm) = origins.remove(&format!("blk.{i}.post_attention_norm.weight")) {
                origins.insert(format!("blk.{i}.ffn_norm.weight"), norm);
            }
        }
    }
    origins
}

/// `attn_qkv` holds queries, keys and values one below the other; an `ffn_up` of twice the width holds the gate first.
fn split_fused(origins: &mut BTreeMap<String, Origin>, checkpoint: &Checkpoint, stack: &Stack, layer: &str) {
    let (q, kv, n_ff) = (stack.attention.q_dim(), stack.attention.kv_dim(), stack.feed_forward.n_ff);
    let up = checkpoint.tensors.get(&format!("{layer}.ffn_up.weight"));
    let has_both = up.is_some_and(|info| info.shape.first() == Some(&(2 * n_ff)));
    for kind in ["weight", "bias"] {
        let qkv = format!("{layer}.attn_qkv.{kind}");
        if origins.remove(&qkv).is_some() {
            for (part, first, len) in [("q", 0, q), ("k", q, kv), ("v", q + kv, kv)] {
                origins.insert(format!("{layer}.attn_{part}.{kind}"), rows(&qkv, first, len));
            }
        }
        let (gate, up) = (format!("{layer}.ffn_gate.{kind}"), format!("{layer}.ffn_up.{kind}"));
        if stack.feed_forward.gated && has_both && origins.contains_key(&up) {
            origins.insert(gate, rows(&up, 0, n_ff));
            origins.insert(up.clone(), rows(&up, n_ff, n_ff));
        }
    }
}

/// Falcon's `attn_norm` goes to the feed-forward where there is a second norm, which goes to the attention.
fn rename_falcon(origins: &mut BTreeMap<String, Origin>, layer: &str) {
    for kind in ["weight", "bias"] {
        if let Some(second) = origins.remove(&format!("{layer}.attn_norm_2.{kind}")) {
            let first = origins.insert(format!("{layer}.attn_norm.{kind}"), second);
            origins.extend(first.map(|first| (format!("{layer}.ffn_norm.{kind}"), first)));
        }
    }
}

fn rows(tensor: &str, first: usize, len: usize) -> Origin {
    let pieces = vec![Piece { tensor: tensor.to_owned(), rows: Some(Rows::run(first, len)) }];
    Origin::File { pieces, change: Change::None }
}
