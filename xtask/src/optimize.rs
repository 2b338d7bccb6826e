//! Binaryen's `wasm-opt`: one more optimisation of the finished module.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::settings::Settings;

/// wasm-opt on the PATH, else the one that `npm ci` puts in `tests/browser`.
pub fn find(root: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    process::find_program(&["wasm-opt"], &path).or_else(|| {
        let of_npm = root.join("tests/browser/node_modules/.bin/wasm-opt");
        of_npm.is_file().then_some(of_npm)
    })
}

/// Optimises the file in place; on failure it is left as it was.
pub fn run(program: &Path, file: &Path, settings: &Settings) -> Result<()> {
    let result = file.with_extension("wasm.opt");
    let mut command = Command::new(program);
    command.args(&settings.wasm_opt_flags).args(feature_flags(&settings.target_features));
    command.arg(file).arg("-o").arg(&result);
    process::run(&mut command)?;
    std::fs::rename(&result, file).with_context(|| format!("replacing {}", file.display()))
}

/// The features that rustc switches on by itself, then those of the settings, in Binaryen's words.
fn feature_flags(target_features: &[String]) -> Vec<String> {
    let of_rustc =
        ["+bulk-memory", "+mutable-globals", "+multivalue", "+nontrapping-fptoint", "+reference-types"];
    of_rustc
        .into_iter()
        .chain(["+sign-ext"])
        .chain(target_features.iter().map(String::as_str))
        .map(|feature| {
            let switch = if feature.starts_with('-') { "disable" } else { "enable" };
            let name = match &feature[1..] {
                "simd128" => "simd",
                "relaxed-simd" => "relaxed-simd",
                "nontrapping-fptoint" => "nontrapping-float-to-int",
                "atomics" => "threads",
                name => name,
            };
            format!("--{switch}-{name}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_features_are_named_as_binaryen_names_them() {
        let flags = feature_flags(&["+simd128".to_owned(), "-reference-types".to_owned()]);
        assert!(flags.contains(&"--enable-simd".to_owned()), "{flags:?}");
        assert_eq!(flags.last().map(String::as_str), Some("--disable-reference-types"));
    }
}
