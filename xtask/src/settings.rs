//! `wasm-pack.toml`: how the WebAssembly module is made.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

pub const FILE: &str = "wasm-pack.toml";

/// Every key of `wasm-pack.toml`; the comments in the file say what each does.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    pub profile: String,
    pub dev_profile: String,
    pub features: Vec<String>,
    pub default_features: bool,
    pub target_features: Vec<String>,
    pub cfgs: Vec<String>,
    pub stack_kib: Option<u32>,
    pub max_memory_mib: Option<u32>,
    pub target: BindgenTarget,
    pub out_dir: String,
    pub out_name: String,
    pub typescript: bool,
    pub debug: bool,
    pub keep_names: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BindgenTarget {
    Web,
    NoModules,
    Bundler,
    Deno,
}

impl Settings {
    /// Reads `wasm-pack.toml` in `root`.
    pub fn read(root: &Path) -> Result<Settings> {
        let path = root.join(FILE);
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Settings::parse(&text)
    }

    /// Parses the text of the file; the error names the key and its line.
    pub fn parse(text: &str) -> Result<Settings> {
        let settings: Settings = toml::from_str(text).with_context(|| format!("in {FILE}"))?;
        for feature in &settings.target_features {
            ensure!(
                feature.starts_with(['+', '-']),
                "in {FILE}: target-features: \"{feature}\" has to start with + (on) or - (off)"
            );
        }
        if let Some(mib) = settings.max_memory_mib {
            ensure!((1..=4096).contains(&mib), "in {FILE}: max-memory-mib: {mib} is not within 1 to 4096");
        }
        if let Some(kib) = settings.stack_kib {
            ensure!((64..=65_536).contains(&kib), "in {FILE}: stack-kib: {kib} is not within 64 to 65536");
        }
        Ok(settings)
    }

    /// The flags for rustc, one argument each.
    pub fn rustflags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        if !self.target_features.is_empty() {
            flags.push(format!("-Ctarget-feature={}", self.target_features.join(",")));
        }
        for cfg in &self.cfgs {
            flags.extend(["--cfg".to_owned(), cfg.clone()]);
        }
        if let Some(kib) = self.stack_kib {
            flags.push(format!("-Clink-arg=-zstack-size={}", u64::from(kib) << 10));
        }
        if let Some(mib) = self.max_memory_mib {
            flags.push(format!("-Clink-arg=--max-memory={}", u64::from(mib) << 20));
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
    }

    fn file() -> String {
        std::fs::read_to_string(root().join(FILE)).unwrap()
    }

    fn read_toml(path: &str) -> toml::Table {
        std::fs::read_to_string(root().join(path)).unwrap().parse().unwrap()
    }

    #[test]
    fn the_committed_file_is_understood() {
        let settings = Settings::read(root()).unwrap();
        assert_eq!(settings.out_dir, "www/pkg");
        assert_eq!(settings.target, BindgenTarget::Web);
        assert!(settings.rustflags().iter().any(|flag| flag.contains("+simd128")));
    }

    #[test]
    fn an_unknown_key_is_named_in_the_error() {
        let error = Settings::parse(&format!("{}\nout-dri = \"x\"\n", file())).unwrap_err();
        assert!(format!("{error:#}").contains("out-dri"), "{error:#}");
    }

    #[test]
    fn a_missing_key_is_named_in_the_error() {
        let error = Settings::parse(&file().replace("out-name = \"intab\"", "")).unwrap_err();
        assert!(format!("{error:#}").contains("out-name"), "{error:#}");
    }

    #[test]
    fn a_target_feature_needs_its_sign() {
        let error = Settings::parse(&file().replace("\"+simd128\"", "\"simd128\"")).unwrap_err();
        assert!(format!("{error:#}").contains("simd128"), "{error:#}");
    }

    #[test]
    fn memory_and_stack_reach_the_linker_in_bytes() {
        let text = file()
            .replace("stack-kib = 1024", "stack-kib = 512")
            .replace("max-memory-mib = 4096", "max-memory-mib = 2048");
        let flags = Settings::parse(&text).unwrap().rustflags();
        assert!(flags.contains(&"-Clink-arg=-zstack-size=524288".to_owned()), "{flags:?}");
        assert!(flags.contains(&"-Clink-arg=--max-memory=2147483648".to_owned()), "{flags:?}");
    }

    #[test]
    fn a_cfg_is_two_arguments() {
        let text = file().replace("cfgs = []", "cfgs = ['a', 'b=\"c\"']");
        let flags = Settings::parse(&text).unwrap().rustflags();
        assert!(flags.windows(4).any(|four| four == ["--cfg", "a", "--cfg", "b=\"c\""]), "{flags:?}");
    }

    #[test]
    fn more_memory_than_32_bits_address_is_refused() {
        let text = file().replace("max-memory-mib = 4096", "max-memory-mib = 5000");
        assert!(format!("{:#}", Settings::parse(&text).unwrap_err()).contains("max-memory-mib"));
    }

    /// A plain `cargo check --target wasm32-unknown-unknown` has to see the code that the build compiles.
    #[test]
    fn the_cargo_config_compiles_for_the_same_features_and_cfgs() {
        let config = read_toml(".cargo/config.toml");
        let flags: Vec<&str> = config["target"]["wasm32-unknown-unknown"]["rustflags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|flag| flag.as_str().unwrap())
            .collect();
        let mut settings = Settings::read(root()).unwrap();
        settings.stack_kib = None;
        settings.max_memory_mib = None;
        assert_eq!(settings.rustflags(), flags);
    }

    /// The glue and the macros that it serves speak a private protocol that changes with every release.
    #[test]
    fn wasm_bindgen_and_its_command_line_library_have_one_version() {
        let of_lock = |name: &str| -> Vec<String> {
            read_toml("Cargo.lock")["package"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|package| package["name"].as_str() == Some(name))
                .map(|package| format!("={}", package["version"].as_str().unwrap()))
                .collect()
        };
        let library = read_toml("Cargo.toml");
        let library = library["target"]["cfg(target_arch = \"wasm32\")"]["dependencies"]["wasm-bindgen"]
            .as_str()
            .unwrap();
        let tool = read_toml("xtask/Cargo.toml");
        let tool = tool["dependencies"]["wasm-bindgen-cli-support"].as_str().unwrap();
        assert_eq!(library, tool, "Cargo.toml and xtask/Cargo.toml pin different versions");
        assert_eq!(of_lock("wasm-bindgen"), [library]);
        assert_eq!(of_lock("wasm-bindgen-cli-support"), [tool]);
    }
}
