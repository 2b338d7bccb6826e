//! `cargo xtask package`: `www` → `dist`, the npm package `intab`, as `npm pack` and `npm publish` take it.
//!
//! `www/package.json` is the list of what there is: each of its `exports` becomes a module of `lib`, minified, and what several
//! of them share becomes chunks beside them. What the code names by `new URL("…", import.meta.url)` it fetches by itself as it
//! runs: such a script of `lib` stays one file with all that it needs, since bundlers copy it as it is, and such a file of
//! `pkg` is copied.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Map, Value, json};

use crate::settings::Settings;
use crate::sizes::{self, Size};
use crate::{docs, esbuild, licences, npm, process, wasm};

/// Where the package is made.
pub const FOLDER: &str = "dist";

/// What is copied from the repository's root.
const LICENCES: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", licences::FILE];

/// How every script is written.
const SCRIPTS: [&str; 5] =
    ["--minify", "--format=esm", "--target=es2022", "--charset=utf8", "--legal-comments=none"];

/// Makes the package of what is built, in place of what was there.
pub fn make(root: &Path) -> Result<()> {
    wasm::require_built(root)?;
    let www = root.join(npm::PACKAGE);
    let dist = root.join(FOLDER);
    empty(&dist)?;
    let manifest = read(&www.join("package.json"))?;
    let manifest: Map<String, Value> = serde_json::from_str(&manifest).context("www/package.json")?;
    let fetched = fetched_by(&www.join("lib"))?;
    let entries: Vec<PathBuf> = entries(&manifest)?.iter().map(|entry| www.join(entry)).collect();

    let [alone, engine] = [true, false].map(|scripts| {
        let of_lib = |path: &&PathBuf| path.starts_with(www.join("lib")) == scripts;
        fetched.iter().filter(of_lib).cloned().collect::<Vec<_>>()
    });
    let pages: Vec<PathBuf> = entries.iter().filter(|entry| !alone.contains(entry)).cloned().collect();
    bundle(root, &pages, &["--splitting", "--chunk-names=chunk-[hash]"])?;
    bundle(root, &alone, &[])?;
    write_engine(root, &engine)?;
    write_types(root, &entries)?;

    write(&dist.join("package.json"), &(serde_json::to_string_pretty(&published(manifest))? + "\n"))?;
    copy(&www.join("README.md"), &dist.join("README.md"))?;
    for name in LICENCES {
        copy(&root.join(name), &dist.join(name))?;
    }
    // What a module of `dist` fetches lies where it looks for it, into whatever chunk its code has come.
    fetched_by(&dist.join("lib")).map(|_| ())
}

/// Removes what an earlier package left. The documentation's site is another command's.
fn empty(dist: &Path) -> Result<()> {
    let Ok(entries) = dist.read_dir() else { return Ok(()) };
    for entry in entries {
        let path = entry.with_context(|| format!("reading {}", dist.display()))?.path();
        if path.ends_with(docs::FOLDER) {
            continue;
        }
        let removed =
            if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.with_context(|| format!("removing {}", path.display()))?;
    }
    Ok(())
}

/// The modules that `exports` names, as paths in the package.
fn entries(manifest: &Map<String, Value>) -> Result<Vec<String>> {
    let exports =
        manifest.get("exports").and_then(Value::as_object).context("www/package.json: no exports")?;
    let script = |(name, entry): (&String, &Value)| {
        let path = entry.get("default").and_then(Value::as_str);
        path.map(str::to_owned)
            .with_context(|| format!("www/package.json: exports {name} has no \"default\""))
    };
    exports.iter().filter(|(name, _)| *name != "./package.json").map(script).collect()
}

/// The manifest without what only making the package needs.
fn published(mut manifest: Map<String, Value>) -> Map<String, Value> {
    for field in ["devDependencies", "scripts", "private"] {
        manifest.shift_remove(field);
    }
    manifest
}

/// The files that the scripts of a folder fetch as they run: all that they name by `new URL("…", import.meta.url)`.
fn fetched_by(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for module in sizes::scripts(folder)? {
        let text = read(&module)?;
        for part in text.split("new URL(\"").skip(1) {
            let Some((name, rest)) = part.split_once('"') else { continue };
            if !rest.split_once(')').is_some_and(|(base, _)| base.contains("import.meta.url")) {
                continue;
            }
            let name = name.split('?').next().unwrap_or_default();
            let file = sizes::joined(module.parent().unwrap_or(Path::new("")), name);
            ensure!(
                file.is_file(),
                "{} fetches {name}, but there is no {}",
                module.display(),
                file.display()
            );
            files.insert(file);
        }
    }
    Ok(files)
}

/// Writes modules of `www/lib` with all that they import to `dist/lib`.
fn bundle(root: &Path, modules: &[PathBuf], how: &[&str]) -> Result<()> {
    let www = root.join(npm::PACKAGE);
    let base = format!("--outbase={}", www.join("lib").display());
    let out = format!("--outdir={}", root.join(FOLDER).join("lib").display());
    let modules: Vec<_> = modules.iter().map(|module| module.display().to_string()).collect();
    let mut arguments: Vec<&str> = modules.iter().map(String::as_str).collect();
    arguments.extend(SCRIPTS);
    arguments.extend(["--bundle", "--sourcemap", &base, &out]);
    arguments.extend(how);
    esbuild::run(root, &arguments).map(|_| ())
}

/// Writes files of `www/pkg` to `dist/pkg`; scripts that came of wasm-bindgen are made small.
fn write_engine(root: &Path, files: &[PathBuf]) -> Result<()> {
    let settings = Settings::read(root)?;
    let from_bindgen: Vec<PathBuf> =
        wasm::outputs(&root.join(&settings.out_dir), &settings).into_iter().flatten().collect();
    for file in files {
        let name = file.file_name().unwrap_or_default();
        let to = root.join(FOLDER).join("pkg").join(name);
        if from_bindgen.contains(file) && file.extension().is_some_and(|extension| extension == "js") {
            let file = file.display().to_string();
            let mut arguments = vec![file.as_str()];
            arguments.extend(SCRIPTS);
            write(&to, esbuild::run(root, &arguments)?)?;
        } else {
            copy(file, &to)?;
        }
    }
    Ok(())
}

/// Writes the declarations of the entries and of what they name to `dist/types`.
fn write_types(root: &Path, entries: &[PathBuf]) -> Result<()> {
    let tests = npm::ensure(root, npm::TESTS).map_err(|reason| anyhow!(reason))?;
    let (lib, types) = (root.join(npm::PACKAGE).join("lib"), root.join(FOLDER).join("types"));
    let project = json!({
        "extends": root.join(npm::PACKAGE).join("tsconfig.json"),
        "compilerOptions": { "rootDir": lib, "outDir": types },
        "files": entries,
        "include": [],
    });
    let file = root.join(FOLDER).join("tsconfig.json");
    write(&file, project.to_string())?;
    let mut compiler = Command::new("node");
    compiler.arg(tests.join("node_modules/typescript/bin/tsc")).arg("--project").arg(&file);
    process::run(&mut compiler)?;
    std::fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
    for file in sizes::files(&types)? {
        // The compiler keeps the star of a comment's line where a type goes on in the next.
        write(&file, read(&file)?.replace("| *   ", "| "))?;
    }
    // Declarations that are written by hand are not among what the compiler writes.
    for entry in lib.read_dir().with_context(|| format!("reading {}", lib.display()))? {
        let file = entry?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(module) = name.strip_suffix(".d.ts") else { continue };
        if sizes::files(&types)?
            .iter()
            .any(|file| read(file).is_ok_and(|text| text.contains(&format!("/{module}.js\""))))
        {
            copy(&file, &types.join(&name))?;
        }
    }
    Ok(())
}

/// The sizes of what a page downloads of the package: to write text, when it holds a text to a structure, and all there is.
pub fn measure(root: &Path) -> Result<Vec<Vec<Size>>> {
    let dist = root.join(FOLDER);
    let settings = Settings::read(root)?;
    let [engine, structures] = wasm::outputs(&dist.join("pkg"), &settings);
    let mut core = Vec::from(engine);
    core.extend(sizes::imported(
        ["intab.js", "worker.js", "helper.js"].map(|name| dist.join("lib").join(name)),
    )?);
    let mut others: Vec<PathBuf> = sizes::scripts(&dist.join("lib"))?;
    others.extend(sizes::files(&dist.join("pkg"))?);
    others.retain(|file| !core.contains(file) && !structures.contains(file));
    Ok(vec![
        sizes::measure(&core, "total of the package, every page")?,
        sizes::measure(&structures, "total of the package, when a structure is asked for")?,
        sizes::measure(&others, "total of the package, where it is used")?,
    ])
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    make_folder_of(path)?;
    std::fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    make_folder_of(to)?;
    std::fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    Ok(())
}

fn make_folder_of(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn an_export_without_a_script_is_named() {
        let whole = manifest(r#"{"exports": {".": {"types": "./t.d.ts", "default": "./lib/a.js"}}}"#);
        assert_eq!(entries(&whole).unwrap(), ["./lib/a.js"]);
        let error = entries(&manifest(r#"{"exports": {"./b": "./lib/b.js"}}"#)).unwrap_err();
        assert!(error.to_string().contains("./b"), "{error}");
    }

    #[test]
    fn what_is_published_needs_no_other_package_and_runs_nothing() {
        let made = published(manifest(
            r#"{"name": "a", "private": true, "scripts": {"postinstall": "b"}, "exports": {".": {"types": "t", "default": "d"}},
                "devDependencies": {"c": "1"}}"#,
        ));
        // Types come first: a resolver takes the first condition that fits.
        assert_eq!(
            Value::from(made).to_string(),
            r#"{"name":"a","exports":{".":{"types":"t","default":"d"}}}"#
        );
    }

    #[test]
    fn a_file_that_a_module_fetches_is_found_and_one_that_is_missing_is_named() {
        let folder = std::env::temp_dir().join(format!("intab-package-{}", std::process::id()));
        let text = "new URL(\"../b.wasm\", import.meta.url);\nnew URL(\"./c.js?no-inline\",import.meta.url);\nnew URL(\"v1/\", x);";
        write(&folder.join("lib/a.js"), text).unwrap();
        write(&folder.join("b.wasm"), "").unwrap();
        let error = fetched_by(&folder.join("lib")).unwrap_err();
        assert!(error.to_string().contains("c.js"), "{error}");
        write(&folder.join("lib/c.js"), "").unwrap();
        let found = fetched_by(&folder.join("lib")).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            ["b.wasm", "lib/c.js"].map(|name| folder.join(name))
        );
    }
}
