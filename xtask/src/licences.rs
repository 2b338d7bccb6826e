//! `cargo xtask licences`: what is a part of the modules and of the JavaScript that a page downloads, with the texts of its licences,
//! as `THIRD-PARTY.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

use crate::{npm, process, wasm};

/// Where the list is written, and shipped from.
pub const FILE: &str = "THIRD-PARTY.md";

/// The packages that become modules.
const MODULES: [&str; 2] = ["intab", "intab-grammar"];

/// The packages of `www/package.json` that become a part of what a page downloads; the others are tools.
const BUNDLED: [&str; 2] = ["dompurify", "marked"];

/// Something of others that is shipped.
struct Part {
    name: String,
    version: String,
    licence: String,
    source: String,
    /// The text of one of its licences; none where its package has no such file.
    text: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    source: Option<String>,
    manifest_path: PathBuf,
}

/// Writes the file.
pub fn write(root: &Path) -> Result<()> {
    let text = list(root)?;
    std::fs::write(root.join(FILE), text).with_context(|| format!("writing {FILE}"))
}

/// The text of the file, as the lock files name what is shipped.
pub fn list(root: &Path) -> Result<String> {
    let mut parts = crates(root)?;
    parts.extend(packages(root)?);
    page(&parts)
}

/// What is linked into the modules, in the order of names.
fn crates(root: &Path) -> Result<Vec<Part>> {
    let mut cargo = process::cargo(root);
    cargo.args(["metadata", "--format-version", "1", "--locked"]);
    let metadata: Metadata = serde_json::from_str(&process::output(&mut cargo)?)?;
    let mut linked = BTreeSet::new();
    for module in MODULES {
        linked.extend(linked_into(root, module)?);
    }
    let mut parts = Vec::new();
    for Package { name, version, license, repository, source, manifest_path } in metadata.packages {
        if source.is_some() && linked.contains(&format!("{name} v{version}")) {
            parts.push(Part {
                licence: license.ok_or_else(|| anyhow!("the crate {name} names no licence"))?,
                source: repository.unwrap_or_default(),
                text: licence_text(manifest_path.parent().unwrap_or(root))?,
                name,
                version,
            });
        }
    }
    parts.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(parts)
}

/// The crates of a module, each as `name v1.2.3`. Cargo's tree tells the features of this build alone, which its metadata do not.
fn linked_into(root: &Path, module: &str) -> Result<Vec<String>> {
    let mut cargo = process::cargo(root);
    cargo.args(["tree", "--locked", "--package", module, "--target", wasm::TARGET]);
    cargo.args(["--edges", "normal,no-proc-macro", "--prefix", "none", "--no-dedupe"]);
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(process::output(&mut cargo)?.lines().map(name).collect())
}

/// What of `www/package.json` becomes a part of the JavaScript.
fn packages(root: &Path) -> Result<Vec<Part>> {
    let folder = npm::ensure(root, npm::PACKAGE).map_err(|reason| anyhow!(reason))?;
    let mut parts = Vec::new();
    for name in BUNDLED {
        let own = folder.join("node_modules").join(name);
        let manifest = std::fs::read_to_string(own.join("package.json"))?;
        let manifest: serde_json::Value = serde_json::from_str(&manifest)?;
        let field = |key: &str| manifest[key].as_str().unwrap_or_default().to_owned();
        parts.push(Part {
            name: name.to_owned(),
            version: field("version"),
            licence: field("license"),
            source: field("homepage"),
            text: licence_text(&own)?,
        });
    }
    Ok(parts)
}

/// The text that a package has of its licences: of several, that of MIT, else the first by name.
fn licence_text(folder: &Path) -> Result<Option<String>> {
    let mut files: Vec<PathBuf> = folder.read_dir()?.flatten().map(|entry| entry.path()).collect();
    let name = |file: &Path| file.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    files.retain(|file| {
        file.is_file()
            && ["LICENSE", "LICENCE", "COPYING", "UNLICENSE"].iter().any(|word| name(file).starts_with(word))
    });
    files.sort_by_key(|file| (!name(file).contains("MIT"), name(file)));
    let Some(file) = files.first() else { return Ok(None) };
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    Ok(Some(text.replace("\r\n", "\n").trim().to_owned()))
}

fn page(parts: &[Part]) -> Result<String> {
    let mut page = String::from(
        "# What others wrote\n\nWhat is a part of intab's WebAssembly modules and JavaScript, by `cargo xtask licences`. Of parts that are under \
         several licences, MIT is the one that is taken where it is among them. Beside these, the modules have parts of Rust's standard \
         library (MIT OR Apache-2.0, <https://github.com/rust-lang/rust>).\n\n| part | version | licence |\n|---|---|---|\n",
    );
    let mut texts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Part { name, version, licence, source, text } in parts {
        let linked = if source.is_empty() { name.clone() } else { format!("[{name}]({source})") };
        writeln!(page, "| {linked} | {version} | {licence} |")?;
        if let Some(text) = text {
            texts.entry(text).or_default().push(name);
        }
    }
    let without: Vec<_> = parts.iter().filter(|part| part.text.is_none()).map(|part| &*part.name).collect();
    if !without.is_empty() {
        writeln!(page, "\nThese name their licence and have no text of it: {}.", without.join(", "))?;
    }
    let mut texts: Vec<_> = texts.into_iter().collect();
    texts.sort_by(|(_, a), (_, b)| a.cmp(b));
    for (text, names) in texts {
        if text.contains("~~~") {
            bail!("the licence of {} cannot stand between ~~~", names.join(", "));
        }
        write!(page, "\n## {}\n\n~~~text\n{text}\n~~~\n", names.join(", "))?;
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
    }

    #[test]
    fn the_list_in_the_repository_is_current() {
        let committed = std::fs::read_to_string(root().join(FILE)).unwrap();
        assert!(committed == list(root()).unwrap(), "run cargo xtask licences");
    }

    #[test]
    fn what_is_linked_is_listed_and_what_only_builds_or_tests_is_not() {
        let names: Vec<_> = crates(root()).unwrap().into_iter().map(|part| part.name).collect();
        for linked in ["wgpu", "wasm-bindgen", "minijinja", "llguidance"] {
            assert!(names.iter().any(|name| name == linked), "{linked}");
        }
        for other in ["serde_derive", "tokenizers", "clap", "intab-kernels", "axum", "wgpu-hal"] {
            assert!(!names.iter().any(|name| name == other), "{other}");
        }
    }

    #[test]
    fn one_text_stands_for_all_that_have_it() {
        let part = |name: &str, text: Option<&str>| Part {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licence: "MIT".to_owned(),
            source: String::new(),
            text: text.map(str::to_owned),
        };
        let page = page(&[part("a", Some("Free")), part("b", None), part("c", Some("Free"))]).unwrap();
        assert!(
            page.contains("## a, c\n\n~~~text\nFree\n~~~") && page.contains("no text of it: b."),
            "{page}"
        );
    }
}
