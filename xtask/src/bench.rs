//! `cargo xtask bench`: the native benchmark, the one in Chromium, that of the browser's storage, and the sizes, as
//! JSON lines. With `--shapes` and `--types` models of these shapes and types are made first, with random weights, and
//! measured one after the other.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use crate::{chromium, npm, process, sizes, wasm};

/// Runs all of them; standard output holds nothing but JSON lines. One that fails does not stop the others.
pub fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let (cases, arguments) = Cases::split(arguments)?;
    let mut parts: Vec<(String, Result<()>)> = Vec::new();
    if cases.shapes.is_empty() {
        let native = [&["--agreement".to_owned()], &arguments[..]].concat();
        parts.push(("the native benchmark".into(), intab(root, "bench", &native)));
        parts.push(("the benchmark in Chromium".into(), in_chromium(root, "bench.mjs", &arguments)));
        let storage = synthesize(root, "smollm2-135m", "F16").and_then(|model| {
            let result = in_chromium(root, "bench-storage.mjs", &[model.display().to_string()]);
            remove(&model)?;
            result
        });
        parts.push(("the benchmark of storage".into(), storage));
    }
    for (shape, dtype) in cases.all() {
        let both = synthesize(root, shape, dtype).and_then(|model| {
            let arguments = [&[model.display().to_string()], &arguments[..]].concat();
            let native = intab(root, "bench", &arguments);
            let result = native.and(in_chromium(root, "bench.mjs", &arguments));
            remove(&model)?;
            result
        });
        parts.push((format!("{shape} in {dtype}"), both));
    }
    parts.push(("the sizes".into(), sizes::print(root)));
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

/// Which models are made to be measured.
#[derive(Debug, Default, PartialEq)]
struct Cases {
    shapes: Vec<String>,
    types: Vec<String>,
}

impl Cases {
    /// Takes what says so out of the arguments.
    fn split(arguments: &[String]) -> Result<(Cases, Vec<String>)> {
        let (mut cases, mut rest) = (Cases::default(), Vec::new());
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let list = match argument.as_str() {
                "--shapes" => &mut cases.shapes,
                "--types" => &mut cases.types,
                _ => {
                    rest.push(argument.clone());
                    continue;
                }
            };
            let values = arguments.next().with_context(|| format!("{argument} needs a list, such as a,b"))?;
            list.extend(values.split(',').map(str::to_owned));
        }
        if cases.shapes.is_empty() != cases.types.is_empty() {
            bail!("--shapes and --types belong together");
        }
        Ok((cases, rest))
    }

    fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.shapes.iter().flat_map(|shape| self.types.iter().map(|dtype| (shape.as_str(), dtype.as_str())))
    }
}

/// A model where the server of the browser's benchmark finds it.
fn synthesize(root: &Path, shape: &str, dtype: &str) -> Result<PathBuf> {
    let model = root.join(format!("models/bench-{shape}-{dtype}.gguf"));
    let arguments = ["--shape", shape, "--type", dtype, "-o", &model.display().to_string()];
    intab(root, "synth", &arguments.map(str::to_owned))?;
    Ok(model)
}

fn remove(model: &Path) -> Result<()> {
    std::fs::remove_file(model).with_context(|| format!("removing {}", model.display()))
}

fn intab(root: &Path, command: &str, arguments: &[String]) -> Result<()> {
    let mut cargo = process::cargo(root);
    cargo.args(["run", "--quiet", "--release", "--package", "intab", "--features", "cli", "--bin", "intab"]);
    cargo.args(["--", command]).args(arguments);
    process::run(&mut cargo)
}

/// Runs a benchmark of `tests/browser`.
fn in_chromium(root: &Path, script: &str, arguments: &[String]) -> Result<()> {
    wasm::build(root, false)?;
    let chromium = npm::ensure(root, npm::TESTS)
        .and_then(|_| chromium::ensure(root))
        .map_err(|reason| anyhow!(reason))?;
    let mut node = Command::new("node");
    node.arg(format!("tests/browser/{script}")).args(arguments).current_dir(root);
    node.env("CHROME", chromium);
    node.env("XTASK", std::env::current_exe().context("finding this program's file")?);
    process::run(&mut node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_shapes_and_types_are_taken_out_of_the_arguments() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (cases, rest) = Cases::split(&words("--runs 2 --types Q4_0,F16 --depth 8 --shapes a,b")).unwrap();
        let all: Vec<_> = cases.all().collect();
        assert_eq!(all, [("a", "Q4_0"), ("a", "F16"), ("b", "Q4_0"), ("b", "F16")]);
        assert_eq!(rest, words("--runs 2 --depth 8"));
        assert!(Cases::split(&words("--shapes a")).is_err());
        assert!(Cases::split(&words("--types")).is_err());
    }
}
