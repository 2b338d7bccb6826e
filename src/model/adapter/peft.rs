//! PEFT's folder: what `adapter_config.json` says, and tensors by the names of Hugging Face's modules.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    Adapter, LowRank, Matches,
    tensors::{Tensor, Tensors},
    unknown,
};
use crate::{
    error::{Error, Result},
    model::{Modules, TOKEN_TABLE},
};

const FILE: &str = "adapter_config.json";

/// Keys of LoRA that say nothing of what a trained adapter computes, or are read here.
const KNOWN: &[&str] = &[
    "alpha_pattern",
    "auto_mapping",
    "base_model_name_or_path",
    "base_model_class",
    "bias",
    "corda_config",
    "eva_config",
    "exclude_modules",
    "fan_in_fan_out",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_alpha",
    "lora_bias",
    "lora_dropout",
    "lora_ga_config",
    "megatron_core",
    "modules_to_save",
    "parent_library",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "rank_pattern",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
    "use_dora",
    "use_rslora",
];
/// Beginnings of how weights were made at first that changed the model's own.
const CHANGED_BASE: &[&str] = &["pissa", "olora", "corda", "loftq", "lora_ga"];
/// What stands before every module's name.
const PREFIX: &str = "base_model.model.";

/// Reads an adapter by its config.
pub(super) fn read(
    config: &Json,
    tensors: &Tensors,
    modules: &Modules,
    matches: Matches<'_>,
) -> Result<Adapter> {
    match config["peft_type"].as_str() {
        Some("LORA") => LowRankConfig::read(config)?.adapter(tensors, modules, matches),
        Some("PROMPT_TUNING") => prompt(config, tensors),
        Some(other) => Err(Error::unsupported("adapter", other, "LORA and PROMPT_TUNING are run")),
        None => Err(Error::format(FILE, "peft_type", 0, "the key is missing")),
    }
}

/// A soft prompt's embeddings.
fn prompt(config: &Json, tensors: &Tensors) -> Result<Adapter> {
    let task = config["task_type"].as_str().unwrap_or("none");
    if task != "CAUSAL_LM" {
        return Err(Error::unsupported("task of a soft prompt", task, "CAUSAL_LM is run"));
    }
    let mut adapter = Adapter::default();
    for (name, tensor) in tensors.iter() {
        if name != "prompt_embeddings" {
            return Err(tensors.bad(name, "a soft prompt has no such tensor"));
        }
        let (rows, cols, numbers) = tensors.matrix(name, tensor)?;
        for (key, found) in [("num_virtual_tokens", rows), ("token_dim", cols)] {
            if config[key].as_u64().is_some_and(|n| n != found as u64) {
                let problem = format!("its shape is [{rows}, {cols}], but `{key}` is {}", config[key]);
                return Err(tensors.bad(name, problem));
            }
        }
        adapter.prompt = numbers.to_vec();
    }
    match adapter.prompt.is_empty() {
        true => Err(tensors.bad("prompt_embeddings", "the tensor is missing")),
        false => Ok(adapter),
    }
}

/// What a config says of all layers.
struct LowRankConfig {
    r: usize,
    alpha: f64,
    ranks: Vec<(String, f64)>,
    alphas: Vec<(String, f64)>,
    rs: bool,
    dora: bool,
}

/// The tensors of one module.
#[derive(Default)]
struct Parts<'a> {
    a: Option<(&'a str, &'a Tensor)>,
    b: Option<(&'a str, &'a Tensor)>,
    bias: Option<(&'a str, &'a Tensor)>,
    magnitude: Option<(&'a str, &'a Tensor)>,
    embedding: bool,
}

impl LowRankConfig {
    fn read(config: &Json) -> Result<LowRankConfig> {
        let bad = |key: &str, problem: &str| Error::format(FILE, key, 0, problem);
        for (key, value) in config.as_object().into_iter().flatten() {
            let says_nothing = match value {
                Json::Null | Json::Bool(false) => true,
                Json::Array(list) => list.is_empty(),
                Json::Object(map) => map.is_empty(),
                _ => false,
            };
            if !says_nothing && !KNOWN.contains(&key.as_str()) {
                return Err(Error::unsupported("option of LoRA", key, format!("{FILE} asks for it")));
            }
        }
        if let Some(how) = config["init_lora_weights"].as_str()
            && CHANGED_BASE.iter().any(|beginning| how.starts_with(beginning))
        {
            let hint = "it changed the model's own weights: save the adapter converted to LoRA, as PEFT's \
                        `path_initial_model_for_weight_conversion` does";
            return Err(Error::unsupported("init_lora_weights", how, hint));
        }
        let r = config["r"].as_u64().filter(|r| *r > 0).ok_or_else(|| bad("r", "it is not a rank"))?;
        let alpha = config["lora_alpha"].as_f64().ok_or_else(|| bad("lora_alpha", "it is not a number"))?;
        let pattern = |key: &str| -> Result<Vec<(String, f64)>> {
            let entries = config[key].as_object().into_iter().flatten();
            let number = |value: &Json| value.as_f64().filter(|n| n.is_finite());
            entries
                .map(|(name, value)| {
                    Ok((name.clone(), number(value).ok_or_else(|| bad(key, "a value is not a number"))?))
                })
                .collect()
        };
        Ok(LowRankConfig {
            r: r as usize,
            alpha,
            ranks: pattern("rank_pattern")?,
            alphas: pattern("alpha_pattern")?,
            rs: config["use_rslora"] == true,
            dora: config["use_dora"] == true,
        })
    }

    fn adapter(&self, tensors: &Tensors, modules: &Modules, matches: Matches<'_>) -> Result<Adapter> {
        let mut adapter = Adapter::default();
        let mut parts: BTreeMap<&str, Parts> = BTreeMap::new();
        let mut others = Vec::new();
        for (name, tensor) in tensors.iter() {
            let inner = name.strip_prefix(PREFIX).unwrap_or(name);
            let Some((module, kind)) = inner.split_once(".lora_") else {
                others.push((name, inner, tensor));
                continue;
            };
            let parts = parts.entry(module).or_default();
            // Adapters that are saved by hand have their own name in those of the tensors.
            let kind = kind.replace(".default", "");
            let part = match kind.as_str() {
                "A.weight" => &mut parts.a,
                "B.weight" => &mut parts.b,
                "B.bias" => &mut parts.bias,
                "embedding_A" | "embedding_B" => {
                    parts.embedding = true;
                    if kind.ends_with('A') { &mut parts.a } else { &mut parts.b }
                }
                "magnitude_vector" | "magnitude_vector.weight" => &mut parts.magnitude,
                _ => return Err(tensors.bad(name, "LoRA has no such tensor")),
            };
            *part = Some((name, tensor));
        }
        for (module, parts) in parts {
            let low = self.low_rank(tensors, module, &parts, matches)?;
            let first = parts.a.map_or(module, |(name, _)| name);
            let targets = modules.find(&format!("{module}.weight"));
            let targets = targets.ok_or_else(|| unknown(&tensors.file, first, module, modules))?;
            for target in targets {
                match parts.embedding {
                    true if target.weight == TOKEN_TABLE => adapter.embedding = Some(low.clone()),
                    true => {
                        let hint = "LoRA of the token embeddings is run, of other tables not";
                        return Err(Error::unsupported("adapter module", module, hint));
                    }
                    false => adapter.add_layer(&tensors.file, first, target, &low)?,
                }
            }
        }
        for (name, inner, tensor) in others {
            self.replace(&mut adapter, tensors, modules, (name, inner, tensor))?;
        }
        match adapter.layers.is_empty() && adapter.embedding.is_none() && adapter.replaced.is_empty() {
            true => Err(tensors.bad("tensors", "there is none")),
            false => Ok(adapter),
        }
    }

    /// The two matrices of a module, checked against each other and the config.
    fn low_rank(
        &self,
        tensors: &Tensors,
        module: &str,
        parts: &Parts,
        matches: Matches<'_>,
    ) -> Result<LowRank> {
        let missing = |what: &str| tensors.bad(module, format!("its tensor lora_{what} is missing"));
        let (a_name, a) = parts.a.ok_or_else(|| missing("A"))?;
        let (b_name, b) = parts.b.ok_or_else(|| missing("B"))?;
        let (rank, n_in, a) = tensors.matrix(a_name, a)?;
        let (n_out, b_cols, b) = tensors.matrix(b_name, b)?;
        let expected = self.of(&self.ranks, module, matches)?.unwrap_or(self.r as f64);
        if rank as f64 != expected {
            return Err(tensors.bad(a_name, format!("its rank is {rank}, {FILE} calls for {expected}")));
        }
        if b_cols != rank {
            return Err(
                tensors.bad(b_name, format!("its shape is [{n_out}, {b_cols}], but the rank is {rank}"))
            );
        }
        let alpha = self.of(&self.alphas, module, matches)?.unwrap_or(self.alpha);
        // Kalajdzievski 2023 divides by the root.
        let scale = (alpha / if self.rs { (rank as f64).sqrt() } else { rank as f64 }) as f32;
        let scaled = |numbers: &[f32]| -> Vec<f32> { numbers.iter().map(|x| x * scale).collect() };
        let vector = |part: Option<(&str, &Tensor)>| match part {
            None => Ok(None),
            Some((_, tensor)) if tensor.numbers.len() == n_out => Ok(Some(tensor.numbers.clone())),
            Some((name, tensor)) => Err(tensors
                .bad(name, format!("its shape is {:?}, but the layer has {n_out} outputs", tensor.shape))),
        };
        let magnitude = vector(parts.magnitude)?;
        if magnitude.is_some() != self.dora {
            let problem = if self.dora {
                "its lora_magnitude_vector is missing"
            } else {
                "its lora_magnitude_vector is DoRA's, which the config does not name"
            };
            return Err(tensors.bad(module, problem));
        }
        if magnitude.is_some() && parts.embedding {
            return Err(Error::unsupported(
                "adapter module",
                module,
                "DoRA of linear layers is run, of embeddings not",
            ));
        }
        // A row for each token is what is looked up.
        let a = if parts.embedding { crate::model::weights::transposed(a, rank) } else { a.to_vec() };
        let bias = vector(parts.bias)?.map(|bias| scaled(&bias));
        debug_assert_eq!(a.len(), rank * n_in);
        Ok(LowRank { rank, a, b: scaled(b), bias, magnitude })
    }

    /// What the first pattern says that means a module.
    fn of(&self, patterns: &[(String, f64)], module: &str, matches: Matches<'_>) -> Result<Option<f64>> {
        for (pattern, value) in patterns {
            if matches(pattern, module)? {
                return Ok(Some(*value));
            }
        }
        Ok(None)
    }

    /// A tensor in the place of the model's: of `modules_to_save`, a bias that was trained too, embeddings with new rows.
    fn replace(
        &self,
        adapter: &mut Adapter,
        tensors: &Tensors,
        modules: &Modules,
        (name, inner, tensor): (&str, &str, &Tensor),
    ) -> Result<()> {
        if inner.contains(".original_module.") {
            return Ok(()); // what stood there before
        }
        let own = inner.replace(".modules_to_save.default", "").replace(".modules_to_save", "");
        let plain = own.replace(".base_layer", "");
        let module = plain.rsplit_once('.').map_or(plain.as_str(), |(module, _)| module);
        let targets = modules.find(&plain).ok_or_else(|| unknown(&tensors.file, name, module, modules))?;
        for target in targets {
            // PEFT saves adapted embeddings and output layers whole, though only their biases may be trained.
            if plain != own && own.ends_with(".weight") {
                adapter.frozen.insert(target.weight.clone(), tensor.numbers.len());
            } else {
                adapter.replace(&tensors.file, name, &tensor.shape, &tensor.numbers, target)?;
            }
        }
        Ok(())
    }
}
