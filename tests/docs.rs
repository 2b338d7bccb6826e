//! The documentation, where it can be checked natively: its `intab` commands run, and it tells of every error. (Its other examples
//! are run in Chromium by tests/browser/docs.test.mjs.)
#![cfg(feature = "cli")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use common::repo;

/// A fenced block: what its fence says, and its lines.
struct Block {
    page: PathBuf,
    info: String,
    lines: Vec<String>,
}

/// What lies at the top, and every page in `docs`.
fn pages() -> Vec<PathBuf> {
    fn walk(folder: &Path, pages: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("node_modules") && !path.ends_with("api") {
                walk(&path, pages);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    let mut pages = vec![repo("README.md"), repo("CONTRIBUTING.md")];
    walk(&repo("docs"), &mut pages);
    pages
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(info) = line.strip_prefix("```") {
                let lines = lines.by_ref().take_while(|line| *line != "```").map(str::to_owned).collect();
                blocks.push(Block { page: page.clone(), info: info.to_owned(), lines });
            }
        }
    }
    blocks
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn every_intab_command_runs() {
    let folder = std::env::temp_dir().join(format!("intab-docs-{}", std::process::id()));
    let encoder = folder.join("all-MiniLM-L6-v2");
    copy(&repo("tests/data/models/bert"), &encoder);
    fs::copy(repo("tests/data/tasks/tokenizer.json"), encoder.join("tokenizer.json")).unwrap();
    fs::copy(repo("models/intab-stories.gguf"), folder.join("model.gguf")).unwrap();

    let program = Path::new(env!("CARGO_BIN_EXE_intab")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut n = 0;
    for Block { page, info, lines } in blocks() {
        let is_run = info.split(' ').next() == Some("sh") && !info.contains("no-run=");
        for line in lines.iter().filter(|_| is_run) {
            if line.starts_with("cargo xtask ") {
                continue; // Its options are checked in docs.test.mjs.
            }
            let place = format!("{}: {line}", page.display());
            assert!(line.contains("intab "), "{place}: only intab and cargo xtask are checked");
            let mut shell = Command::new("sh");
            let output = shell.args(["-c", line]).current_dir(&folder).env("PATH", &path).output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !output.stdout.is_empty(), "{place}: {error}");
            n += 1;
        }
    }
    assert!(n >= 5, "{n} commands");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_reference_of_errors_has_every_class_and_every_variant() {
    let page = fs::read_to_string(repo("docs/errors.md")).unwrap();
    let classes = fs::read_to_string(repo("www/lib/errors.js")).unwrap();
    let classes: Vec<_> = classes
        .lines()
        .filter_map(|line| line.strip_prefix("export class ")?.split_once(' '))
        .map(|(name, _)| name)
        .collect();
    assert!(classes.len() > 15, "{classes:?}");
    for class in &classes {
        assert!(page.contains(&format!("\n### {class}\n")), "docs/errors.md lacks {class}");
    }
    let sources = fs::read_to_string(repo("src/error.rs")).unwrap();
    let (_, variants) = sources.split_once("pub enum Error {").unwrap();
    let (variants, _) = variants.split_once("\n}").unwrap();
    let name = |line: &str| {
        let name = line.trim().split([' ', ',', '(']).next()?.to_owned();
        (line.starts_with("    ") && name.chars().next()?.is_ascii_uppercase()).then_some(name)
    };
    let variants: Vec<_> = variants.lines().filter_map(name).collect();
    assert!(variants.len() > 12, "{variants:?}");
    for variant in variants {
        assert!(page.contains(&format!("`Error::{variant}`")), "docs/errors.md lacks Error::{variant}");
    }
    let told = page.lines().filter_map(|line| line.strip_prefix("### "));
    for name in told.filter(|name| *name != "AbortError") {
        assert!(classes.contains(&name), "docs/errors.md tells of {name}, which is none");
    }
}
