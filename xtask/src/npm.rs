//! The Node packages of the browser tests, and those that the JavaScript package and the documentation are made with.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;

/// The folder of the browser tests and of their packages.
pub const TESTS: &str = "tests/browser";

/// The folder of the JavaScript package: its bundler, and the libraries that become a part of it.
pub const PACKAGE: &str = "www";

/// The folder of the documentation, and of what makes a site of it.
pub const DOCS: &str = "docs";

/// Installs what the `package-lock.json` of a folder, [`TESTS`], [`PACKAGE`] or [`DOCS`], names, if that has not been done, and returns
/// the folder's path; the error is the one line to show.
pub fn ensure(root: &Path, name: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for program in ["node", "npm"] {
        require(program, &path)?;
    }
    let folder = root.join(name);
    if is_current(&folder) {
        return Ok(folder);
    }
    eprintln!("npm ci in {name}");
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder).stdout(std::io::stderr());
    process::run(&mut npm).map_err(|error| format!("the packages of {name} are missing: {error:#}"))?;
    Ok(folder)
}

fn require(program: &str, path: &OsStr) -> Result<(), String> {
    match process::find_program(&[program], path) {
        Some(_) => Ok(()),
        None => Err(format!("{program} is not on the PATH: install Node.js 20 or newer")),
    }
}

/// Whether the installed packages are those of the lock file: npm keeps its own copy of the lock file beside
/// them, written last, and so never older than the lock file that was installed.
fn is_current(folder: &Path) -> bool {
    let modified = |file: &str| folder.join(file).metadata().and_then(|metadata| metadata.modified());
    match (modified("package-lock.json"), modified("node_modules/.package-lock.json")) {
        (Ok(wanted), Ok(installed)) => installed >= wanted,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named() {
        let error = require("node", OsStr::new("/nowhere")).unwrap_err();
        assert!(error.starts_with("node is not on the PATH"), "{error}");
    }

    #[test]
    fn packages_older_than_the_lock_file_are_installed_again() {
        let folder = std::env::temp_dir().join(format!("intab-npm-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("node_modules")).unwrap();
        let write = |file: &str, seconds: u64| {
            let file = std::fs::File::create(folder.join(file)).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
        };
        write("package-lock.json", 200);
        assert!(!is_current(&folder), "nothing is installed");
        write("node_modules/.package-lock.json", 100);
        assert!(!is_current(&folder), "the lock file is newer");
        write("node_modules/.package-lock.json", 200);
        assert!(is_current(&folder));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn no_lock_file_names_a_host() {
        let locks = [
            include_str!("../../tests/browser/package-lock.json"),
            include_str!("../../www/package-lock.json"),
            include_str!("../../docs/package-lock.json"),
        ];
        for (lock, folder) in locks.iter().zip([TESTS, PACKAGE, DOCS]) {
            assert!(!lock.contains("\"resolved\""), "run npm with the .npmrc of {folder}");
        }
    }
}
