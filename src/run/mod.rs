//! A model at work: loading its weights, sessions over the KV cache, generation token by token, stop rules.

mod adapters;
mod beam;
mod dense;
mod encode;
mod engine;
mod estimate;
mod generation;
mod load;
mod measure;
mod options;
mod plans;
mod pool;
mod process;
mod slots;
mod speculation;
mod stop;
mod stream;
mod tasks;

pub use crate::plan::KvCache;
pub use adapters::{AdapterFacts, AdapterId, AdapterOptions, AdapterUse};
pub use beam::{BeamOptions, BeamSearch, Hypothesis, MAX_BEAMS, Step};
pub use encode::Text;
pub use engine::{Engine, Facts};
pub use estimate::{Estimate, estimate};
pub use generation::{Draft, Event, FinishReason, Generation, Output, Timings, Usage};
pub use load::{
    Autotune, Fusion, LoadOptions, MAX_DEFAULT_CONTEXT, MAX_DEFAULT_TEXT, Prefer, Progress, load,
    quantize_to, tokenizer,
};
pub use measure::{Ceilings, DecodeTime, ceilings};
pub use options::GenerateOptions;
pub use pool::{EmbedOptions, normalize, pool};
pub use process::{ProcessOptions, Processors};
pub use slots::Slots;
pub use speculation::Speculation;
pub use stop::StopMatcher;
pub use tasks::{Aggregation, Answer, AnswerOptions, Entity, Filling, Label};
