//! `cargo xtask build`: the crate, and the package for constraints → WebAssembly → JavaScript glue in `www/pkg`.

mod order;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use wasm_bindgen_cli_support::Bindgen;

use crate::settings::{BindgenTarget, Settings};
use crate::{markdown, process, sizes};

/// What the modules are compiled for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// The file in the output folder that says what it was made from.
const STAMP: &str = ".stamp";

/// A package that becomes a module.
struct Source {
    package: &'static str,
    library: &'static str,
    /// The name of its files.
    out_name: String,
    /// Functions whose names begin so are for other languages: nobody calls them, and what only they need goes with them.
    unused: Option<&'static str>,
}

/// The module of every page, then the one that is loaded when a text is to be held to a structure.
fn sources(settings: &Settings) -> [Source; 2] {
    let engine =
        Source { package: "intab", library: "intab", out_name: settings.out_name.clone(), unused: None };
    let grammar = Source {
        package: "intab-grammar",
        library: "intab_grammar",
        out_name: format!("{}_grammar", settings.out_name),
        unused: Some("llg_"),
    };
    [engine, grammar]
}

/// Builds the modules into the output folder of `wasm-pack.toml`, doing only what is out of date.
/// `dev`: the faster build with checks and names. Progress goes to standard error.
pub fn build(root: &Path, dev: bool) -> Result<()> {
    let mut settings = Settings::read(root)?;
    if dev {
        settings.profile = settings.dev_profile.clone();
        settings.debug = true;
        settings.keep_names = true;
    }
    let out_dir = root.join(&settings.out_dir);
    markdown::build(root, &out_dir)?;
    install_target(root)?;
    let mut modules = Vec::new();
    for source in sources(&settings) {
        let module = compile(root, &settings, &source)?;
        let wasm = std::fs::read(&module).with_context(|| format!("reading {}", module.display()))?;
        modules.push((source, wasm));
    }

    let stamp = stamp(modules.iter().map(|(_, wasm)| &wasm[..]), &settings);
    if is_current(&out_dir, &settings, &stamp) {
        eprintln!("{} is up to date", settings.out_dir);
        return Ok(());
    }
    // Gone first, so that a build which is cut short is not taken for a finished one.
    let stamp_file = out_dir.join(STAMP);
    if stamp_file.exists() {
        std::fs::remove_file(&stamp_file).with_context(|| format!("removing {}", stamp_file.display()))?;
    }
    for (source, wasm) in modules {
        let wasm = match source.unused {
            Some(prefix) => without_exports(&wasm, prefix)?,
            None => wasm,
        };
        bind(wasm, &source.out_name, &settings, &out_dir)?;
    }
    std::fs::write(&stamp_file, stamp).with_context(|| format!("writing {}", stamp_file.display()))?;
    for size in sizes::measure(&sizes::build_outputs(root, &settings), "total")? {
        eprintln!("{size}");
    }
    Ok(())
}

/// Adds the wasm target through rustup where the toolchain lacks it.
pub fn install_target(root: &Path) -> Result<()> {
    let mut rustc = std::process::Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.current_dir(root).args(["--print", "target-libdir", "--target", TARGET]);
    let library = process::output(&mut rustc)?;
    if Path::new(library.trim()).is_dir() {
        return Ok(());
    }
    eprintln!("adding the Rust target {TARGET}");
    process::run(std::process::Command::new("rustup").current_dir(root).args(["target", "add", TARGET]))
        .with_context(|| format!("this Rust cannot compile for {TARGET}; install that target and try again"))
}

/// A line of `cargo build --message-format=json`; only what is needed of it.
#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<MessageTarget>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct MessageTarget {
    name: String,
    kind: Vec<String>,
}

/// Compiles a library and returns the path of its `.wasm`.
fn compile(root: &Path, settings: &Settings, source: &Source) -> Result<PathBuf> {
    let mut cargo = process::cargo(root);
    cargo.args(["build", "--package", source.package, "--lib", "--target", TARGET]);
    cargo.args(["--profile", &settings.profile, "--message-format", "json-render-diagnostics"]);
    if !settings.default_features {
        cargo.arg("--no-default-features");
    }
    // The settings name features of the engine.
    if !settings.features.is_empty() && source.package == "intab" {
        cargo.args(["--features", &settings.features.join(",")]);
    }
    // Takes the place of the flags in .cargo/config.toml, which would else be added to these.
    let flags: Vec<_> = settings.rustflags().into_iter().chain(neutral_paths(root)).collect();
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    cargo.stdin(Stdio::null());
    let messages = process::output(&mut cargo)?;
    let missing =
        || anyhow!("cargo build named no .wasm file of {}: is the library a cdylib?", source.library);
    find_module(&messages, source.library).ok_or_else(missing)
}

/// Flags for rustc that give the folders of this machine names that are the same on every machine. Where a panic came from is part of
/// the module, so that without them its bytes would tell where it was built, and differ from those built elsewhere.
fn neutral_paths(root: &Path) -> Vec<String> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let home = || std::env::home_dir().map(|home| home.join(".cargo"));
    let target = variable("CARGO_TARGET_DIR").map(|folder| root.join(folder));
    // Of several that fit, rustc takes the last: the target folder usually lies in the repository.
    let folders = [
        (variable("CARGO_HOME").or_else(home), "/cargo"),
        (Some(root.to_owned()), "/intab"),
        (Some(target.unwrap_or_else(|| root.join("target"))), "/target"),
    ];
    let flag = |(folder, name): (Option<PathBuf>, &str)| {
        folder.map(|folder| format!("--remap-path-prefix={}={name}", folder.display()))
    };
    folders.into_iter().filter_map(flag).collect()
}

fn find_module(messages: &str, library: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact")
        .filter(|message| {
            message.target.as_ref().is_some_and(|target| {
                target.name == library && target.kind.iter().any(|kind| kind == "cdylib")
            })
        })
        .flat_map(|message| message.filenames)
        .find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
}

/// The module without the functions that it exports by names that begin with `prefix`; what nothing else calls goes when the
/// JavaScript is made.
fn without_exports(wasm: &[u8], prefix: &str) -> Result<Vec<u8>> {
    let mut module = walrus::Module::from_buffer(wasm).context("reading the compiled module")?;
    let unused: Vec<_> =
        module.exports.iter().filter(|e| e.name.starts_with(prefix)).map(|export| export.id()).collect();
    unused.into_iter().for_each(|id| module.exports.delete(id));
    Ok(module.emit_wasm())
}

/// Writes the JavaScript, its types and the module made ready for them.
fn bind(wasm: Vec<u8>, out_name: &str, settings: &Settings, out_dir: &Path) -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_bytes(out_name, wasm)
        .out_name(out_name)
        .typescript(settings.typescript)
        // The script finds the module beside itself unless told otherwise.
        .omit_default_module_path(false)
        .debug(settings.debug)
        .keep_debug(settings.keep_names)
        // The order of the functions is by their names, which then go.
        .remove_name_section(false)
        .remove_producers_section(!settings.keep_names);
    match settings.target {
        BindgenTarget::Web => bindgen.web(true),
        BindgenTarget::NoModules => bindgen.no_modules(true),
        BindgenTarget::Bundler => bindgen.bundler(true),
        BindgenTarget::Deno => bindgen.deno(true),
    }?;
    bindgen.generate(out_dir).with_context(|| format!("wasm-bindgen, writing to {}", out_dir.display()))?;
    if settings.keep_names {
        return Ok(());
    }
    let file = out_dir.join(format!("{out_name}_bg.wasm"));
    let module = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    std::fs::write(&file, order::by_name(&module)?).with_context(|| format!("writing {}", file.display()))
}

/// The modules in the output folder, each with its JavaScript, in the order of [`sources`].
pub fn outputs(out_dir: &Path, settings: &Settings) -> [[PathBuf; 2]; 2] {
    sources(settings).map(|Source { out_name, .. }| {
        [format!("{out_name}_bg.wasm"), format!("{out_name}.js")].map(|file| out_dir.join(file))
    })
}

/// What makes the output of a module: this code and the versions it is built with.
const RECIPE: [&str; 3] =
    [include_str!("wasm.rs"), include_str!("wasm/order.rs"), include_str!("../Cargo.toml")];

/// What the output is made from, as a text to compare: the compiled module, the recipe and the settings.
fn stamp<'a>(modules: impl IntoIterator<Item = &'a [u8]>, settings: &Settings) -> String {
    let mut hasher = DefaultHasher::new();
    RECIPE.hash(&mut hasher);
    modules.into_iter().for_each(|wasm| wasm.hash(&mut hasher));
    format!("{:016x}\n{settings:?}\n", hasher.finish())
}

fn is_current(out_dir: &Path, settings: &Settings, stamp: &str) -> bool {
    std::fs::read_to_string(out_dir.join(STAMP)).is_ok_and(|written| written == stamp)
        && is_whole(out_dir, settings)
}

fn is_whole(out_dir: &Path, settings: &Settings) -> bool {
    outputs(out_dir, settings).iter().flatten().all(|file| file.is_file())
}

/// Fails with the command to type if there is nothing built to serve or measure.
pub fn require_built(root: &Path) -> Result<()> {
    let settings = Settings::read(root)?;
    let out_dir = root.join(&settings.out_dir);
    if !is_whole(&out_dir, &settings) {
        bail!("{} lacks a module: run `cargo xtask build` first", settings.out_dir);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_is_renamed_last_as_it_lies_in_the_repository() {
        let flags = neutral_paths(Path::new("/some/where/intab"));
        assert!(flags.iter().all(|flag| flag.starts_with("--remap-path-prefix=/")), "{flags:?}");
        let names: Vec<_> = flags.iter().map(|flag| flag.rsplit('=').next().unwrap()).collect();
        assert_eq!(names, ["/cargo", "/intab", "/target"]);
        assert_eq!(flags[1], "--remap-path-prefix=/some/where/intab=/intab");
    }

    #[test]
    fn the_module_is_the_cdylib_that_cargo_names() {
        let messages = r#"
{"reason":"compiler-artifact","target":{"name":"half","kind":["lib"]},"filenames":["/t/libhalf.rlib"]}
{"reason":"compiler-artifact","target":{"name":"intab","kind":["cdylib","rlib"]},"filenames":["/t/libintab.rlib","/t/intab.wasm"]}
{"reason":"build-finished","success":true}"#;
        assert_eq!(find_module(messages, "intab"), Some(PathBuf::from("/t/intab.wasm")));
        assert_eq!(find_module(messages, "half"), None);
    }

    #[test]
    fn a_build_without_a_cdylib_names_no_module() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"intab","kind":["rlib"]},"filenames":["/t/a.wasm"]}"#;
        assert_eq!(find_module(messages, "intab"), None);
    }

    #[test]
    fn a_changed_module_or_setting_changes_the_stamp() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let settings = Settings::read(root).unwrap();
        let mut other = settings.clone();
        other.debug = !other.debug;
        let stamp = |wasm: &[u8], settings| stamp([wasm, b"other"], settings);
        let stamps = [stamp(b"module", &settings), stamp(b"modulo", &settings), stamp(b"module", &other)];
        for (index, stamp) in stamps.iter().enumerate() {
            assert!(!stamps[..index].contains(stamp), "{stamp}");
        }
    }
}
