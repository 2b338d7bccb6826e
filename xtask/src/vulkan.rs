//! Whether the native GPU tests have a Vulkan driver, and putting Mesa's software one there if not.

use std::path::{Path, PathBuf};

use crate::system::{self, Machine};

/// Where the Vulkan loader looks for driver manifests on Linux.
const FOLDERS: [&str; 4] = [
    "/usr/share/vulkan/icd.d",
    "/etc/vulkan/icd.d",
    "/usr/local/share/vulkan/icd.d",
    "/usr/local/etc/vulkan/icd.d",
];

/// Variables that name manifests instead.
const VARIABLES: [&str; 2] = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];

/// Makes sure that there is a driver; the error is the one line to show.
pub fn ensure() -> Result<(), String> {
    // Metal and Direct3D 12 come with their systems.
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let named: Vec<PathBuf> = VARIABLES
        .iter()
        .filter_map(std::env::var_os)
        .flat_map(|value| std::env::split_paths(&value).collect::<Vec<_>>())
        .collect();
    let folders = FOLDERS.map(PathBuf::from);
    if has_driver(&named, &folders) {
        return Ok(());
    }
    const WANTED: &str = "no Vulkan driver: install one (Debian: apt-get install mesa-vulkan-drivers)";
    if !Machine::here().installs_packages() {
        return Err(WANTED.to_owned());
    }
    system::install(&["mesa-vulkan-drivers"]).map_err(|error| format!("{WANTED}; {error:#}"))?;
    if has_driver(&named, &folders) { Ok(()) } else { Err(WANTED.to_owned()) }
}

/// `named`: manifests that a variable names, which count alone if there are any; `folders`: where others lie.
fn has_driver(named: &[PathBuf], folders: &[PathBuf]) -> bool {
    if !named.is_empty() {
        return named.iter().any(|file| file.exists());
    }
    folders.iter().any(|folder| holds_manifest(folder))
}

fn holds_manifest(folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    entries.flatten().any(|entry| entry.path().extension().is_some_and(|extension| extension == "json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str, files: &[&str]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("intab-vulkan-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for file in files {
            std::fs::write(folder.join(file), "{}").unwrap();
        }
        folder
    }

    #[test]
    fn a_manifest_in_any_folder_is_a_driver() {
        let (empty, full) = (folder("empty", &["README"]), folder("full", &["lvp_icd.json"]));
        assert!(has_driver(&[], &[empty.clone(), full.clone()]));
        assert!(!has_driver(&[], &[empty.clone(), empty.join("absent")]));
        for folder in [empty, full] {
            std::fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn a_variable_that_names_manifests_hides_the_folders() {
        let full = folder("named", &["lvp_icd.json"]);
        assert!(has_driver(&[full.join("lvp_icd.json")], &[]));
        assert!(!has_driver(&[full.join("absent.json")], std::slice::from_ref(&full)));
        std::fs::remove_dir_all(full).unwrap();
    }
}
