//! Finding a Chromium to test in, or getting one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::system::{self, Machine};
use crate::{npm, process};

/// The names of Chromium and its kin on a PATH.
const PROGRAMS: [&str; 5] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// Where browsers are looked for.
#[derive(Debug, Clone, Default)]
struct Places {
    /// The variable `CHROME`: the one to use, if set.
    chrome: Option<OsString>,
    /// The variable `PATH`.
    path: OsString,
    /// The folder that Playwright downloads browsers to.
    playwright: Option<PathBuf>,
}

impl Places {
    fn here() -> Places {
        Places {
            chrome: std::env::var_os("CHROME").filter(|value| !value.is_empty()),
            path: std::env::var_os("PATH").unwrap_or_default(),
            playwright: playwright_cache(),
        }
    }
}

/// A Chromium to run, downloaded or installed if need be; the error is the one line to show.
pub fn ensure(root: &Path) -> Result<PathBuf, String> {
    obtain(
        || find(&Places::here()),
        &Machine::here(),
        || download(root),
        || system::install(&["chromium", "mesa-vulkan-drivers"]).map_err(|error| format!("{error:#}")),
    )
}

/// The order of attempts: what is there, Playwright's download, the system's packages.
fn obtain(
    find: impl Fn() -> Result<Option<PathBuf>, String>,
    machine: &Machine,
    download: impl FnOnce() -> Result<(), String>,
    install: impl FnOnce() -> Result<(), String>,
) -> Result<PathBuf, String> {
    if let Some(chromium) = find()? {
        return Ok(chromium);
    }
    let mut reasons = Vec::new();
    match download() {
        Ok(()) => match find()? {
            Some(chromium) => return Ok(chromium),
            None => reasons.push("Playwright's download holds no browser for this system".to_owned()),
        },
        Err(reason) => reasons.push(reason),
    }
    if machine.installs_packages() {
        match install() {
            Ok(()) => match find()? {
                Some(chromium) => return Ok(chromium),
                None => reasons.push("the package chromium brought none".to_owned()),
            },
            Err(reason) => reasons.push(reason),
        }
    }
    Err(format!("no Chromium: install one, or name it in the variable CHROME ({})", reasons.join("; ")))
}

/// The Chromium of `CHROME`, of the PATH or of Playwright's cache. A `CHROME` that names none is an error.
fn find(places: &Places) -> Result<Option<PathBuf>, String> {
    if let Some(chrome) = &places.chrome {
        let file = PathBuf::from(chrome);
        if process::is_executable(&file) {
            return Ok(Some(file));
        }
        // A bare name is looked up as a shell would.
        let by_name = chrome.to_str().and_then(|name| process::find_program(&[name], &places.path));
        return match by_name {
            Some(file) => Ok(Some(file)),
            None => Err(format!("the variable CHROME names {}, which cannot be run", file.display())),
        };
    }
    Ok(process::find_program(&PROGRAMS, &places.path)
        .or_else(|| places.playwright.as_deref().and_then(newest_of_playwright)))
}

/// Playwright's folder for downloads, as its documentation gives it.
fn playwright_cache() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("PLAYWRIGHT_BROWSERS_PATH").filter(|value| !value.is_empty()) {
        return Some(folder.into());
    }
    if cfg!(target_os = "windows") {
        return std::env::var_os("LOCALAPPDATA").map(|folder| PathBuf::from(folder).join("ms-playwright"));
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    if cfg!(target_os = "macos") {
        return home.map(|home| home.join("Library/Caches/ms-playwright"));
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    cache.or_else(|| home.map(|home| home.join(".cache"))).map(|cache| cache.join("ms-playwright"))
}

/// The browser in the folder `chromium-REVISION` of the highest revision that holds one.
fn newest_of_playwright(cache: &Path) -> Option<PathBuf> {
    const INSIDE: [&str; 6] = [
        "chrome-linux64/chrome",
        "chrome-linux-arm64/chrome",
        "chrome-linux/chrome",
        "chrome-mac-arm64/Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing",
        "chrome-mac-x64/Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing",
        "chrome-win64/chrome.exe",
    ];
    let mut revisions: Vec<(u64, PathBuf)> = cache
        .read_dir()
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let revision = entry.file_name().to_str()?.strip_prefix("chromium-")?.parse().ok()?;
            Some((revision, entry.path()))
        })
        .collect();
    revisions.sort_unstable();
    revisions.into_iter().rev().find_map(|(_, folder)| {
        INSIDE.iter().map(|file| folder.join(file)).find(|file| process::is_executable(file))
    })
}

/// Lets Playwright download its Chromium into its cache.
fn download(root: &Path) -> Result<(), String> {
    let folder = npm::ensure(root, npm::TESTS)?;
    eprintln!("no Chromium found; Playwright downloads one");
    let mut playwright = Command::new("node");
    playwright.args(["node_modules/playwright-core/cli.js", "install", "chromium"]);
    playwright.current_dir(folder).stdout(std::io::stderr());
    process::run(&mut playwright).map_err(|_| "Playwright's download failed".to_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use std::cell::RefCell;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder with executable files, removed at the end.
    struct Programs(PathBuf);

    impl Programs {
        fn new(name: &str, files: &[&str]) -> Programs {
            let folder = std::env::temp_dir().join(format!("intab-chromium-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            for file in files {
                let file = folder.join(file);
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(&file, "").unwrap();
                std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
            }
            Programs(folder)
        }

        fn file(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Programs {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_variable_comes_before_the_path_and_the_path_before_playwright() {
        let programs =
            Programs::new("order", &["mine", "chromium", "cache/chromium-1234/chrome-linux64/chrome"]);
        let mut places = Places {
            chrome: Some(programs.file("mine").into()),
            path: programs.0.clone().into(),
            playwright: Some(programs.file("cache")),
        };
        assert_eq!(find(&places).unwrap(), Some(programs.file("mine")));
        places.chrome = None;
        assert_eq!(find(&places).unwrap(), Some(programs.file("chromium")));
        places.path = "/nowhere".into();
        assert_eq!(find(&places).unwrap(), Some(programs.file("cache/chromium-1234/chrome-linux64/chrome")));
        places.playwright = None;
        assert_eq!(find(&places).unwrap(), None);
    }

    #[test]
    fn a_variable_that_names_no_browser_is_an_error_and_not_passed_over() {
        let programs = Programs::new("wrong", &["chromium"]);
        let places = Places {
            chrome: Some("/nowhere/chrome".into()),
            path: programs.0.clone().into(),
            playwright: None,
        };
        assert!(find(&places).unwrap_err().contains("/nowhere/chrome"));
    }

    #[test]
    fn a_file_that_cannot_be_run_is_no_browser() {
        let programs = Programs::new("mode", &["chromium"]);
        std::fs::set_permissions(programs.file("chromium"), PermissionsExt::from_mode(0o644)).unwrap();
        let places = Places { path: programs.0.clone().into(), ..Places::default() };
        assert_eq!(find(&places).unwrap(), None);
    }

    #[test]
    fn the_newest_of_playwrights_browsers_is_taken_by_number() {
        let programs = Programs::new(
            "revisions",
            &[
                "chromium-999/chrome-linux/chrome",
                "chromium-1000/chrome-linux/chrome",
                "firefox-2000/firefox",
            ],
        );
        assert_eq!(
            newest_of_playwright(&programs.0),
            Some(programs.file("chromium-1000/chrome-linux/chrome"))
        );
    }

    /// Which steps run, in order, on a machine where a browser appears after `appears_after` of them.
    fn steps(machine: &Machine, appears_after: usize) -> (Vec<&'static str>, Result<PathBuf, String>) {
        let done = RefCell::new(Vec::new());
        let step = |name| {
            done.borrow_mut().push(name);
            Ok(())
        };
        let result = obtain(
            || Ok((done.borrow().len() >= appears_after).then(|| PathBuf::from("chromium"))),
            machine,
            || step("download"),
            || step("install"),
        );
        (done.into_inner(), result)
    }

    #[test]
    fn nothing_is_downloaded_where_there_is_a_browser() {
        let debian = Machine { is_root: true, has_apt: true };
        assert_eq!(steps(&debian, 0), (vec![], Ok("chromium".into())));
    }

    #[test]
    fn packages_are_installed_only_after_the_download_failed() {
        let debian = Machine { is_root: true, has_apt: true };
        assert_eq!(steps(&debian, 1), (vec!["download"], Ok("chromium".into())));
        assert_eq!(steps(&debian, 2), (vec!["download", "install"], Ok("chromium".into())));
    }

    #[test]
    fn packages_are_installed_only_by_root_on_debian() {
        for machine in [Machine { is_root: false, has_apt: true }, Machine { is_root: true, has_apt: false }]
        {
            let (done, result) = steps(&machine, 2);
            assert_eq!(done, ["download"]);
            assert!(result.unwrap_err().starts_with("no Chromium: install one"));
        }
    }

    #[test]
    fn the_reasons_of_all_failures_stand_in_the_one_line() {
        let error = obtain(
            || Ok(None),
            &Machine { is_root: true, has_apt: true },
            || Err("Playwright's download failed".to_owned()),
            || Err("apt-get failed".to_owned()),
        )
        .unwrap_err();
        assert!(error.contains("Playwright's download failed; apt-get failed"), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
}
