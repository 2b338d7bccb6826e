//! `cargo xtask test`: every check there is, one part after the other, and a summary.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::counts::{self, Counts};
use crate::{chromium, docs, npm, process, vulkan, wasm};

const WASM: &str = "wasm32-unknown-unknown";

/// The packages of the workspace. Each is checked and tested by itself: together, Cargo would join their
/// features and build most dependencies a second time.
const PACKAGES: [(&str, &[&str]); 5] = [
    ("intab", &["--features", "cli"]),
    ("xtask", &[]),
    ("intab-wasm-tests", &[]),
    ("intab-kernels", &[]),
    ("intab-grammar", &[]),
];

/// What to run. Without any of these: everything.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// Only what runs without a browser: format, lints and native tests
    #[arg(long, conflicts_with = "browser")]
    native: bool,
    /// Only the wasm build, the JavaScript types and the browser tests
    #[arg(long)]
    browser: bool,
    /// Only tests whose name contains this, without the checks of format, lints and types
    filter: Option<String>,
}

/// How a part ended.
#[derive(Debug, PartialEq)]
enum Outcome {
    Done(Counts),
    /// It ran and did not succeed; the counts are those of its tests, as far as they are known.
    Failed(Counts, String),
    /// It could not run, for this reason.
    Unable(String),
}

struct Part {
    name: &'static str,
    outcome: Outcome,
    time: Duration,
}

/// Runs the parts and prints a summary; the exit code is 1 if one failed.
pub fn run(root: &Path, options: &Options) -> Result<ExitCode> {
    let in_ci = is_set(std::env::var("CI").ok().as_deref());
    // Taken now, for the file may be replaced by a build further down.
    let xtask = std::env::current_exe().context("finding this program's file")?;
    let filter = options.filter.as_deref();
    let (native, browser, checks) = (!options.browser, !options.native, filter.is_none());

    let mut parts = Vec::new();
    let mut part = |name: &'static str, wanted: bool, task: &mut dyn FnMut() -> Outcome| {
        if wanted {
            eprintln!("\n── {name}");
            let start = Instant::now();
            let outcome = task();
            let time = start.elapsed();
            match &outcome {
                Outcome::Done(_) => {}
                Outcome::Failed(_, reason) => eprintln!("{name} failed: {reason}"),
                Outcome::Unable(reason) => eprintln!("{name} cannot run: {reason}"),
            }
            eprintln!("── {name}: {:.1} s", time.as_secs_f64());
            parts.push(Part { name, outcome, time });
        }
    };
    part("format", native && checks, &mut || check(process::cargo(root).args(["fmt", "--all", "--check"])));
    part("lints, native", native && checks, &mut || {
        all(PACKAGES, |(package, _)| {
            process::run(&mut clippy(root, &["--package", package, "--all-targets"]))
        })
    });
    part("lints, wasm", native && checks, &mut || match wasm::install_target(root) {
        Ok(()) => all(["intab", "intab-grammar"], |package| {
            process::run(&mut clippy(root, &["--package", package, "--lib", "--target", WASM]))
        }),
        Err(error) => Outcome::Unable(format!("{error:#}")),
    });
    part("Vulkan driver", native, &mut || match vulkan::ensure() {
        Ok(()) => Outcome::Done(Counts::default()),
        Err(reason) => Outcome::Unable(reason),
    });
    part("native tests", native, &mut || native_tests(root, filter, in_ci));
    part("wasm build", browser, &mut || match wasm::build(root, false) {
        Ok(()) => Outcome::Done(Counts::default()),
        Err(error) => Outcome::Failed(Counts::default(), format!("{error:#}")),
    });
    part("JavaScript types", browser && checks, &mut || match npm::ensure(root, npm::TESTS) {
        Ok(_) => type_check(root),
        Err(reason) => Outcome::Unable(reason),
    });
    part("documentation", browser && checks, &mut || match npm::ensure(root, npm::DOCS) {
        Ok(_) => match docs::build(root) {
            Ok(()) => Outcome::Done(Counts::default()),
            Err(error) => Outcome::Failed(Counts::default(), format!("{error:#}")),
        },
        Err(reason) => Outcome::Unable(reason),
    });
    part("browser tests", browser, &mut || match npm::ensure(root, npm::TESTS)
        .and_then(|_| chromium::ensure(root))
    {
        Ok(chromium) => browser_tests(root, &xtask, &chromium, filter),
        Err(reason) => Outcome::Unable(reason),
    });

    let (summary, ok) = summarize(&parts, in_ci);
    println!("\n{summary}");
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether a variable like `CI` says yes.
fn is_set(value: Option<&str>) -> bool {
    value.is_some_and(|value| !matches!(value, "" | "0" | "false"))
}

fn check(command: &mut Command) -> Outcome {
    match process::run(command) {
        Ok(()) => Outcome::Done(Counts::default()),
        Err(error) => Outcome::Failed(Counts::default(), format!("{error:#}")),
    }
}

fn clippy(root: &Path, what: &[&str]) -> Command {
    let mut cargo = process::cargo(root);
    cargo.arg("clippy").args(what).args(["--all-features", "--quiet", "--", "--deny", "warnings"]);
    cargo
}

/// Does a task that has no tests for each item, also after one failed; the reason is that of the last to fail.
fn all<T>(items: impl IntoIterator<Item = T>, mut task: impl FnMut(T) -> Result<()>) -> Outcome {
    let mut outcome = Outcome::Done(Counts::default());
    for item in items {
        if let Err(error) = task(item) {
            outcome = Outcome::Failed(Counts::default(), format!("{error:#}"));
        }
    }
    outcome
}

/// Checks the package (which also writes its `.d.ts` files), then the app and the single file's page that use it.
fn type_check(root: &Path) -> Outcome {
    let compiler = root.join(npm::TESTS).join("node_modules/typescript/bin/tsc");
    let projects =
        ["www", "www/app", "www/bundle", "www/markdown"].map(|folder| format!("{folder}/tsconfig.json"));
    all(projects, |project| {
        let mut node = Command::new("node");
        process::run(node.arg(&compiler).args(["--project", &project]).current_dir(root))
    })
}

fn native_tests(root: &Path, filter: Option<&str>, in_ci: bool) -> Outcome {
    let mut counts = Counts::default();
    let outcome = all(PACKAGES, |(package, features)| {
        let mut cargo = process::cargo(root);
        cargo.args(["test", "--package", package, "--no-fail-fast"]).args(features).args(filter);
        if in_ci {
            // Tests that need a GPU fail without one instead of being skipped.
            cargo.env("INTAB_REQUIRE_GPU", "1");
        }
        each_line(&mut cargo, |line| {
            println!("{line}");
            counts = counts + counts::of_cargo_line(line).unwrap_or_default();
        })
    });
    match outcome {
        Outcome::Failed(_, reason) => Outcome::Failed(counts, reason),
        _ => Outcome::Done(counts),
    }
}

/// Runs the command and passes on each line of its standard output as it comes.
fn each_line(command: &mut Command, mut seen: impl FnMut(&str)) -> Result<()> {
    let line = process::line(command);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("starting {line}"))?;
    if let Some(stdout) = child.stdout.take() {
        let mut reader = BufReader::new(stdout);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes)? > 0 {
            seen(String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']));
            bytes.clear();
        }
    }
    let status = child.wait()?;
    anyhow::ensure!(status.success(), "{line} failed ({status})");
    Ok(())
}

fn browser_tests(root: &Path, xtask: &Path, chromium: &Path, filter: Option<&str>) -> Outcome {
    let report = root.join("tests/browser/node_modules/.report.tap");
    let result = (|| {
        let files = browser_test_files(root)?;
        let mut node = Command::new("node");
        node.args(["--test", "--test-concurrency=1", "--test-timeout=900000"]);
        node.args(["--test-reporter=spec", "--test-reporter-destination=stdout"]);
        node.arg("--test-reporter=tap");
        node.arg(format!("--test-reporter-destination={}", report.display()));
        if let Some(filter) = filter {
            node.arg(format!("--test-name-pattern={}", literal_pattern(filter)));
        }
        node.args(files).current_dir(root).env("CHROME", chromium).env("XTASK", xtask);
        if report.exists() {
            std::fs::remove_file(&report)?;
        }
        process::run(&mut node)
    })();
    let counts = std::fs::read_to_string(&report).ok().and_then(|report| counts::of_node_report(&report));
    match (result, counts) {
        (Ok(()), Some(counts)) => Outcome::Done(counts),
        (Ok(()), None) => Outcome::Failed(Counts::default(), "node --test left no counts".to_owned()),
        (Err(error), counts) => Outcome::Failed(counts.unwrap_or_default(), format!("{error:#}")),
    }
}

fn browser_test_files(root: &Path) -> Result<Vec<PathBuf>> {
    let folder = root.join(npm::TESTS);
    let mut files: Vec<PathBuf> = folder
        .read_dir()
        .with_context(|| format!("reading {}", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();
    Ok(files)
}

/// A JavaScript regular expression that matches the text itself.
fn literal_pattern(text: &str) -> String {
    let mut pattern = String::new();
    for character in text.chars() {
        if r"\^$.|?*+()[]{}/".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// The table and the line at the end, and whether all is well. A part that is not made of tests counts in the
/// line only where it did not succeed, so that the line and the exit code never disagree.
fn summarize(parts: &[Part], in_ci: bool) -> (String, bool) {
    let mut table = String::new();
    let mut total = Counts::default();
    for Part { name, outcome, time } in parts {
        let (word, counts) = match outcome {
            Outcome::Done(counts) => ("ok", *counts),
            Outcome::Failed(counts, _) => ("FAILED", Counts { failed: counts.failed.max(1), ..*counts }),
            Outcome::Unable(_) if in_ci => ("FAILED", Counts { failed: 1, ..Counts::default() }),
            Outcome::Unable(_) => ("skipped", Counts { skipped: 1, ..Counts::default() }),
        };
        total = total + counts;
        let tests = match outcome {
            Outcome::Done(counts) | Outcome::Failed(counts, _) if *counts != Counts::default() => {
                format!("  {} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped)
            }
            Outcome::Unable(reason) => format!("  {reason}"),
            _ => String::new(),
        };
        table += &format!("{name:<18}{word:<8}{:>7.1} s{tests}\n", time.as_secs_f64());
    }
    let line = format!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    (table + &line, total.failed == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(outcome: Outcome) -> Part {
        Part { name: "part", outcome, time: Duration::from_secs(1) }
    }

    fn last_line(parts: &[Part], in_ci: bool) -> (String, bool) {
        let (summary, ok) = summarize(parts, in_ci);
        (summary.lines().last().unwrap().to_owned(), ok)
    }

    #[test]
    fn the_last_line_is_the_sum_of_all_tests() {
        let parts = [
            part(Outcome::Done(Counts { passed: 3, failed: 0, skipped: 1 })),
            part(Outcome::Done(Counts::default())),
            part(Outcome::Done(Counts { passed: 4, failed: 0, skipped: 0 })),
        ];
        assert_eq!(last_line(&parts, true), ("7 passed, 0 failed, 1 skipped".to_owned(), true));
    }

    #[test]
    fn a_part_that_fails_without_a_failed_test_counts_as_one() {
        let parts = [
            part(Outcome::Failed(Counts { passed: 5, ..Counts::default() }, "it crashed".to_owned())),
            part(Outcome::Failed(Counts { passed: 1, failed: 2, skipped: 0 }, "tests failed".to_owned())),
        ];
        assert_eq!(last_line(&parts, false), ("6 passed, 3 failed, 0 skipped".to_owned(), false));
    }

    #[test]
    fn what_cannot_run_is_skipped_at_home_and_fails_in_ci() {
        let parts = [part(Outcome::Unable("no Chromium".to_owned()))];
        assert_eq!(last_line(&parts, false), ("0 passed, 0 failed, 1 skipped".to_owned(), true));
        assert_eq!(last_line(&parts, true), ("0 passed, 1 failed, 0 skipped".to_owned(), false));
        assert!(summarize(&parts, false).0.contains("no Chromium"));
    }

    #[test]
    fn every_package_of_the_workspace_is_tested() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let manifest = |folder: &str| -> toml::Table {
            std::fs::read_to_string(root.join(folder).join("Cargo.toml")).unwrap().parse().unwrap()
        };
        let name = |folder: &str| manifest(folder)["package"]["name"].as_str().unwrap().to_owned();
        let members = manifest(".")["workspace"]["members"].as_array().unwrap().clone();
        let mut packages = vec![name(".")];
        packages.extend(members.iter().map(|member| name(member.as_str().unwrap())));
        assert_eq!(PACKAGES.map(|(package, _)| package).to_vec(), packages);
    }

    #[test]
    fn ci_is_off_when_it_says_so() {
        assert!(is_set(Some("true")) && is_set(Some("1")));
        assert!(!is_set(None) && !is_set(Some("")) && !is_set(Some("false")) && !is_set(Some("0")));
    }

    #[test]
    fn a_filter_is_taken_literally() {
        assert_eq!(literal_pattern("a.b (c)"), r"a\.b \(c\)");
    }
}
