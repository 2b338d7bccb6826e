//! A model at work: loading its weights, sessions over the KV cache, generation token by token, stop rules.

mod adapters;
mod batch;
mod beam;
mod constraint;
mod dense;
mod encode;
mod engine;
mod estimate;
mod generation;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
mod grammar;
mod languages;
mod load;
mod logprobs;
mod measure;
mod options;
mod plans;
mod pool;
mod process;
mod revive;
mod scores;
mod session_file;
mod sessions;
mod slots;
mod speculation;
mod stop;
mod stream;
mod tasks;

pub use crate::plan::KvCache;
pub use adapters::{AdapterFacts, AdapterId, AdapterOptions, AdapterUse};
pub use beam::{BeamOptions, BeamSearch, Hypothesis, MAX_BEAMS, Step};
pub use constraint::{Completion, Constraint, TokenBytes};
pub use encode::Text;
pub use engine::{Engine, Facts};
pub use estimate::{Estimate, estimate};
pub use generation::{Draft, Event, FinishReason, Generation, Output, Timings, Usage};
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub use grammar::{Grammars, Structure};
pub use load::{
    Autotune, Fusion, LoadOptions, MAX_DEFAULT_CONTEXT, MAX_DEFAULT_TEXT, Prefer, Progress, load,
    quantize_to, tokenizer,
};
pub use logprobs::{Logprobs, MAX_LOGPROBS};
pub use measure::{Ceilings, DecodeTime, ceilings};
pub use options::{GenerateOptions, WhenFull};

pub use pool::{EmbedOptions, normalize, pool};
pub use process::{ProcessOptions, Processors};
pub use session_file::Saved;
pub use sessions::Session;
pub use slots::Slots;
pub use speculation::Speculation;
pub use stop::StopMatcher;
pub use tasks::{Aggregation, Answer, AnswerOptions, Entity, Filling, Label};
