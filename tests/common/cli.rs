//! Runs of the command line, and what is said of them.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

pub fn intab(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_intab"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub fn run(args: &[&str]) -> Output {
    intab(args).output().unwrap()
}

/// Runs with a text on stdin.
pub fn run_with(args: &[&str], stdin: &str) -> Output {
    let mut child = intab(args).stdin(Stdio::piped()).spawn().unwrap();
    // Whoever fails early does not read it; what it says of that is the test's to see.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

/// What a run that succeeds prints.
#[track_caller]
pub fn printed(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
pub fn json(output: Output) -> Value {
    serde_json::from_str(&printed(output)).unwrap()
}

/// The one line of a run that fails.
#[track_caller]
pub fn refusal(args: &[&str]) -> String {
    let output = run(args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{args:?}");
    // A system library of GPU drivers prints this where there is no desktop session.
    let lines: Vec<_> = stderr.lines().filter(|l| !l.starts_with("error: XDG_RUNTIME_DIR")).collect();
    assert_eq!(lines.len(), 1, "{args:?}: {stderr}");
    assert!(lines[0].starts_with("intab: "), "{args:?}: {stderr}");
    lines[0].to_owned()
}

#[track_caller]
pub fn refused_for(args: &[&str], reason: &str) {
    let line = refusal(args);
    assert!(line.contains(reason), "{args:?}: {line}");
}

/// A run that fails once its model is loaded: there is a line about the device before.
#[track_caller]
pub fn refused_after_load(args: &[&str], reason: &str) {
    let output = run(args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
    let last = stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("intab: ") && last.contains(reason), "{args:?}: {stderr}");
}

pub fn ids_of(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect()
}

pub fn joined(ids: &[u64], separator: &str) -> String {
    ids.iter().map(u64::to_string).collect::<Vec<_>>().join(separator)
}
