//! Adapters at work: loaded beside a model, mixed by weight for one request, given back. The model's own weights and plans stay
//! as they are; a set of adapters has weights and plans of its own, which share the states (the cache among them) by name.

mod dora;
mod load;
mod set;

use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering},
};

use super::{Engine, Progress, plans::Plans};
use crate::{
    backend::Prepared,
    error::{Error, Result},
    format::AdapterFiles,
    model::{Adapter, Modules},
};
use set::Set;

/// Sets whose weights and plans are kept for the next request.
const MOST_SETS: usize = 4;
/// The most adapters of a set.
const MOST_ADAPTERS: usize = 16;
/// The range of weights.
const MOST_WEIGHT: f32 = 1e4;

/// Adapters are numbered through all models, so that another model's is not taken for one of this.
static NEXT: AtomicU32 = AtomicU32::new(1);

/// A loaded adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AdapterId(u32);

/// An adapter in a mix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdapterUse {
    /// Which.
    pub adapter: AdapterId,
    /// What it adds is multiplied with it. Whole weights in the place of the model's are taken as they are.
    pub weight: f32,
}

/// What a page shows of an adapter.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdapterFacts {
    /// The folder's name, or what the file calls it.
    pub name: String,
    /// `lora`, `dora` or `prompt`.
    pub kind: &'static str,
    /// The largest rank; 0 for a soft prompt.
    pub rank: usize,
    /// Layers that something is added to.
    pub layers: usize,
    /// Weights in the place of the model's.
    pub replaced: usize,
    /// Tokens of a soft prompt.
    pub virtual_tokens: usize,
    /// Numbers in all of its weights.
    pub parameters: usize,
}

/// An adapter, its numbers worked out for this model.
struct Loaded {
    adapter: Adapter,
    /// By layer, what the layer's own product is multiplied with (DoRA).
    gains: BTreeMap<String, Vec<f32>>,
}

/// All that an engine knows of adapters.
pub(super) struct Adapters {
    modules: Modules,
    loaded: BTreeMap<AdapterId, Loaded>,
    /// The latest comes last.
    sets: Vec<Set>,
    /// The number of the set whose plans the engine has, none for the model's own.
    active: Option<u64>,
    /// The model's own plans while a set's are in their place.
    own: Option<Plans>,
    n_made: u64,
    /// What is used for everything but generation.
    chosen: Vec<AdapterUse>,
}

impl Adapters {
    pub fn new(modules: Modules) -> Adapters {
        Adapters {
            modules,
            loaded: BTreeMap::new(),
            sets: Vec::new(),
            active: None,
            own: None,
            n_made: 0,
            chosen: Vec::new(),
        }
    }

    /// Takes what is loaded from those of a device that is no more.
    pub fn succeed(&mut self, lost: &mut Adapters) {
        self.loaded = std::mem::take(&mut lost.loaded);
        self.chosen = std::mem::take(&mut lost.chosen);
    }

    /// What is used for everything but generation.
    pub fn chosen(&self) -> Vec<AdapterUse> {
        self.chosen.clone()
    }

    /// Tokens of a soft prompt that stand before every text.
    pub fn n_virtual(&self) -> usize {
        let set = self.sets.iter().find(|set| Some(set.number) == self.active);
        set.map_or(0, |set| set.n_virtual)
    }

    /// # Errors
    /// [`Error::Input`] for adapters that are not loaded, named twice or too many, and for weights that are no numbers.
    pub(super) fn check(&self, uses: &[AdapterUse]) -> Result<()> {
        let bad = |problem: String| Err(Error::input("adapters", problem));
        if uses.len() > MOST_ADAPTERS {
            return bad(format!("{} of them, but at most {MOST_ADAPTERS} are mixed", uses.len()));
        }
        for (i, AdapterUse { adapter, weight }) in uses.iter().enumerate() {
            if !self.loaded.contains_key(adapter) {
                return bad("one of them is not loaded: it was unloaded, or belongs to another model".into());
            }
            if uses[..i].iter().any(|other| other.adapter == *adapter) {
                return bad(format!("`{}` is named twice", self.loaded[adapter].adapter.name));
            }
            if !(-MOST_WEIGHT..=MOST_WEIGHT).contains(weight) {
                return bad(format!("the weight {weight} is not between -{MOST_WEIGHT} and {MOST_WEIGHT}"));
            }
        }
        Ok(())
    }
}

/// A mix in the order that makes equal ones alike.
pub(super) fn sorted(uses: &[AdapterUse]) -> Vec<AdapterUse> {
    let mut uses = uses.to_vec();
    uses.sort_by_key(|one| one.adapter);
    uses
}

impl AdapterId {
    /// The adapter with this number; whether there is one is found out when it is used.
    pub fn of(number: u32) -> AdapterId {
        AdapterId(number)
    }

    /// Its number.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// How an adapter is loaded.
#[derive(Default)]
pub struct AdapterOptions {
    /// Told about the bytes read of its weights, as the stage `weights`.
    pub progress: Option<Rc<dyn Fn(Progress)>>,
    /// Asked between tensors: `true` ends the load with [`Error::Aborted`].
    pub aborted: Option<Rc<dyn Fn() -> bool>>,
}

impl AdapterOptions {
    /// So many bytes of all are read.
    fn reached(&self, loaded: u64, total: u64) -> Result<()> {
        if self.aborted.as_ref().is_some_and(|aborted| aborted()) {
            return Err(Error::Aborted);
        }
        if let Some(tell) = &self.progress {
            tell(Progress { stage: "weights", loaded, total });
        }
        Ok(())
    }
}

impl Engine {
    /// Loads an adapter that was made for this model. It is used where a request names it.
    ///
    /// # Errors
    /// Those of [`Adapter::read`]; [`Error::Format`] for an adapter whose weights do not fit this model's; [`Error::Unsupported`]
    /// for what this model cannot have; [`Error::Aborted`]; those of the device. Nothing of it stays then.
    pub async fn load_adapter(
        &mut self,
        files: &AdapterFiles,
        options: &AdapterOptions,
    ) -> Result<AdapterId> {
        if self.unloaded {
            return Err(Error::Unloaded);
        }
        let loaded = load::load(self, files, options).await?;
        let id = AdapterId(NEXT.fetch_add(1, Ordering::Relaxed));
        self.adapters.loaded.insert(id, loaded);
        // Its weights go to the device now, so that a lack of memory shows here.
        let alone = [AdapterUse { adapter: id, weight: 1.0 }];
        self.backend.begin_trial();
        let made = self.set_of(&alone);
        let told = self.backend.end_trial();
        let written = match made {
            Ok(_) => told.await,
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => Ok(id),
            Err(error) => {
                self.unload_adapter(id)?;
                Err(error)
            }
        }
    }

    /// What there is to know about an adapter.
    ///
    /// # Errors
    /// [`Error::Input`] if it is not loaded.
    pub fn adapter_facts(&self, id: AdapterId) -> Result<AdapterFacts> {
        self.adapters.check(&[AdapterUse { adapter: id, weight: 1.0 }])?;
        let Loaded { adapter, gains } = &self.adapters.loaded[&id];
        let kind = match (adapter.prompt.is_empty(), gains.is_empty()) {
            (false, _) => "prompt",
            (true, false) => "dora",
            (true, true) => "lora",
        };
        Ok(AdapterFacts {
            name: adapter.name.clone(),
            kind,
            rank: adapter.rank(),
            layers: adapter.layers.len() + usize::from(adapter.embedding.is_some()),
            replaced: adapter.replaced.len(),
            virtual_tokens: adapter.prompt.len() / self.facts().config.last_stack().n_embd,
            parameters: adapter.n_parameters(),
        })
    }

    /// Gives an adapter's memory back, on the device too. A generation that uses it cannot go on.
    ///
    /// # Errors
    /// [`Error::Input`] if it is not loaded; [`Error::Unloaded`] after the model was.
    pub fn unload_adapter(&mut self, id: AdapterId) -> Result<()> {
        if self.unloaded {
            return Err(Error::Unloaded);
        }
        if self.adapters.loaded.remove(&id).is_none() {
            return Err(Error::input(
                "adapter",
                "it is not loaded: it was unloaded, or belongs to another model",
            ));
        }
        if self.cached.adapters.iter().any(|one| one.adapter == id) {
            self.leave_batch(&[])?;
        }
        self.adapters.chosen.retain(|one| one.adapter != id);
        self.drop_aside_with(id);
        while let Some(at) = self.adapters.sets.iter().position(|set| set.has(id)) {
            self.drop_set(at);
        }
        Ok(())
    }

    /// Which adapters shape what is read from now on: logits, labels, embeddings. None until it is said; a generation's own are
    /// in its options.
    ///
    /// # Errors
    /// [`Error::Input`] for adapters that are not loaded, named twice or too many, and for weights that are no numbers.
    pub fn set_adapters(&mut self, uses: &[AdapterUse]) -> Result<()> {
        self.adapters.check(uses)?;
        self.adapters.chosen = uses.to_vec();
        Ok(())
    }

    /// What follows is computed with these adapters, and nothing that was computed with others is used for it.
    pub(super) fn adapt(&mut self, uses: &[AdapterUse]) -> Result<()> {
        let uses = sorted(uses);
        if self.cached.adapters != uses {
            self.adapters.check(&uses)?;
            self.cached.clear();
            self.cached.source.clear();
            self.latest += 1; // a generation that was running cannot go on
            self.retire();
            if !uses.is_empty() {
                let at = self.set_of(&uses)?;
                let set = &mut self.adapters.sets[at];
                if let Some(plans) = set.plans.take() {
                    self.adapters.own = Some(std::mem::replace(&mut self.plans, plans));
                    self.adapters.active = Some(set.number);
                }
            }
            self.cached.adapters = uses;
        }
        Ok(())
    }

    /// The model's own plans come back.
    fn retire(&mut self) {
        if let Some(own) = self.adapters.own.take() {
            let plans = std::mem::replace(&mut self.plans, own);
            let active = self.adapters.active.take();
            if let Some(set) = self.adapters.sets.iter_mut().find(|set| Some(set.number) == active) {
                set.plans = Some(plans);
            }
        }
        self.cached.adapters.clear();
    }

    /// Gives the memory of a set back.
    fn drop_set(&mut self, at: usize) {
        if self.adapters.active == Some(self.adapters.sets[at].number) {
            self.retire();
            self.cached.clear();
            self.cached.source.clear();
            self.latest += 1;
        }
        let set = self.adapters.sets.remove(at);
        let handles: Vec<Prepared> = set.plans.iter().flat_map(Plans::handles).collect();
        self.backend.forget(&handles, &set.weights);
    }

    /// The model's own plans, whichever are in use.
    pub(super) fn own_plans(&self) -> &Plans {
        self.adapters.own.as_ref().unwrap_or(&self.plans)
    }
}
