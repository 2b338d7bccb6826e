//! A set of adapters: their weights mixed into one addition to each layer, and the plans that compute it.

use std::collections::BTreeMap;

use super::{AdapterId, AdapterUse, Loaded, MOST_SETS};
use crate::{
    backend::{Backend, WeightSpec},
    error::{Error, Result},
    model::{Adapter, LowRank, OUTPUT, TOKEN_TABLE},
    plan::{Adaptation, Addition, Replaced},
    quant::DType,
    run::{Engine, plans::Plans},
};

/// Adapters whose weights are on the device.
pub(super) struct Set {
    pub number: u64,
    uses: Vec<AdapterUse>,
    /// Names of its weights.
    pub weights: Vec<String>,
    /// None while the engine has them.
    pub plans: Option<Plans>,
    /// Tokens of a soft prompt.
    pub n_virtual: usize,
}

impl Set {
    pub fn has(&self, id: AdapterId) -> bool {
        self.uses.iter().any(|one| one.adapter == id)
    }
}

/// A weight that a set brings.
struct Written {
    name: String,
    rows: usize,
    cols: usize,
    vector: bool,
    numbers: Vec<f32>,
}

/// What one layer gets of all adapters of a set together.
#[derive(Default)]
struct Mixed {
    a: Vec<f32>,
    b: Vec<f32>,
    rank: usize,
    bias: Option<Vec<f32>>,
    gain: Option<Vec<f32>>,
}

impl Engine {
    /// The place of the set of these adapters, which are in order; made if it is not there, or its weights written anew where
    /// the mix was another.
    pub(super) fn set_of(&mut self, uses: &[AdapterUse]) -> Result<usize> {
        let ids = |uses: &[AdapterUse]| uses.iter().map(|one| one.adapter).collect::<Vec<_>>();
        let known = self.adapters.sets.iter().position(|set| ids(&set.uses) == ids(uses));
        if let Some(at) = known {
            let set = self.adapters.sets.remove(at);
            let number = set.number;
            let rewrites = set.uses != uses;
            self.adapters.sets.push(set);
            if rewrites {
                let changed = self.mix(number, uses)?.1;
                let changed =
                    changed.iter().filter(|weight| !weight.name.ends_with(".a") && !is_whole(&weight.name));
                let result = changed.into_iter().try_for_each(|weight| write(self.backend.as_mut(), weight));
                if let Err(error) = result {
                    // It is neither the old mix nor the new one.
                    self.drop_set(self.adapters.sets.len() - 1);
                    return Err(error);
                }
            }
            let at = self.adapters.sets.len() - 1;
            self.adapters.sets[at].uses = uses.to_vec();
            return Ok(at);
        }
        while self.adapters.sets.len() >= MOST_SETS {
            // A text may be going on with the one in use.
            let idle = self.adapters.sets.iter().position(|set| Some(set.number) != self.adapters.active);
            self.drop_set(idle.unwrap_or(0));
        }
        self.adapters.n_made += 1;
        let number = self.adapters.n_made;
        let (how, written) = self.mix(number, uses)?;
        let weights: Vec<String> = written.iter().map(|weight| weight.name.clone()).collect();
        let result = written.iter().try_for_each(|weight| write(self.backend.as_mut(), weight));
        if let Err(error) = result {
            self.backend.forget(&[], &weights);
            return Err(error);
        }
        let n_virtual = how.prompt.as_ref().map_or(0, |(_, rows)| rows - 1);
        let plans = Some(self.own_plans().adapted(&how));
        self.adapters.sets.push(Set { number, uses: uses.to_vec(), weights, plans, n_virtual });
        Ok(self.adapters.sets.len() - 1)
    }

    /// What these adapters change together, and the weights that it takes.
    fn mix(&self, number: u64, uses: &[AdapterUse]) -> Result<(Adaptation, Vec<Written>)> {
        let mut how = Adaptation { tied: [TOKEN_TABLE, OUTPUT], ..Adaptation::default() };
        let mut written = Vec::new();
        let all: Vec<(&Loaded, f32)> =
            uses.iter().map(|one| (&self.adapters.loaded[&one.adapter], one.weight)).collect();
        let mut layers: BTreeMap<&str, Mixed> = BTreeMap::new();
        let mut embedding: Vec<(&LowRank, f32)> = Vec::new();
        for (Loaded { adapter, gains }, weight) in &all {
            for (name, low) in &adapter.layers {
                layers.entry(name).or_default().add(low, gains.get(name), *weight);
            }
            embedding.extend(adapter.embedding.iter().map(|low| (low, *weight)));
            replace(number, adapter, &mut how, &mut written)?;
            if !adapter.prompt.is_empty() {
                let cols = self.facts().config.last_stack().n_embd;
                let rows = adapter.prompt.len() / cols + 1;
                let name = format!("adapters.{number}.whole.prompt");
                if uses.len() > 1 {
                    let problem =
                        format!("`{}` is a soft prompt, which is not mixed with others", adapter.name);
                    return Err(Error::input("adapters", problem));
                }
                if *weight != 1.0 {
                    let problem = format!("`{}` is a soft prompt, whose weight is 1", adapter.name);
                    return Err(Error::input("adapters", problem));
                }
                // What follows the prompt gets zeros.
                let numbers = adapter.prompt.iter().copied().chain(vec![0.0; cols]).collect();
                written.push(Written { name: name.clone(), rows, cols, vector: false, numbers });
                how.prompt = Some((name, rows));
            }
        }
        for (layer, mixed) in layers {
            if how.replaced.contains_key(layer) {
                let problem = format!("one of them replaces {layer}, another adds to it");
                return Err(Error::input("adapters", problem));
            }
            let name = format!("adapters.{number}.{layer}");
            how.layers.insert(layer.to_owned(), mixed.write(name, &mut written)?);
        }
        if !embedding.is_empty() {
            let name = format!("adapters.{number}.{TOKEN_TABLE}");
            how.embedding = Some(write_embedding(name, &embedding, &mut written));
        }
        Ok((how, written))
    }
}

/// Weights that are the same in every mix.
fn is_whole(name: &str) -> bool {
    name.split('.').nth(2) == Some("whole")
}

/// The weights that an adapter puts in the place of the model's.
fn replace(number: u64, adapter: &Adapter, how: &mut Adaptation, written: &mut Vec<Written>) -> Result<()> {
    for (weight, replacement) in &adapter.replaced {
        let name = format!("adapters.{number}.whole.{weight}");
        let other = Replaced { name: name.clone() };
        if how.replaced.insert(weight.clone(), other).is_some() {
            let problem = format!("two of them replace {weight}: `{}` is the second", adapter.name);
            return Err(Error::input("adapters", problem));
        }
        let (rows, numbers) = (replacement.rows, replacement.numbers.clone());
        let cols = numbers.len() / rows;
        written.push(Written { name, rows, cols, vector: replacement.vector, numbers });
    }
    Ok(())
}

impl Mixed {
    /// Adds an adapter's part: ranks lie side by side, weights and scales go into `b`.
    fn add(&mut self, low: &LowRank, gain: Option<&Vec<f32>>, weight: f32) {
        let n_out = low.b.len() / low.rank;
        self.a.extend_from_slice(&low.a);
        let before = std::mem::take(&mut self.b);
        for i in 0..n_out {
            self.b.extend_from_slice(&before[i * self.rank..][..self.rank]);
            self.b.extend(low.b[i * low.rank..][..low.rank].iter().map(|b| weight * b));
        }
        self.rank += low.rank;
        if let Some(bias) = &low.bias {
            let sum = self.bias.get_or_insert_with(|| vec![0.0; n_out]);
            sum.iter_mut().zip(bias).for_each(|(sum, bias)| *sum += weight * bias);
        }
        if let Some(gain) = gain {
            let product = self.gain.get_or_insert_with(|| vec![1.0; n_out]);
            product.iter_mut().zip(gain).for_each(|(product, gain)| *product += weight * (gain - 1.0));
        }
    }

    fn write(self, name: String, written: &mut Vec<Written>) -> Result<Addition> {
        let Mixed { a, b, rank, bias, gain } = self;
        if bias.is_some() && gain.is_some() {
            let problem =
                format!("one of them scales {name} (DoRA), another has a bias there: they are not mixed");
            return Err(Error::input("adapters", problem));
        }
        let addition = Addition { name: name.clone(), rank, bias: bias.is_some(), gain: gain.is_some() };
        let (n_in, n_out) = (a.len() / rank, b.len() / rank);
        written.push(Written {
            name: format!("{name}.a"),
            rows: rank,
            cols: n_in,
            vector: false,
            numbers: a,
        });
        written.push(Written {
            name: format!("{name}.b"),
            rows: n_out,
            cols: rank,
            vector: false,
            numbers: b,
        });
        for (what, numbers) in [("bias", bias), ("gain", gain)] {
            let numbers = numbers.into_iter();
            let vector = |numbers| Written {
                name: format!("{name}.{what}"),
                rows: 1,
                cols: n_out,
                vector: true,
                numbers,
            };
            written.extend(numbers.map(vector));
        }
        Ok(addition)
    }
}

/// The same for embeddings, whose first matrix has a row for each token.
fn write_embedding(name: String, all: &[(&LowRank, f32)], written: &mut Vec<Written>) -> Addition {
    let rank = all.iter().map(|(low, _)| low.rank).sum();
    let side_by_side = |part: &dyn Fn(&LowRank) -> &Vec<f32>, weighted: bool| -> Vec<f32> {
        let n = all.first().map_or(0, |(low, _)| part(low).len() / low.rank);
        let row = |i: usize| {
            all.iter().flat_map(move |(low, weight)| {
                let weight = if weighted { *weight } else { 1.0 };
                part(low)[i * low.rank..][..low.rank].iter().map(move |x| weight * x)
            })
        };
        (0..n).flat_map(row).collect()
    };
    let (a, b) = (side_by_side(&|low| &low.a, false), side_by_side(&|low| &low.b, true));
    for (part, numbers) in [("a", a), ("b", b)] {
        let rows = numbers.len() / rank;
        written.push(Written { name: format!("{name}.{part}"), rows, cols: rank, vector: false, numbers });
    }
    Addition { name, rank, bias: false, gain: false }
}

fn write(backend: &mut dyn Backend, weight: &Written) -> Result<()> {
    let Written { name, rows, cols, vector, numbers } = weight;
    let spec = WeightSpec { name, dtype: DType::F32, rows: *rows, cols: *cols, vector: *vector };
    backend.write_weight(&spec, 0, bytemuck::cast_slice(numbers))
}
