//! The project's own tooling: everything behind `cargo xtask …`.
//!
//! `build` turns the crate into `www/pkg`, `serve` shows `www` to a browser, `test` checks all of it, and
//! `package` makes the npm package, `bench` and `sizes` measure. Each is a module here and one arm in `main.rs`.

pub mod bench;
pub mod chromium;
pub mod counts;
pub mod esbuild;
pub mod npm;
pub mod package;
pub mod process;
pub mod serve;
pub mod settings;
pub mod sizes;
pub mod system;
pub mod test;
pub mod vulkan;
pub mod wasm;
