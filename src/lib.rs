//! **intab** runs transformer language models inside a browser tab.
//!
//! A file's bytes go from left to right: [`format`] reads ranges and says what the file holds, [`model`] turns
//! its metadata into a [`plan`], a [`backend`] prepares the plan once and replays it per token, [`run`] keeps
//! the session and samples, [`text`] turns ids into text, and `js` hands it to the page.

pub mod backend;
pub mod error;
pub mod format;
#[cfg(target_arch = "wasm32")]
pub mod js;
pub mod model;
pub mod plan;
pub mod run;
pub mod text;

pub use error::{Error, Result};
pub use intab_kernels::quant;
