//! The project's own tooling: everything behind `cargo xtask …`.
//!
//! `build` turns the crate into `www/pkg`, `serve` shows `www` to a browser, `bundle` makes one file of a page and a
//! model and `package` the npm package, `test` checks all of it, `bench` and `sizes` measure, `docs` and `licences` write
//! what is read. Each is a module here and one arm in `main.rs`.

pub mod bench;
pub mod bundle;
pub mod chromium;
pub mod counts;
pub mod docs;
pub mod esbuild;
pub mod licences;
pub mod markdown;
pub mod npm;
pub mod offline;
pub mod package;
pub mod process;
pub mod serve;
pub mod settings;
pub mod sizes;
pub mod system;
pub mod test;
pub mod vulkan;
pub mod wasm;
