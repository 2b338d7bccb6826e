//! `cargo xtask bench`: the native benchmark, the one in Chromium, and the sizes, as JSON lines.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use crate::{chromium, npm, process, sizes, wasm};

/// Runs all three; standard output holds nothing but JSON lines. One that fails does not stop the others.
pub fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let parts: [(&str, Result<()>); 3] = [
        ("the native benchmark", native(root, arguments)),
        ("the benchmark in Chromium", in_chromium(root, arguments)),
        ("the sizes", sizes::print(root)),
    ];
    let mut failed = Vec::new();
    for (name, result) in parts {
        if let Err(error) = result {
            eprintln!("{name}: {error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn native(root: &Path, arguments: &[String]) -> Result<()> {
    let mut cargo = process::cargo(root);
    cargo.args(["run", "--quiet", "--release", "--package", "intab", "--features", "cli", "--bin", "intab"]);
    cargo.args(["--", "bench"]).args(arguments);
    process::run(&mut cargo)
}

fn in_chromium(root: &Path, arguments: &[String]) -> Result<()> {
    wasm::build(root, false)?;
    let chromium =
        npm::ensure(root).and_then(|()| chromium::ensure(root)).map_err(|reason| anyhow!(reason))?;
    let mut node = Command::new("node");
    node.arg("tests/browser/bench.mjs").args(arguments).current_dir(root);
    node.env("CHROME", chromium);
    node.env("XTASK", std::env::current_exe().context("finding this program's file")?);
    process::run(&mut node)
}
