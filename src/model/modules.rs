//! From the names that adapters have for a model's modules to this crate's weights.

use std::collections::BTreeMap;

use super::{Change, Description, Origin, Rows};

/// The weight that the output layer has where it is one of its own.
pub const OUTPUT: &str = "output.weight";
/// The token embeddings.
pub const TOKEN_TABLE: &str = "token_embd.weight";

/// What one tensor of the model's files became: a weight, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The weight's name.
    pub weight: String,
    /// Which rows of the tensor; all where none.
    pub rows: Option<Rows>,
    /// How its numbers became the weight's.
    pub change: Change,
}

/// A model's weights by the names that its files have for them.
#[derive(Debug, Clone, Default)]
pub struct Modules {
    targets: BTreeMap<String, Vec<Target>>,
    /// Tensors of which each is one part of a weight among others: experts.
    parts: Vec<String>,
    /// What names of the base model's tensors begin with.
    base: String,
    /// Whether the output layer is the token embeddings.
    tied: bool,
}

impl Modules {
    /// Those of a model that was read.
    pub fn of(description: &Description) -> Modules {
        let mut modules = Modules { base: description.base.clone(), ..Modules::default() };
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
        modules.tied = !description.origins.contains_key(OUTPUT);
        for tensor in &description.tied {
            modules.add(tensor, OUTPUT, None, Change::None);
        }
        modules
    }

    fn add(&mut self, tensor: &str, weight: &str, rows: Option<Rows>, change: Change) {
        let target = Target { weight: weight.to_owned(), rows, change };
        self.targets.entry(tensor.to_owned()).or_default().push(target);
    }

    /// What the tensor of this name became. Where an adapter was made for another class of the same model, what stands before
    /// the base model's names differs.
    pub fn find(&self, tensor: &str) -> Option<&[Target]> {
        let inner = tensor.split_once('.').map_or("", |(_, rest)| rest);
        let names = [
            tensor.to_owned(),
            format!("{}{tensor}", self.base),
            inner.to_owned(),
            format!("{}{inner}", self.base),
        ];
        names.iter().find_map(|name| self.targets.get(name)).map(Vec::as_slice)
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
