//! From the names that adapters have for a model's modules to this crate's weights.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, Config, Description, Origin, Rows, hf};
use crate::{error::Result, plan::RopeStyle};

/// The weight that the output layer has where it is one of its own.
pub const OUTPUT: &str = "output.weight";
/// The token embeddings.
pub const TOKEN_TABLE: &str = "token_embd.weight";

/// GGUF's architectures whose converter reorders the rows of queries and keys, so that the numbers of a rotated pair are
/// neighbours.
const PAIRED: &[&str] = &["llama", "mistral", "mistral3", "arcee", "smollm3", "granite"];

/// What one tensor of the model's files became: a weight, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The weight's name.
    pub weight: String,
    /// Which rows of the tensor; all where none.
    pub rows: Option<Rows>,
    /// How its numbers became the weight's.
    pub change: Change,
    /// How the rows of heads are reordered, and how many heads there are.
    pub order: Option<(Order, usize)>,
}

/// An order for the rows of each head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// From halves of a head to neighbours.
    Pairs,
    /// From neighbours to halves.
    Halves,
}

impl Order {
    /// The row that comes to place `i` of a head of `n` rows.
    pub fn from(self, i: usize, n: usize) -> usize {
        let half = n / 2;
        match self {
            Order::Pairs => i % 2 * half + i / 2,
            Order::Halves => i % half * 2 + i / half,
        }
    }
}

/// A model's weights by the names that its files have for them.
#[derive(Debug, Clone, Default)]
pub struct Modules {
    targets: BTreeMap<String, Vec<Target>>,
    /// Tensors of which each is one part of a weight among others: experts.
    parts: Vec<String>,
    /// What names of the base model's tensors begin with.
    base: String,
    tied: bool,
    gguf: bool,
}

impl Modules {
    /// Those of a model that was read, from a GGUF file or a folder.
    pub fn of(description: &Description, gguf: bool) -> Modules {
        let base = description.base.clone();
        let tied = !description.origins.contains_key(OUTPUT);
        let mut modules = Modules { base, tied, gguf, ..Modules::default() };
        for (weight, origin) in &description.origins {
            match origin {
                Origin::File { pieces, change } if pieces.len() == 1 => {
                    modules.add(&pieces[0].tensor, weight, pieces[0].rows, *change);
                }
                Origin::File { pieces, .. } => {
                    modules.parts.extend(pieces.iter().map(|piece| piece.tensor.clone()));
                }
                Origin::Made { .. } => {}
            }
        }
        for tensor in &description.tied {
            modules.add(tensor, OUTPUT, None, Change::None);
        }
        modules
    }

    /// The same model's under the names of a Hugging Face folder, where its files are GGUF.
    ///
    /// # Errors
    /// [`crate::Error::Unsupported`] for a family whose names are not known.
    pub fn like_folder(&self, config: &Config) -> Result<Modules> {
        let (description, style) = hf::like_gguf(config, self.tied)?;
        let own = config.last_stack().ropes.first().map(|rope| rope.style);
        let mut modules = Modules::of(&description, false);
        let reorders = style != own && own == Some(RopeStyle::Interleaved);
        let weights: BTreeSet<&str> = self.weights().collect();
        for targets in modules.targets.values_mut() {
            targets.retain(|target| weights.contains(target.weight.as_str()) || target.weight == OUTPUT);
            for target in targets.iter_mut().filter(|_| reorders) {
                target.order = order(&target.weight, config, Order::Pairs);
            }
        }
        modules.targets.retain(|_, targets| !targets.is_empty());
        modules.tied = self.tied;
        Ok(modules)
    }

    /// The same model's under the names of a GGUF file of an architecture, where its files are a Hugging Face folder.
    pub fn like_gguf(&self, config: &Config, architecture: &str) -> Modules {
        let mut modules = Modules { tied: self.tied, ..Modules::default() };
        let own = config.last_stack().ropes.first().map(|rope| rope.style);
        let reorders = PAIRED.contains(&architecture) && own == Some(RopeStyle::Halves);
        let weights = self.weights().chain([OUTPUT, TOKEN_TABLE]);
        for weight in weights.collect::<BTreeSet<_>>() {
            modules.add(weight, weight, None, Change::None);
            let stack = config.last_stack();
            // Some are fused there.
            let (q, kv) = (stack.attention.q_dim(), stack.attention.kv_dim());
            for (part, first, len) in [("attn_q.", 0, q), ("attn_k.", q, kv), ("attn_v.", q + kv, kv)] {
                if weight.contains(part) {
                    let fused = weight.replace(part, "attn_qkv.");
                    modules.add(&fused, weight, Some(Rows::run(first, len)), Change::None);
                }
            }
        }
        if reorders {
            for target in modules.targets.values_mut().flatten() {
                target.order = order(&target.weight, config, Order::Halves);
            }
        }
        modules
    }

    fn weights(&self) -> impl Iterator<Item = &str> {
        self.targets.values().flatten().map(|target| target.weight.as_str())
    }

    fn add(&mut self, tensor: &str, weight: &str, rows: Option<Rows>, change: Change) {
        let target = Target { weight: weight.to_owned(), rows, change, order: None };
        self.targets.entry(tensor.to_owned()).or_default().push(target);
    }

    /// What the tensor of this name became. Where an adapter was made for another class of the same model, what stands before
    /// the base model's names differs.
    pub fn find(&self, tensor: &str) -> Option<&[Target]> {
        let inner = tensor.split_once('.').map_or("", |(_, rest)| rest);
        let base = &self.base;
        let names =
            [tensor.to_owned(), format!("{base}{tensor}"), inner.to_owned(), format!("{base}{inner}")];
        names.iter().find_map(|name| self.targets.get(name)).map(Vec::as_slice)
    }

    /// Whether its files are GGUF.
    pub fn is_of_gguf(&self) -> bool {
        self.gguf
    }

    /// Whether the output layer is the token embeddings.
    pub fn is_tied(&self) -> bool {
        self.tied
    }

    /// Whether the tensor is one of several that are one weight.
    pub fn is_part(&self, tensor: &str) -> bool {
        self.parts.iter().any(|part| part.ends_with(tensor) || tensor.ends_with(part.as_str()))
    }
}

/// The order of queries and keys.
fn order(weight: &str, config: &Config, order: Order) -> Option<(Order, usize)> {
    let shape = &config.last_stack().attention;
    match weight {
        _ if weight.contains(".attn_q.") => Some((order, shape.n_heads)),
        _ if weight.contains(".attn_k.") => Some((order, shape.n_kv_heads)),
        _ => None,
    }
}
