//! What the command line writes: results to stdout, everything else to stderr, and the ways in which both can fail.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use clap::CommandFactory;
use intab::Error;

/// Why a command ends early.
pub enum Failure {
    /// The command line is not one that we know; the message is one line.
    Usage(String),
    /// The engine's own errors.
    Engine(Error),
    /// Stdin cannot be read, or is no text.
    Stdin(String),
    /// A result could not be written.
    Write { place: String, error: io::Error },
}

pub type Result<T> = std::result::Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Engine(error)
    }
}

impl Failure {
    /// Whoever read our results has had enough of them, as `head` does: no error.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Failure::Write { error, .. } if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// In one line, with options named as `subcommand` spells them.
    pub fn line(&self, subcommand: Option<&str>) -> String {
        let message = match self {
            Failure::Usage(problem) => problem.clone(),
            Failure::Engine(Error::Input { what, problem }) => {
                format!("{}: {problem}", flag(what, subcommand).as_deref().unwrap_or(what))
            }
            Failure::Engine(error) => error.to_string(),
            Failure::Stdin(problem) => format!("cannot read stdin: {problem}"),
            Failure::Write { place, error } => format!("cannot write to {place}: {error}"),
        };
        escaped(&message).into_owned()
    }
}

/// The option of `subcommand` that sets what the engine calls `what`: `top_p` is `--top-p`.
fn flag(what: &str, subcommand: Option<&str>) -> Option<String> {
    let name = match what {
        "context_length" => "context".to_owned(),
        _ => what.replace('_', "-"),
    };
    let command = super::Cli::command();
    let known =
        command.find_subcommand(subcommand?)?.get_arguments().any(|arg| arg.get_long() == Some(&name));
    known.then(|| format!("--{name}"))
}

/// Writes a result and ends its line.
pub fn print(text: &str) -> Result<()> {
    write(text)?;
    write("\n")
}

/// Writes a part of a result, at once.
pub fn write(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Failure::Write { place: "stdout".into(), error })
}

/// Writes a line to stderr. Where nobody can read it there is nobody to tell, either.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", escaped(line));
}

/// Text out of a file as it is safe to print on a terminal: control characters as `\n`, `\u{1b}`.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_control() {
            safe.extend(c.escape_debug());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}
