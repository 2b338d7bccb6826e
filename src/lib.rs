//! **intab** runs transformer language models inside a browser tab.
//!
//! A file's bytes go from left to right: [`format`] reads ranges and says what the file holds, [`model`] turns
//! its metadata into a [`plan`], a [`backend`] prepares the plan once and replays it per token, [`run`] keeps
//! the session and samples, [`text`] turns ids into text, and `js` hands it to the page.

pub mod error;
pub mod format;
pub mod quant;

pub use error::{Error, Result};
