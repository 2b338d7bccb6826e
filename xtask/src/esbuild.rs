//! The bundler of the JavaScript package.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use crate::{npm, process};

/// Runs esbuild in `root` and returns what it wrote to standard output; its messages are shown.
pub fn run(root: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let folder = npm::ensure(root, npm::PACKAGE).map_err(|reason| anyhow!(reason))?;
    let name = if cfg!(windows) { "esbuild.cmd" } else { "esbuild" };
    let mut esbuild = Command::new(folder.join("node_modules/.bin").join(name));
    esbuild.args(arguments).arg("--log-level=warning").current_dir(root);
    esbuild.stdin(Stdio::null()).stderr(Stdio::inherit());
    let line = process::line(&esbuild);
    let output = esbuild.output().with_context(|| format!("starting {line}"))?;
    if !output.status.success() {
        bail!("{line} failed ({})", output.status);
    }
    Ok(output.stdout)
}
