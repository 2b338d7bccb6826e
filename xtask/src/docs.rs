//! `cargo xtask docs`: the pages in `docs/`, and the reference made from the JavaScript's types, as a static site in `dist/docs`.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, anyhow};

use crate::{npm, process};

/// Where the site is made; `docs/build.mjs` says so too.
pub const FOLDER: &str = "dist/docs";

/// Builds the site. What it is made with is installed first; a link between pages that leads nowhere is an error.
pub fn build(root: &Path) -> Result<()> {
    let folder = npm::ensure(root, npm::DOCS).map_err(|reason| anyhow!(reason))?;
    process::run(Command::new("node").arg("build.mjs").current_dir(folder))
}
