//! What the app needs to run without a network: the list that its service worker, `www/service-worker.js`, installs by.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Where the list lies in `www/`.
pub const FILE: &str = "pkg/offline.js";

/// The folders that it is about, and of what kinds their files are.
const FOLDERS: [(&str, &[&str]); 3] = [
    ("app", &["css", "html", "js", "png", "svg", "webmanifest"]),
    ("lib", &["js"]),
    ("pkg", &["js", "wasm"]),
];

/// The list as the service worker reads it.
#[derive(Serialize)]
struct List {
    /// Another one wherever a file is.
    version: String,
    /// Paths from the list's site, a page's ending in a slash, and hashes as in Subresource Integrity.
    files: std::collections::BTreeMap<String, String>,
}

/// Writes the list beside the built modules.
pub fn write(root: &Path) -> Result<()> {
    let path = root.join("www").join(FILE);
    std::fs::write(&path, script(root)?).with_context(|| format!("writing {}", path.display()))
}

/// The list as a script, of the files as they are now.
pub fn script(root: &Path) -> Result<String> {
    let list = serde_json::to_string(&list(&root.join("www"))?).context("writing the list of files")?;
    Ok(format!(
        "// Made by `cargo xtask build` and `serve`: what the app keeps to run without a network.\nself.INTAB_FILES = {list};\n"
    ))
}

fn list(www: &Path) -> Result<List> {
    let mut paths = Vec::new();
    for (folder, kinds) in FOLDERS {
        collect(&www.join(folder), kinds, &mut paths)?;
    }
    let mut files = std::collections::BTreeMap::new();
    for path in paths {
        let name = name(www, &path);
        if name == FILE {
            continue;
        }
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let name = name.strip_suffix("index.html").map(str::to_owned).unwrap_or(name);
        files.insert(name, format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(bytes))));
    }
    let mut all = Sha256::new();
    for (name, hash) in &files {
        all.update(format!("{name} {hash}\n"));
    }
    let version = all.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(List { version, files })
}

/// The path in `www`, with slashes.
fn name(www: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(www).unwrap_or(path);
    let parts: Vec<_> = inside.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

fn collect(directory: &Path, kinds: &[&str], paths: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, kinds, paths)?;
        } else if path.extension().is_some_and(|kind| kinds.iter().any(|known| kind == *known)) {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(name: &str) -> PathBuf {
        let www = std::env::temp_dir().join(format!("intab-offline-{name}-{}", std::process::id()));
        for file in ["app/index.html", "app/tsconfig.json", "lib/deep/a.js", "pkg/b.wasm", "pkg/b.d.ts", FILE]
        {
            let path = www.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        www
    }

    #[test]
    fn the_list_has_what_a_page_requests_and_neither_types_nor_itself() {
        let www = site("list");
        let names: Vec<_> = list(&www).unwrap().files.into_keys().collect();
        assert_eq!(names, ["app/", "lib/deep/a.js", "pkg/b.wasm"]);
        std::fs::remove_dir_all(www).unwrap();
    }

    #[test]
    fn a_changed_file_is_another_version_and_nothing_else_is() {
        let www = site("version");
        let version = || list(&www).unwrap().version;
        let before = version();
        std::fs::write(www.join("pkg/b.d.ts"), "other types").unwrap();
        assert_eq!(version(), before);
        std::fs::write(www.join("lib/deep/a.js"), "other code").unwrap();
        assert_ne!(version(), before);
        std::fs::remove_dir_all(www).unwrap();
    }

    #[test]
    fn a_hash_is_that_of_subresource_integrity() {
        let www = site("hash");
        std::fs::write(www.join("pkg/b.wasm"), "abc").unwrap();
        // FIPS 180-2, B.1.
        let hash = "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        assert_eq!(list(&www).unwrap().files["pkg/b.wasm"], hash);
        std::fs::remove_dir_all(www).unwrap();
    }
}
