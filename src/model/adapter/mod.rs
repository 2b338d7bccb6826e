//! Adapters: small weights beside a model's own, by this crate's names. LoRA (Hu et al. 2021) adds a product of two narrow
//! matrices to a layer's, DoRA (Liu et al. 2024) also scales its rows; a soft prompt (Lester et al. 2021) stands before the text.

mod gguf;
mod peft;
mod tensors;

use std::collections::BTreeMap;

use super::{Change, Config, Modules, Order, Rows, TOKEN_TABLE, Target};
use crate::{
    error::{Error, Result},
    format::AdapterFiles,
};
use tensors::Tensors;

/// What an adapter adds to a layer `y = W x`: `y += b (a x) + bias`.
#[derive(Debug, Clone, PartialEq)]
pub struct LowRank {
    /// Rows of `a`.
    pub rank: usize,
    /// `[rank, n_in]`; of an embedding turned round: `[n, rank]`, a row for each token.
    pub a: Vec<f32>,
    /// `[n_out, rank]`, its scale in it.
    pub b: Vec<f32>,
    /// `[n_out]`, its scale in it.
    pub bias: Option<Vec<f32>>,
    /// `[n_out]`: what the rows of `W + b a` get as their length (DoRA).
    pub magnitude: Option<Vec<f32>>,
}

impl LowRank {
    /// With the rows of its outputs in the order of the target.
    fn ordered(self, target: &Target) -> LowRank {
        let Some((order, n_heads)) = target.order else { return self };
        let rank = self.rank;
        let vector = |v: Option<Vec<f32>>| v.map(|v| ordered(&v, 1, order, n_heads));
        let b = ordered(&self.b, rank, order, n_heads);
        LowRank { b, bias: vector(self.bias), magnitude: vector(self.magnitude), ..self }
    }
}

/// Rows of heads in another order; as they are where heads do not divide them, which is found out when they are compared
/// with the model's.
fn ordered(numbers: &[f32], cols: usize, order: Order, n_heads: usize) -> Vec<f32> {
    let rows = numbers.len() / cols;
    if !rows.is_multiple_of(2 * n_heads) {
        return numbers.to_vec();
    }
    let n = rows / n_heads;
    let row = |i: usize| i / n * n + order.from(i % n, n);
    (0..rows).flat_map(|i| &numbers[row(i) * cols..][..cols]).copied().collect()
}

/// Numbers in the place of a weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Replacement {
    /// Rows of a matrix, 1 of a vector.
    pub rows: usize,
    /// Whether it is a vector.
    pub vector: bool,
    /// Row after row.
    pub numbers: Vec<f32>,
}

/// An adapter in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Adapter {
    /// Its name.
    pub name: String,
    /// What is added to layers, by the name of their weight.
    pub layers: BTreeMap<String, LowRank>,
    /// What is added to the token embeddings.
    pub embedding: Option<LowRank>,
    /// Numbers of weights that were saved, but not trained: the model has the same, by name.
    pub frozen: BTreeMap<String, usize>,
    /// Weights in the place of the model's, by name.
    pub replaced: BTreeMap<String, Replacement>,
    /// Embeddings that stand before the text: `[n, n_embd]`.
    pub prompt: Vec<f32>,
}

/// Tells whether a name is what a pattern of `adapter_config.json` means, a regular expression: see [`Adapter::read`].
pub type Matches<'a> = &'a dyn Fn(&str, &str) -> Result<bool>;

impl Adapter {
    /// Reads an adapter of a model that has these modules. `matches` tells whether a name is, or behind a dot ends in, what
    /// a regular expression says; `reached` is told how many bytes are read, of how many, and may end it.
    ///
    /// # Errors
    /// [`Error::Format`] for tensors that are missing, do not fit each other or what the config says of them, and for those of
    /// a module that the model does not have; [`Error::Unsupported`] for kinds and options of adapters that are not run;
    /// [`Error::NotFinite`]; those of the source and of `reached`.
    pub async fn read(
        files: &AdapterFiles,
        modules: &Modules,
        config: &Config,
        matches: Matches<'_>,
        reached: &dyn Fn(u64, u64) -> Result<()>,
    ) -> Result<Adapter> {
        let metadata = &files.checkpoint.metadata;
        let other;
        let modules = match (&files.config, modules.is_of_gguf()) {
            (Some(_), false) | (None, true) => modules,
            // A soft prompt names no module.
            (Some(json), true) if json["peft_type"] == "PROMPT_TUNING" => modules,
            (Some(_), true) => {
                other = modules.like_folder(config)?;
                &other
            }
            (None, false) => {
                other =
                    modules.like_gguf(config, metadata.opt_str("general.architecture")?.unwrap_or_default());
                &other
            }
        };
        let tensors = Tensors::read(&files.checkpoint, reached).await?;
        let mut adapter = match &files.config {
            Some(json) => peft::read(json, &tensors, modules, matches)?,
            None => gguf::read(metadata, &tensors, modules)?,
        };
        adapter.name = files.title.clone();
        Ok(adapter)
    }

    /// Numbers in all its weights.
    pub fn n_parameters(&self) -> usize {
        let low_ranks = self.layers.values().chain(&self.embedding);
        let of_one = |low: &LowRank| {
            let vectors = [&low.bias, &low.magnitude].into_iter().flatten().map(Vec::len).sum::<usize>();
            low.a.len() + low.b.len() + vectors
        };
        let replaced: usize = self.replaced.values().map(|weight| weight.numbers.len()).sum();
        low_ranks.map(of_one).sum::<usize>() + replaced + self.prompt.len()
    }

    /// The largest rank.
    pub fn rank(&self) -> usize {
        self.layers.values().chain(&self.embedding).map(|low| low.rank).max().unwrap_or(0)
    }

    /// Adds to a layer, or to some rows of one that was cut up.
    fn add_layer(&mut self, file: &str, tensor: &str, target: &Target, low: &LowRank) -> Result<()> {
        if target.weight == TOKEN_TABLE {
            let problem = "the token embeddings are looked up, not multiplied: lora_embedding_A is what is added to them";
            return Err(Error::format(file, tensor, 0, problem));
        }
        let cut = match target.rows {
            None => low.clone(),
            Some(rows) => {
                let n_out = low.b.len() / low.rank;
                let end = rows.first + (rows.groups - 1) * rows.step + rows.len;
                if end > n_out {
                    let problem = format!("it has {n_out} rows, but {end} are needed");
                    return Err(Error::format(file, tensor, 0, problem));
                }
                let vector = |v: &Option<Vec<f32>>| v.as_deref().map(|v| cut(v, 1, rows));
                LowRank {
                    rank: low.rank,
                    a: low.a.clone(),
                    b: cut(&low.b, low.rank, rows),
                    bias: vector(&low.bias),
                    magnitude: vector(&low.magnitude),
                }
            }
        };
        self.layers.insert(target.weight.clone(), cut.ordered(target));
        Ok(())
    }

    /// Puts a tensor in the place of the model's.
    fn replace(
        &mut self,
        file: &str,
        name: &str,
        shape: &[usize],
        numbers: &[f32],
        target: &Target,
    ) -> Result<()> {
        if numbers.is_empty() {
            return Err(Error::format(
                file,
                name,
                0,
                format!("its shape is {shape:?}, which has no numbers"),
            ));
        }
        let cols = if shape.len() < 2 { 1 } else { shape[shape.len() - 1] };
        let is_vector = shape.len() < 2;
        let turned;
        let (numbers, cols) = match target.change {
            Change::None => (numbers, cols),
            Change::Transposed if is_vector => (numbers, cols),
            Change::Transposed => {
                turned = super::weights::transposed(numbers, numbers.len() / cols);
                (&turned[..], numbers.len() / cols)
            }
            Change::PlusOne => {
                turned = numbers.iter().map(|x| x + 1.0).collect();
                (&turned[..], cols)
            }
            Change::TransposedEach => {
                return Err(Error::unsupported(
                    "adapter",
                    name,
                    format!("{file} replaces experts, which is not run"),
                ));
            }
        };
        let reordered;
        let numbers = match target.order {
            Some((order, n_heads)) => {
                reordered = ordered(numbers, cols, order, n_heads);
                &reordered[..]
            }
            None => numbers,
        };
        let own = match target.rows {
            None => numbers.to_vec(),
            Some(rows) if rows.first + (rows.groups - 1) * rows.step + rows.len <= numbers.len() / cols => {
                cut(numbers, cols, rows)
            }
            Some(_) => {
                return Err(Error::format(
                    file,
                    name,
                    0,
                    format!("its shape is {shape:?}, which is too small"),
                ));
            }
        };
        let rows = if is_vector { 1 } else { own.len() / cols };
        self.replaced.insert(target.weight.clone(), Replacement { rows, vector: is_vector, numbers: own });
        Ok(())
    }
}

/// Some rows.
fn cut(numbers: &[f32], cols: usize, rows: Rows) -> Vec<f32> {
    rows.runs().flat_map(|(at, n)| &numbers[at * cols..][..n * cols]).copied().collect()
}

/// Why a tensor's module is unknown.
fn unknown(file: &str, tensor: &str, module: &str, modules: &Modules) -> Error {
    if modules.is_part(&format!("{module}.weight")) {
        let hint = format!("{file} adapts one of several experts, which is not run");
        return Error::unsupported("adapter module", module, hint);
    }
    let problem = format!("the model has no module `{module}`: the adapter was made for another");
    Error::format(file, tensor, 0, problem)
}
