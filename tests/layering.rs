//! Who may know whom: the dependency direction of the design, read off the `use` lines.

mod common;

use std::{fs, path::Path};

/// A module and the modules of this crate that it may name (besides itself and `error`).
const LAYERS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("format", &["quant"]),
    ("text", &["format"]),
    ("plan", &["quant"]),
    ("model", &["plan", "format", "quant"]),
    ("backend", &["plan", "quant", "format"]),
    ("run", &["model", "backend", "text", "plan", "format", "quant"]),
    ("js", &["run", "model", "backend", "text", "plan", "format", "quant"]),
];

/// A crate and the places that may name it.
const FOREIGN: &[(&str, &[&str])] = &[
    ("wgpu", &["backend/gpu/"]),
    ("wasm_bindgen", &["js/", "format/web", "backend/gpu/web.rs"]),
    ("js_sys", &["js/", "format/web", "backend/gpu/web.rs"]),
    ("web_sys", &["js/", "format/web"]),
    ("intab_kernels", &["backend/cpu/", "backend/gpu/shader.rs", "format/stored.rs"]),
    ("intab_grammar", &["run/grammar.rs"]),
    ("unicode_segmentation", &["text/"]),
    ("minijinja", &["text/", "backend/gpu/shader.rs"]),
];

/// Every source file of the library with its path below `src`, comments taken out.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    let root = common::repo("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let text = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
    };
    files
        .iter()
        .map(|path| (path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/"), text(path)))
        // The kernels and the grammars are packages of their own, which cannot name this one.
        .filter(|(name, _)| {
            let apart = ["bin/", "kernels/", "grammar/"].iter().any(|folder| name.starts_with(folder));
            !apart && name != "lib.rs"
        })
        .collect()
}

/// The modules that a file names after `crate::`, in `use` trees and in paths.
fn named(text: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(tree) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut item = String::new();
            for c in tree.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => modules.push(std::mem::take(&mut item)),
                    _ if depth == 0 => item.push(c),
                    _ => {}
                }
            }
            modules.push(item);
        } else {
            modules.push(rest.to_owned());
        }
    }
    let word =
        |s: String| s.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    modules.into_iter().map(word).filter(|s| !s.is_empty()).collect()
}

#[test]
fn modules_name_only_those_below_them() {
    let mut seen = 0;
    for (file, text) in sources() {
        let module = file.split(['/', '.']).next().unwrap();
        let (_, may) =
            LAYERS.iter().find(|(name, _)| *name == module).unwrap_or_else(|| panic!("{file}: no layer"));
        for named in named(&text) {
            let known = named == module || named == "error" || may.contains(&named.as_str());
            let reexported = ["Error", "Result"].contains(&named.as_str());
            assert!(known || reexported, "src/{file} names crate::{named}, which is not below {module}");
            seen += 1;
        }
    }
    assert!(seen > 50, "the test reads `use` lines: {seen} seen");
}

#[test]
fn foreign_crates_stay_in_their_places() {
    for (file, text) in sources() {
        for (name, places) in FOREIGN {
            let path = format!("{name}::");
            let named = text
                .match_indices(&path)
                .any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
            let may = places.iter().any(|place| file.starts_with(place));
            assert!(may || !named, "src/{file} names {name}, which belongs to {places:?}");
        }
    }
}

#[test]
fn target_conditions_stand_in_few_files() {
    let with: Vec<String> = sources()
        .into_iter()
        .filter(|(file, text)| text.contains("target_arch") && !file.ends_with("mod.rs"))
        .map(|(file, _)| file)
        .collect();
    assert!(with.len() <= 6, "cfg(target_arch) in {with:?}");
}
