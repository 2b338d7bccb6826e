//! Models as data: a [`Config`] of features read from metadata, and one set of layers that turns it into plans.
//! A new family is a reader that fills the Config; it needs no new forward code unless it has a new operation.

mod config;
mod decoder;
mod rope;

pub use config::{Config, Rope};
pub use decoder::{ALL_LOGITS, COUNTS, IDS, LOGITS, Output, Weights, decoder_plan};
