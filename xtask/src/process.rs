//! Where the repository is, and how programs are run in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::settings;

/// The repository's root: that of the xtask which Cargo runs, else the nearest parent of the working
/// directory. It is looked up when running, for a target directory may be shared by several checkouts.
pub fn repository() -> Result<PathBuf> {
    let of_cargo = std::env::var_os("CARGO_MANIFEST_DIR")
        .and_then(|directory| Path::new(&directory).parent().map(Path::to_owned))
        .filter(|directory| directory.join(settings::FILE).is_file());
    if let Some(directory) = of_cargo {
        return Ok(directory);
    }
    let here = std::env::current_dir().context("finding the working directory")?;
    match here.ancestors().find(|directory| directory.join(settings::FILE).is_file()) {
        Some(directory) => Ok(directory.to_owned()),
        None => {
            bail!("no {} in {} or above it: run this inside the repository", settings::FILE, here.display())
        }
    }
}

/// The Cargo that started us, else the one on the PATH.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Runs the command with its output shown; an error if it cannot start or fails.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {}", line(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", line(command));
    }
    Ok(())
}

/// Runs the command and returns what it wrote to standard output; its errors are shown.
pub fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("starting {}", line(command)))?;
    if !output.status.success() {
        bail!("{} failed ({})", line(command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("the output of {} is not UTF-8", line(command)))
}

/// The command as one would type it.
pub fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The first of the names that is an executable file in one of the directories of `path` (as in `PATH`).
pub fn find_program(names: &[&str], path: &OsStr) -> Option<PathBuf> {
    let directories: Vec<PathBuf> = std::env::split_paths(path).collect();
    names.iter().find_map(|name| {
        directories
            .iter()
            .map(|directory| directory.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
            .find(|file| is_executable(file))
    })
}

/// Whether there is a file that this user may run.
pub fn is_executable(file: &Path) -> bool {
    let Ok(metadata) = file.metadata() else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
    }
    #[cfg(not(unix))]
    metadata.is_file()
}
