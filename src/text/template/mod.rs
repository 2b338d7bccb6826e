//! Chat templates: the Jinja program in a model file that turns messages into a prompt.
//!
//! It is run as `transformers` runs it: `trim_blocks`, `lstrip_blocks`, loop controls, Python's methods on strings,
//! maps and lists, `raise_exception`, `strftime_now`, and `tojson` with Python's spacing and no HTML escaping. The
//! program is untrusted, so it gets fuel, which bounds its time, its memory and its output.

mod keeping;
mod kept;
mod python;
mod source;
mod time;

use minijinja::{
    AutoEscape, Environment, ErrorKind, State, UndefinedBehavior, Value as JinjaValue, syntax::SyntaxConfig,
    value::Serde,
};
use serde_json::{Map, Value, json};

use super::tokenizer::Tokenizer;
use crate::{
    error::{Error, Result},
    format::{Checkpoint, metadata::Metadata},
};

/// The name that messages give the program.
const NAME: &str = "chat_template";
/// A source longer than this is no chat template; the longest known have 30 KiB.
const MAX_SOURCE: usize = 1 << 20;
/// Steps (or 64 bytes of text made) that a template may take, and as many more for each byte of the messages. A long
/// chat with tools takes some ten thousand.
const FUEL: u64 = 4_000_000;
const FUEL_PER_BYTE: u64 = 16;
/// Loops, macros and calls inside each other. A page's stack holds about 1 MiB.
const RECURSION: usize = 100;

/// A chat template, compiled.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
}

impl ChatTemplate {
    /// The default template of a file, or `None` if it has none.
    ///
    /// # Errors
    /// [`Error::Template`] if it is no Jinja.
    pub fn from_metadata(metadata: &Metadata) -> Result<Option<ChatTemplate>> {
        metadata.opt_str("tokenizer.chat_template")?.map(ChatTemplate::new).transpose()
    }

    /// The default template of a model, or `None` if it has none: of a Hugging Face folder, else as
    /// [`ChatTemplate::from_metadata`].
    ///
    /// # Errors
    /// [`Error::Template`] if it is no Jinja.
    pub fn of(checkpoint: &Checkpoint) -> Result<Option<ChatTemplate>> {
        match &checkpoint.folder {
            Some(folder) => folder.chat_template.as_deref().map(ChatTemplate::new).transpose(),
            None => ChatTemplate::from_metadata(&checkpoint.metadata),
        }
    }

    /// Compiles a template.
    ///
    /// # Errors
    /// [`Error::Template`] if it is no Jinja.
    pub fn new(source: &str) -> Result<ChatTemplate> {
        if source.len() > MAX_SOURCE {
            let problem = format!("{} bytes are too many, at most {MAX_SOURCE} are read", source.len());
            return Err(Error::Template { problem });
        }
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| describe(&error))?);
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_recursion_limit(RECURSION);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.set_formatter(python::write);
        environment.add_filter("string", |state: &mut State, value: &JinjaValue| python::text(state, value));
        environment.add_filter("tojson", python::tojson);
        python::add_generators(&mut environment);
        kept::add_filters(&mut environment);
        environment.add_function("raise_exception", |message: String| -> Result<(), minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        let program = source::prepare(source).map_err(|problem| Error::Template { problem })?;
        environment.add_template_owned(NAME, program).map_err(|error| describe(&error))?;
        Ok(ChatTemplate { environment, source: source.to_owned() })
    }

    /// The program.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The prompt for `messages`, with the tokens of `tokenizer` and this moment's date (UTC). `options` is an object
    /// of further variables (`tools`, `enable_thinking`, `date_string`, …) or null; `add_generation_prompt` is true
    /// unless it says otherwise.
    ///
    /// # Errors
    /// As [`ChatTemplate::render`]; [`Error::Input`] if `options` is neither an object nor null.
    pub fn render_chat(&self, tokenizer: &Tokenizer, messages: &Value, options: &Value) -> Result<String> {
        let mut variables = match options {
            Value::Null => Map::new(),
            Value::Object(options) => options.clone(),
            _ => return Err(Error::input("template options", "they are no object of named values")),
        };
        let piece = |id: Option<u32>| id.map_or(Ok(String::new()), |id| tokenizer.piece(id));
        variables.insert("messages".into(), messages.clone());
        for (name, value) in [
            ("add_generation_prompt", json!(true)),
            ("bos_token", piece(tokenizer.bos())?.into()),
            ("eos_token", piece(tokenizer.eos())?.into()),
        ] {
            variables.entry(name).or_insert(value);
        }
        let since = web_time::SystemTime::now().duration_since(web_time::UNIX_EPOCH).unwrap_or_default();
        self.render(variables, since.as_secs() as i64)
    }

    /// Runs the template over `variables`; `tools` and `documents` are none where they are absent. `now` is what
    /// `strftime_now` formats: seconds since 1970-01-01 00:00 in the reader's time zone. A variable `strftime_now`
    /// that is a text is the answer itself, whatever the format.
    ///
    /// # Errors
    /// [`Error::Template`] with the template's own words if it refuses the messages, or if it fails, or if it runs
    /// too long.
    pub fn render(&self, mut variables: Map<String, Value>, now: i64) -> Result<String> {
        for name in ["tools", "documents"] {
            variables.entry(name).or_insert(Value::Null);
        }
        let mut environment = self.environment.clone();
        let size = variables.values().map(size).sum::<u64>();
        environment.set_fuel(Some(FUEL.saturating_add(size.saturating_mul(FUEL_PER_BYTE))));
        match variables.remove("strftime_now") {
            Some(Value::String(date)) => {
                environment.add_function("strftime_now", move |_: &str| date.clone())
            }
            _ => environment.add_function("strftime_now", move |format: &str| time::strftime(format, now)),
        }
        let template = environment.get_template(NAME).map_err(|error| describe(&error))?;
        template.render(Serde(&variables)).map_err(|error| describe(&error))
    }
}

/// Roughly the bytes of a value.
fn size(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64 + 8,
        Value::Array(items) => items.iter().map(size).sum::<u64>() + 8,
        Value::Object(pairs) => {
            pairs.iter().map(|(key, value)| key.len() as u64 + size(value)).sum::<u64>() + 8
        }
        _ => 8,
    }
}

/// What went wrong, and where in the template; the template's own words where it refused.
fn describe(error: &minijinja::Error) -> Error {
    let mut problem = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "it runs too long".to_owned(),
        (ErrorKind::InvalidOperation, Some(detail)) => detail.to_owned(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    if let Some(line) = error.line() {
        problem += &format!(" (line {line})");
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        problem += &format!(": {cause}");
        source = cause.source();
    }
    Error::Template { problem }
}
