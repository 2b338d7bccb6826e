//! What a device says when it cannot do something, whichever way it comes, and the error that the caller gets of it.

use super::memory;
use crate::error::Error;

/// A refusal as the device words it.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// There was no room.
    OutOfMemory,
    /// A command or object is not valid, or the driver failed; what the device tells of it.
    Refused(String),
}

impl Fault {
    /// The error of making `what`, of `bytes` bytes (0 where that is unknown).
    pub fn about(self, what: String, bytes: u64) -> Error {
        match self {
            Fault::OutOfMemory => Error::OutOfMemory { device: "GPU", what, bytes },
            Fault::Refused(problem) => Error::Device { what, problem },
        }
    }

    /// The error where nobody watched what was being done: the device's own words name the command.
    pub fn uncaptured(self) -> Error {
        match self {
            Fault::OutOfMemory => self.about("buffers".into(), memory::total().bytes),
            Fault::Refused(ref problem) => {
                let what = command(problem).unwrap_or("a command").to_owned();
                self.about(what, 0)
            }
        }
    }
}

/// The command that a device's message is about, where it is worded as wgpu does (`In Queue::write_buffer`) or as Chromium
/// (`While calling [Queue].WriteBuffer(…)`).
fn command(message: &str) -> Option<&str> {
    const MARKS: [&str; 4] = ["In ", "While calling ", "While encoding ", "While finishing "];
    fn named(line: &str) -> Option<&str> {
        let words = line.trim_start_matches([' ', '-']);
        let name = MARKS.iter().find_map(|mark| words.strip_prefix(mark))?;
        Some(name.trim_end_matches(['.', ' ']))
    }
    message.lines().find_map(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str) -> Error {
        Fault::Refused(message.into()).uncaptured()
    }

    #[test]
    fn an_error_that_nobody_watched_names_the_command_that_the_message_names() {
        let wgpu =
            "Validation Error\n\nCaused by:\n  In Queue::write_buffer\n    Copy of 0..8 would overrun\n";
        assert!(
            matches!(refused(wgpu), Error::Device { what, problem } if what == "Queue::write_buffer" && problem == wgpu)
        );
        let dawn = "Binding size is zero.\n - While validating entries[0].\n - While calling [Device].CreateBindGroup([BindGroupDescriptor \"rope\"]).\n";
        assert!(
            matches!(refused(dawn), Error::Device { what, .. } if what == "[Device].CreateBindGroup([BindGroupDescriptor \"rope\"])")
        );
        assert!(matches!(refused("Innsbruck"), Error::Device { what, .. } if what == "a command"));
    }

    #[test]
    fn what_was_watched_is_named_by_the_watcher() {
        let error = Fault::OutOfMemory.about("the buffer `kv`".into(), 77);
        assert_eq!(error, Error::OutOfMemory { device: "GPU", what: "the buffer `kv`".into(), bytes: 77 });
        let error = Fault::Refused("no".into()).about("the pipeline `rope`".into(), 0);
        assert_eq!(error.to_string(), "the device refused the pipeline `rope`: no");
    }
}
