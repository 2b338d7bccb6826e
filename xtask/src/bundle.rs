//! `cargo xtask bundle`: one HTML file that holds a page, intab and a model, and requests nothing.

mod embed;
mod model;
mod page;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::wasm;
use embed::{Content, Writer};

/// What is bundled, and how the page looks.
#[derive(Args)]
pub struct Options {
    /// A GGUF file, or the folder of a Hugging Face model
    model: PathBuf,
    /// The HTML file to write
    #[arg(short, long)]
    output: PathBuf,
    /// The page's title [default: the model's name]
    #[arg(long)]
    title: Option<String>,
    /// The system prompt, for a model with a chat template
    #[arg(long)]
    system: Option<String>,
    /// Build as with `build --dev`
    #[arg(long, conflicts_with = "no_build")]
    dev: bool,
    /// Take what was built before
    #[arg(long)]
    no_build: bool,
}

/// Bytes of model that a file can hold. Chromium opened a page with as much, and none with twice that: what a private window
/// unpacks stays in memory, of which it has 2 GB for this at most.
const MOST_BYTES: u64 = 1 << 30;

/// Writes the file. Progress goes to standard error.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    let files = model::files(&options.model)?;
    let bytes: u64 = files.iter().map(|file| file.len).sum();
    ensure!(
        bytes <= MOST_BYTES,
        "{} has {} MB, and a page that is one file can hold {} MB: serve this model, or take a smaller or more quantized one",
        options.model.display(),
        bytes / 1_000_000,
        MOST_BYTES / 1_000_000
    );
    ensure!(
        options.system.is_none() || model::has_chat_template(&files)?,
        "{} has no chat template, so that a system prompt has no place in what it reads: leave out --system",
        options.model.display()
    );
    if options.no_build {
        wasm::require_built(root)?;
    } else {
        wasm::build(root, options.dev)?;
    }

    let code = page::Code::build(root)?;
    let title = options.title.clone().unwrap_or_else(|| model::title(&options.model));
    let mut contents = vec![Content::of_bytes("worker.js", code.worker.clone())];
    contents.push(Content::of_file("intab.wasm", &code.wasm)?);
    for file in &files {
        contents.push(Content::of_file(&file.name, &file.path)?);
    }
    let settings = page::Settings::new(&title, options.system.as_deref(), &contents);
    let (head, tail) = code.around(&title, &settings)?;

    // What is cut short is not taken for a whole file.
    let begun = options.output.with_extension("part");
    let file = File::create(&begun).with_context(|| format!("writing {}", begun.display()))?;
    let mut writer = Writer::new(BufWriter::new(file))?;
    writer.text(&head)?;
    for (index, content) in contents.iter().enumerate() {
        writer.content(index, content)?;
    }
    writer.text(&tail)?;
    writer.finish()?.flush().with_context(|| format!("writing {}", begun.display()))?;
    std::fs::rename(&begun, &options.output)
        .with_context(|| format!("writing {}", options.output.display()))?;
    let size = std::fs::metadata(&options.output)?.len();
    eprintln!(
        "{}: {:.1} MB, of which the model was {:.1} MB",
        options.output.display(),
        size as f64 / 1e6,
        bytes as f64 / 1e6
    );
    Ok(())
}
