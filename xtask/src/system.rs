//! What kind of machine this is, and installing packages on it where that is ours to do.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// What the decisions about set-up depend on. Filled from the machine by [`Machine::here`], by hand in tests.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// Whether this process may install packages.
    pub is_root: bool,
    /// Whether apt-get is there, as on Debian and its kin.
    pub has_apt: bool,
}

impl Machine {
    pub fn here() -> Machine {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Machine { is_root: is_root(), has_apt: process::find_program(&["apt-get"], &path).is_some() }
    }

    /// Whether missing packages are installed without asking: only where nobody could be asked for a password.
    pub fn installs_packages(&self) -> bool {
        self.is_root && self.has_apt
    }
}

#[cfg(target_os = "linux")]
fn is_root() -> bool {
    // The owner of this process's own entry in /proc is its effective user.
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self").metadata().is_ok_and(|metadata| metadata.uid() == 0)
}

#[cfg(not(target_os = "linux"))]
fn is_root() -> bool {
    false
}

/// Installs Debian packages; everything apt-get says goes to standard error.
pub fn install(packages: &[&str]) -> Result<()> {
    eprintln!("installing {} with apt-get", packages.join(", "));
    let mut update = apt_get(&["update"]);
    let mut install = apt_get(&["install", "--yes", "--no-install-recommends"]);
    install.args(packages);
    for command in [&mut update, &mut install] {
        process::run(command).with_context(|| format!("installing {}", packages.join(", ")))?;
    }
    Ok(())
}

fn apt_get(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.arg("--quiet").args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command.stdout(std::io::stderr());
    command
}
