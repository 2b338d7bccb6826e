//! From the names that tensors have in a Hugging Face folder to this crate's. A family lists pairs of names; whole tensors,
//! rows of fused ones and tensors of several pieces all end up as [`Origin`]s.

use std::collections::BTreeMap;

use crate::{
    format::Checkpoint,
    model::{Change, Origin, Piece, Rows},
    plan::AttentionShape,
};

/// What old folders call the weight and the bias of a layer norm.
const WEIGHT: [&str; 2] = [".weight", ".gamma"];
const BIAS: [&str; 2] = [".bias", ".beta"];

/// Ends of names of what older versions of transformers saved with the weights, and computes anew: masks, position numbers, tables.
const BUFFERS: &[&str] = &[
    "rotary_emb.inv_freq",
    "rotary_emb.cos_cached",
    "rotary_emb.sin_cached",
    ".attn.bias",
    ".attn.masked_bias",
    ".attn.causal_mask",
    ".attention.bias",
    ".attention.masked_bias",
    ".attention.rotary_emb.inv_freq",
    "position_ids",
    "token_type_ids",
    "embed_positions.weights",
];

/// One module: its name here, and in the folder below what the layers stand in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    ours: &'static str,
    theirs: &'static str,
    rows: Option<Rows>,
    change: Change,
}

/// A module that is here as it is there.
pub(super) const fn same(ours: &'static str, theirs: &'static str) -> Rule {
    Rule { ours, theirs, rows: None, change: Change::None }
}

impl Rule {
    /// The same with the weights changed; biases stay.
    pub const fn change(self, change: Change) -> Rule {
        Rule { change, ..self }
    }

    /// The rows of a fused module.
    pub const fn rows(self, rows: Rows) -> Rule {
        Rule { rows: Some(rows), ..self }
    }
}

/// Several modules that are here as they are there.
pub(super) fn all<const N: usize>(pairs: [(&'static str, &'static str); N]) -> Vec<Rule> {
    pairs.iter().map(|(ours, theirs)| same(ours, theirs)).collect()
}

/// How a fused projection orders its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fused {
    /// All queries, all keys, all values.
    Stacked,
    /// For each key/value head its queries, its key, its value.
    ByHead,
}

/// Queries, keys and values out of the fused projection `theirs`.
pub(super) fn qkv(theirs: &'static str, shape: &AttentionShape, fused: Fused) -> [Rule; 3] {
    let (groups, q, kv) = match fused {
        Fused::Stacked => (1, shape.q_dim(), shape.kv_dim()),
        Fused::ByHead => (shape.n_kv_heads, shape.q_dim() / shape.n_kv_heads, shape.head_dim),
    };
    let part = |ours, first, len| same(ours, theirs).rows(Rows { first, len, step: q + 2 * kv, groups });
    [part("attn_q", 0, q), part("attn_k", q, kv), part("attn_v", q + kv, kv)]
}

/// Two halves `n` rows high out of the fused projection `theirs`: the first comes first.
pub(super) fn halves(ours: [&'static str; 2], theirs: &'static str, n: usize) -> [Rule; 2] {
    [same(ours[0], theirs).rows(Rows::run(0, n)), same(ours[1], theirs).rows(Rows::run(n, n))]
}

/// The origins of a folder's weights while they are collected.
pub(super) struct Names<'a> {
    checkpoint: &'a Checkpoint,
    /// What stands before the names of the base model: nothing, or `model.`, `bert.`, ….
    base: String,
    origins: BTreeMap<String, Origin>,
    ignored: Vec<String>,
    tied: Vec<String>,
}

/// All that is known of the names in a folder.
pub(super) struct Known {
    /// By this crate's names.
    pub origins: BTreeMap<String, Origin>,
    /// The tensors that may stay unused.
    pub ignored: Vec<String>,
    /// What names of the base model's tensors begin with.
    pub base: String,
    /// What the output layer's tensor would be called, where it is the token embeddings.
    pub tied: Vec<String>,
}

impl<'a> Names<'a> {
    /// Finds out the base model's prefix by the token embeddings, for which a family has these names; the first that the
    /// folder has counts.
    pub fn new(checkpoint: &'a Checkpoint, embeddings: &[&'static str]) -> Names<'a> {
        let mut names = Names {
            checkpoint,
            base: String::new(),
            origins: BTreeMap::new(),
            ignored: vec![],
            tied: vec![],
        };
        for embedding in embeddings {
            let tensor = format!("{embedding}.weight");
            let all = checkpoint.tensors.keys().chain(checkpoint.foreign.keys());
            let prefixes = all.filter_map(|name| name.strip_suffix(&tensor));
            let shortest = prefixes.filter(|p| p.is_empty() || p.ends_with('.')).min_by_key(|p| p.len());
            if let Some(prefix) = shortest {
                names.base = prefix.to_owned();
                names.base_rules(&[same("token_embd", embedding)]);
                return names;
            }
        }
        names.base_rules(&[same("token_embd", embeddings[0])]);
        names
    }

    /// Whether the folder has a tensor; `@` stands for the base model's prefix.
    pub fn has(&self, name: &str) -> bool {
        self.checkpoint.has(&self.full(name))
    }

    fn full(&self, name: &str) -> String {
        match name.strip_prefix('@') {
            Some(rest) => format!("{}{rest}", self.base),
            None => name.to_owned(),
        }
    }

    /// Modules of the base model that are there once.
    pub fn base_rules(&mut self, rules: &[Rule]) {
        self.stack_rules("", "", rules);
    }

    /// The same in one half of an encoder-decoder: `prefix` is `enc.` or `dec.`, `at` where it is in the base model.
    pub fn stack_rules(&mut self, prefix: &str, at: &str, rules: &[Rule]) {
        for rule in rules {
            let names = [(format!("{prefix}{}", rule.ours), format!("{}{at}{}", self.base, rule.theirs))];
            self.module(&names, rule.rows, rule.change);
        }
    }

    /// Modules of each of `n` layers, which are the base model's `{at}0.` to `{at}{n-1}.`.
    pub fn layers(&mut self, prefix: &str, at: &str, n: usize, rules: &[Rule]) {
        for rule in rules {
            let name = |i| {
                (format!("{prefix}blk.{i}.{}", rule.ours), format!("{}{at}{i}.{}", self.base, rule.theirs))
            };
            let names: Vec<_> = (0..n).map(name).collect();
            self.module(&names, rule.rows, rule.change);
        }
    }

    /// A module outside of the base model, or in it where its name begins with `@`.
    pub fn head(&mut self, ours: &str, theirs: &str) {
        self.module(&[(ours.to_owned(), self.full(theirs))], None, Change::None);
    }

    /// A tensor under its whole name; `@` stands for the base model's prefix.
    pub fn tensor(&mut self, ours: &str, theirs: &str) {
        self.origins.insert(ours.to_owned(), Origin::whole(self.full(theirs)));
    }

    /// A module of one or several layers, by its names here and there. What one layer has, all must have; a weight that is
    /// missing everywhere is listed too, so that an error can tell its name.
    fn module(&mut self, names: &[(String, String)], rows: Option<Rows>, change: Change) {
        let find = |theirs: &str, ends: &[&str]| {
            let tensors = ends.iter().map(|end| format!("{theirs}{end}"));
            tensors.into_iter().find(|name| self.checkpoint.has(name))
        };
        let has_bias = names.iter().any(|(_, theirs)| find(theirs, &BIAS).is_some());
        let mut found = Vec::new();
        for (ours, theirs) in names {
            // Some tensors are no module's weight but stand for themselves.
            let weight = find(theirs, &[WEIGHT[0], WEIGHT[1], ""]);
            found.push((format!("{ours}.weight"), weight.unwrap_or(format!("{theirs}.weight")), change));
            if has_bias {
                let bias = find(theirs, &BIAS);
                let change = if change == Change::PlusOne { change } else { Change::None };
                found.push((format!("{ours}.bias"), bias.unwrap_or(format!("{theirs}.bias")), change));
            }
        }
        for (ours, tensor, change) in found {
            self.pieces(ours, vec![Piece { tensor, rows }], change);
        }
    }

    /// A weight of several pieces, one below the other.
    pub fn pieces(&mut self, ours: String, pieces: Vec<Piece>, change: Change) {
        self.origins.insert(ours, Origin::File { pieces, change });
    }

    /// The base model's prefix.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The output layer over the vocabulary: a matrix of its own where the folder has one of these names, else the token
    /// embeddings where the two are `tied`. (Where both are there, transformers takes them as they are, tied or not.)
    pub fn output(&mut self, tied: bool, names: &[&str]) {
        let found = names.iter().find(|name| self.has(&format!("{name}.weight")));
        match found {
            Some(name) => self.head("output", name),
            None if !tied => self.head("output", names[0]),
            None => {
                self.tied = names.iter().map(|name| format!("{name}.weight")).collect();
                if let Some(name) = names.iter().find(|name| self.has(&format!("{name}.bias"))) {
                    self.tensor("output.bias", &format!("{name}.bias"));
                }
            }
        }
    }

    /// The layer norms of a model have biases all or none, but for those of queries and keys: where some have, the others' are
    /// listed too.
    fn expect_biases_of_norms(&mut self) {
        let norms = self.origins.keys().filter_map(|name| name.strip_suffix("norm.weight"));
        let norms = norms.filter(|stem| !stem.ends_with("attn_q_") && !stem.ends_with("attn_k_"));
        let (with, without): (Vec<String>, Vec<String>) =
            norms.map(str::to_owned).partition(|stem| self.origins.contains_key(&format!("{stem}norm.bias")));
        for stem in without.iter().filter(|_| !with.is_empty()) {
            if let Some(Origin::File { pieces, .. }) = self.origins.get(&format!("{stem}norm.weight")) {
                let bias = pieces[0].tensor.replace(".weight", ".bias").replace(".gamma", ".beta");
                self.origins.insert(format!("{stem}norm.bias"), Origin::whole(bias));
            }
        }
    }

    /// Tensors whose names begin so belong to heads that may be left out; `@` stands for the base model's prefix.
    pub fn ignore(&mut self, beginnings: &[&str]) {
        for beginning in beginnings {
            let beginning = self.full(beginning);
            self.ignored.push(beginning);
        }
    }

    /// All that was collected.
    pub fn finish(mut self) -> Known {
        self.expect_biases_of_norms();
        let known = |name: &&String| {
            BUFFERS.iter().any(|end| name.ends_with(end))
                || self.ignored.iter().any(|beginning| name.starts_with(beginning))
        };
        let ignored = self.checkpoint.tensors.keys().filter(known).cloned().collect();
        Known { origins: self.origins, ignored, base: self.base, tied: self.tied }
    }
}
