//! `cargo xtask sizes`: how much a visitor downloads, raw and as servers compress it.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::settings::Settings;
use crate::{markdown, npm, package, wasm};

/// The size of a file in bytes. Its JSON form is one line of `cargo xtask sizes`.
#[derive(Debug, Serialize)]
pub struct Size {
    /// What kind of measurement a line of JSON is; always "size".
    measure: &'static str,
    file: String,
    raw: usize,
    /// gzip at its highest level.
    gzip: usize,
    /// Brotli at its highest level, with a window of 4 MiB.
    brotli: usize,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |bytes: usize| bytes as f64 / 1024.0;
        write!(
            f,
            "{:<24} {:>8.1} KiB  gzip {:>7.1} KiB  brotli {:>7.1} KiB",
            self.file,
            kib(self.raw),
            kib(self.gzip),
            kib(self.brotli)
        )
    }
}

/// The files of a build.
pub fn build_outputs(root: &Path, settings: &Settings) -> Vec<PathBuf> {
    wasm::outputs(&root.join(&settings.out_dir), settings).into_iter().flatten().collect()
}

/// What a page downloads that holds a text to a structure, and no other page.
pub fn for_structures(root: &Path, settings: &Settings) -> Vec<PathBuf> {
    let [_, grammar] = wasm::outputs(&root.join(&settings.out_dir), settings);
    grammar.into()
}

/// All that every page downloads to use intab: the build, and of the JavaScript package what its entry, the worker and the
/// helpers import as they start.
pub fn downloads(root: &Path, settings: &Settings) -> Result<Vec<PathBuf>> {
    let [engine, _] = wasm::outputs(&root.join(&settings.out_dir), settings);
    let mut files = Vec::from(engine);
    files.extend(imported(
        ["intab.js", "worker.js", "helper.js"].map(|name| root.join("www/lib").join(name)),
    )?);
    Ok(files)
}

/// What a page downloads besides that uses an interface which others have made known; the first of its modules.
fn for_interface(root: &Path, every_page: &[PathBuf], entry: &str) -> Result<Vec<PathBuf>> {
    let mut scripts = imported([root.join("www/lib").join(entry)])?;
    scripts.retain(|path| !every_page.contains(path));
    Ok(scripts)
}

/// These modules and all that they import before they run, in the order of their names.
pub fn imported(modules: impl IntoIterator<Item = PathBuf>) -> Result<Vec<PathBuf>> {
    let mut waiting: Vec<PathBuf> = modules.into_iter().collect();
    let mut found = BTreeSet::new();
    while let Some(module) = waiting.pop() {
        if found.contains(&module) {
            continue;
        }
        let text =
            std::fs::read_to_string(&module).with_context(|| format!("reading {}", module.display()))?;
        let folder = module.parent().unwrap_or(Path::new(""));
        // Minified modules have no spaces there. What comments say of imports begins no statement.
        let text = format!("\n{text}").replace("from \"", "from\"").replace("import \"", "import\"");
        let words = ["from\"", "\nimport\"", ";import\""];
        for part in words.iter().flat_map(|word| text.split(word).skip(1)) {
            let name = part.split('"').next().unwrap_or_default();
            if name.starts_with('.') {
                waiting.push(joined(folder, name));
            }
        }
        found.insert(module);
    }
    Ok(found.into_iter().collect())
}

/// A path relative to a folder, without `.` and `..`.
pub fn joined(folder: &Path, name: &str) -> PathBuf {
    let mut path = folder.to_owned();
    for part in name.split('/') {
        match part {
            "." => {}
            ".." => _ = path.pop(),
            part => path.push(part),
        }
    }
    path
}

/// The scripts in a folder and the folders in it, in the order of their names.
pub fn scripts(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = files(folder)?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "js"));
    Ok(files)
}

/// All files in a folder and the folders in it, in the order of their names.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Measures each file and, as the last entry, their sum, which is called `sum`.
pub fn measure(files: &[PathBuf], sum: &str) -> Result<Vec<Size>> {
    let mut sizes = Vec::with_capacity(files.len() + 1);
    for file in files {
        let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        sizes.push(Size {
            measure: "size",
            file: name,
            raw: bytes.len(),
            gzip: gzip(&bytes)?,
            brotli: brotli(&bytes)?,
        });
    }
    let total = |of: fn(&Size) -> usize| sizes.iter().map(of).sum();
    sizes.push(Size {
        measure: "size",
        file: sum.to_owned(),
        raw: total(|size| size.raw),
        gzip: total(|size| size.gzip),
        brotli: total(|size| size.brotli),
    });
    Ok(sizes)
}

/// Prints the sizes of everything a page downloads as JSON lines to standard output.
pub fn print(root: &Path) -> Result<()> {
    wasm::require_built(root)?;
    let settings = Settings::read(root)?;
    let every_page = measure(&downloads(root, &settings)?, "total")?;
    let with_structures =
        measure(&for_structures(root, &settings), "total of structures, when one is asked for")?;
    let mut all = vec![every_page, with_structures];
    let known = downloads(root, &settings)?;
    let interfaces = [("openai", "openai/endpoints.js"), ("polyfill", "polyfill.js"), ("chat", "chat.js")];
    for (interface, entry) in interfaces {
        let mut files = for_interface(root, &known, entry)?;
        if interface == "chat" {
            files.push(markdown::output(&root.join(&settings.out_dir)));
        }
        all.push(measure(&files, &format!("total of {interface}, where it is used"))?);
    }
    match npm::ensure(root, npm::PACKAGE) {
        Ok(_) => {
            package::make(root)?;
            all.extend(package::measure(root)?);
        }
        Err(reason) => eprintln!("the npm package is not measured: {reason}"),
    }
    for size in all.into_iter().flatten() {
        println!("{}", serde_json::to_string(&size)?);
    }
    Ok(())
}

fn gzip(bytes: &[u8]) -> Result<usize> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

fn brotli(bytes: &[u8]) -> Result<usize> {
    const BUFFER: usize = 64 << 10;
    const QUALITY: u32 = 11;
    const WINDOW_BITS: u32 = 22;
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), BUFFER, QUALITY, WINDOW_BITS);
    encoder.write_all(bytes)?;
    Ok(encoder.into_inner().len())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_u32;
        std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        })
        .take(len)
        .collect()
    }

    #[test]
    fn a_module_is_counted_once_with_all_that_it_imports_at_its_start() {
        let folder = std::env::temp_dir().join(format!("intab-imports-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("sub")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        write("a.js", "import { b } from \"./sub/b.js\";\nexport const c = () => import(\"./c.js\");\n");
        write("sub/b.js", "import {\n  a,\n} from \"../a.js\";\nexport * from \"./d.js\";\n");
        write("sub/d.js", "import\"./e.js\"; // types come from \"elsewhere\", as `import \"./f.js\"`\n");
        write("sub/e.js", "");
        write("c.js", "");
        let found = imported([folder.join("a.js")]).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, ["a.js", "sub/b.js", "sub/d.js", "sub/e.js"].map(|name| folder.join(name)));
    }

    #[test]
    fn repetition_compresses_and_noise_does_not() {
        let text = b"the same words again ".repeat(500);
        let noise = noise(10_000);
        assert!(gzip(&text).unwrap() < text.len() / 20);
        assert!(brotli(&text).unwrap() < text.len() / 20);
        assert!(gzip(&noise).unwrap() >= noise.len());
        assert!(brotli(&noise).unwrap() >= noise.len());
    }

    #[test]
    fn the_brotli_size_is_that_of_a_whole_stream() {
        let text = b"a text to be had back ".repeat(100);
        let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 11, 22);
        encoder.write_all(&text).unwrap();
        let stream = encoder.into_inner();
        assert_eq!(stream.len(), brotli(&text).unwrap());
        let mut back = Vec::new();
        brotli::Decompressor::new(&stream[..], 4096).read_to_end(&mut back).unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn the_last_line_is_the_sum_of_the_others() {
        let sizes = measure(
            &[
                Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"),
                Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sizes.rs"),
            ],
            "total",
        )
        .unwrap();
        let [manifest, source, total] = &sizes[..] else { panic!("{} lines", sizes.len()) };
        assert_eq!(total.file, "total");
        assert_eq!(total.raw, manifest.raw + source.raw);
        assert_eq!(total.brotli, manifest.brotli + source.brotli);
    }
}
