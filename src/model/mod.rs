//! Models as data: a [`Config`] of features read from a file, and one set of layers that turns it into plans. A new family
//! is a reader that fills the Config and a list of weight names; it needs no new forward code unless it has a new operation.

mod adapter;
mod config;
mod generation;
mod gguf;
mod hf;
mod layers;
mod modules;
mod plans;
mod rope;
mod tables;
mod weights;

use std::collections::BTreeMap;

pub use adapter::{Adapter, LowRank, Replacement};
pub use config::{
    Config, Dense, Experts, FeedForward, Head, HeadOutput, Layer, NormConfig, Pool, PositionTable, Problem,
    QkNorm, Residual, ScoreBias, Sinusoid, Stack, dense_name,
};
pub use generation::{EarlyStopping, GenerationDefaults};
pub use layers::{cache_name, cross_name};
pub use modules::{Modules, OUTPUT, Order, TOKEN_TABLE, Target};
pub use plans::{
    ALLOWED, BEAM_OUTPUTS, BEAM_POSITIONS, BIAS, Blueprint, COUNTS, DRAFT_OUTPUTS, HIDDEN, IDS, LOGITS,
    OUTPUTS, Output, POSITIONS, SLOTS, SOURCE_IDS, SPANS, TABLE, TYPES,
};
pub use rope::{Rope, Scaling, long_magnitude, yarn_magnitude};
pub use tables::{Tables, alibi_slopes, mpt_slopes};
pub use weights::{Change, Origin, Piece, Rows, Source, Weights};

use crate::{
    error::{Error, Result},
    format::Checkpoint,
};

/// What attention kernels can do.
fn check_head_dim(n: usize) -> Result<()> {
    match n.is_multiple_of(4) && n <= 256 {
        true => Ok(()),
        false => Err(Error::unsupported("head size", n.to_string(), "a multiple of 4 up to 256 is run")),
    }
}

/// What a reader finds out about a checkpoint.
pub struct Description {
    /// The blueprint.
    pub config: Config,
    /// Where each weight is.
    pub origins: BTreeMap<String, Origin>,
    /// Tensors of the files that are no weights, or belong to a head that is not run.
    pub ignored: Vec<String>,
    /// What names of the base model's tensors begin with.
    pub base: String,
    /// What the files would call the output layer, where it is the token embeddings.
    pub tied: Vec<String>,
    /// How it wants its text generated.
    pub generation: GenerationDefaults,
}

/// Reads a checkpoint's features.
///
/// # Errors
/// [`Error::Unsupported`] for a family or feature that is not run, [`Error::Format`] for metadata that is missing, has the
/// wrong type or a value that cannot be.
pub async fn read(checkpoint: &Checkpoint) -> Result<Description> {
    match &checkpoint.folder {
        Some(folder) => hf::read(checkpoint, folder),
        None => gguf::read(checkpoint).await,
    }
}
