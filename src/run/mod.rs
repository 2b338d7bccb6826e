//! A model at work: loading its weights, sessions over the KV cache, generation token by token, stop rules.

mod engine;
mod generation;
mod load;
mod options;
mod stop;

pub use engine::{Engine, Facts};
pub use generation::{Event, FinishReason, Generation, Output, Timings, Usage};
pub use load::{LoadOptions, MAX_DEFAULT_CONTEXT, Prefer, Progress, load};
pub use options::GenerateOptions;
pub use stop::StopMatcher;
