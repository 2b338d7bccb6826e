//! What a model will take of a device, told before anything of its weights is read.

use std::collections::BTreeMap;

use super::{
    LoadOptions,
    load::{check_aborted, context_length},
    plans::Plans,
};
use crate::{
    backend::Kind,
    error::Result,
    format::Checkpoint,
    model::{self, BEAM_OUTPUTS, Blueprint, Description, HIDDEN, LOGITS, OUTPUTS, Tables, Weights},
    plan::Storage,
};

/// Bytes of device memory after a load; on the CPU of the module's own memory and that of its helpers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Matrices and vectors of the files, as they lie on the device.
    pub weights: u64,
    /// Keys and values of a whole context.
    pub cache: u64,
    /// Tables made from the files, as those of rotations.
    pub tables: u64,
    /// What runs work with: activations, token ids, what the model puts out.
    pub activations: u64,
}

impl Estimate {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights + self.cache + self.tables + self.activations
    }
}

/// What a load with these options takes on a device of this kind: what [`super::Engine::counters`] says after it, within a few
/// per cent. Of the files the headers are read, and what tables are made from.
///
/// # Errors
/// Those that [`super::load`] has for the files and the options.
pub async fn estimate(checkpoint: &Checkpoint, options: &LoadOptions, kind: Kind) -> Result<Estimate> {
    check_aborted(options)?;
    let Description { config, origins, .. } = model::read(checkpoint).await?;
    let n_ctx = context_length(&config, options)?;
    let mut weights = Weights::new(checkpoint, origins, options.quantize);
    let tables = Tables::of(&config, &mut weights, n_ctx).await?;
    let blueprint =
        Blueprint { config: &config, weights: &weights, tables: &tables, n_ctx, kv_cache: options.kv_cache };
    let plans = Plans::build(&blueprint, kind.prefill_rows())?;

    // By name, since plans share what outlives them.
    let mut kept = BTreeMap::new();
    let all = plans.all();
    let weights = all.iter().flat_map(|plan| &plan.values);
    let weights = weights.filter(|info| matches!(info.storage, Storage::Matrix { .. } | Storage::Vector));
    for info in weights.chain(plans.prepared_at_load().flat_map(|plan| &plan.values)) {
        if !matches!(info.storage, Storage::Activation) {
            kept.entry(&info.name).or_insert(info);
        }
    }
    let mut estimate = Estimate::default();
    for (name, info) in kept {
        let is_output = [LOGITS, OUTPUTS, HIDDEN, BEAM_OUTPUTS].contains(&name.as_str());
        let part = match info.storage {
            Storage::Matrix { .. } | Storage::Vector => &mut estimate.weights,
            Storage::Constant(_) => &mut estimate.tables,
            Storage::State | Storage::Halves | Storage::Bytes if !is_output => &mut estimate.cache,
            _ => &mut estimate.activations,
        };
        *part += kind.value_bytes(info);
    }
    estimate.activations += kind.scratch_bytes(plans.prepared_at_load());
    Ok(estimate)
}
