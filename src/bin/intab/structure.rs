//! What a text is held to: `--json-schema`, `--regex`, `--lark`.

use std::path::{Path, PathBuf};

use clap::Args;
use intab::{Error, run::Structure};

use super::output::Result;

#[derive(Args)]
#[group(id = "structure", multiple = false)]
pub struct StructureArgs {
    /// Hold the text to a JSON schema: a file, or the schema itself where that begins with {; true stands for any JSON
    #[arg(long, value_name = "FILE|JSON")]
    json_schema: Option<String>,
    /// Hold the text to a regular expression in JavaScript's syntax, which all of it matches
    #[arg(long, value_name = "R", allow_hyphen_values = true)]
    regex: Option<String>,
    /// Hold the text to a grammar in a file, in llguidance's variant of the syntax of Lark
    #[arg(long, value_name = "FILE")]
    lark: Option<PathBuf>,
}

/// A structure as it was given or read.
pub enum Given {
    JsonSchema(String),
    Regex(String),
    Lark(String),
}

impl StructureArgs {
    /// Whether there is one.
    pub fn is_given(&self) -> bool {
        self.json_schema.is_some() || self.regex.is_some() || self.lark.is_some()
    }

    /// Reads it.
    pub fn read(&self) -> Result<Option<Given>> {
        Ok(match (&self.json_schema, &self.regex, &self.lark) {
            (Some(text), _, _) if text.trim_start().starts_with('{') || text == "true" => {
                Some(Given::JsonSchema(text.clone()))
            }
            (Some(file), _, _) => Some(Given::JsonSchema(read(Path::new(file))?)),
            (_, Some(regex), _) => Some(Given::Regex(regex.clone())),
            (_, _, Some(file)) => Some(Given::Lark(read(file)?)),
            (None, None, None) => None,
        })
    }
}

impl Given {
    pub fn structure(&self) -> Structure<'_> {
        match self {
            Given::JsonSchema(text) => Structure::JsonSchema(text),
            Given::Regex(text) => Structure::Regex(text),
            Given::Lark(text) => Structure::Lark(text),
        }
    }
}

fn read(file: &Path) -> Result<String> {
    let source_name = file.display().to_string();
    std::fs::read_to_string(file).map_err(|e| Error::Source { source_name, problem: e.to_string() }.into())
}
