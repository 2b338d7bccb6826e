//! One error type for the whole crate. Every variant carries what the caller can act on, and maps to one
//! named class in JavaScript (see [`Error::class`]).

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, by what the caller can do about it.
#[derive(Debug, Clone, PartialEq, thiserror::Error, serde::Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Error {
    /// A model file does not say what its format demands: truncated, lying or not a model at all.
    /// An offset of 0 stands for something that is missing.
    #[error("{file}: {field}{}: {problem}", at_byte(*offset))]
    Format { file: String, field: String, offset: u64, problem: String },

    /// The file is well formed but names something that this version does not run.
    #[error("unsupported {what} `{found}`: {hint}")]
    Unsupported { what: &'static str, found: String, hint: String },

    /// Bytes could not be had: no such file, HTTP status, network failure, a body shorter than promised.
    #[error("cannot read {source_name}: {problem}")]
    Source { source_name: String, problem: String },

    /// A file is not the one that was meant: its SHA-256 is another.
    #[error("{source_name} is not the file that was meant: its hash is {found}, not {expected}")]
    Integrity { source_name: String, expected: String, found: String },

    /// The caller asked to stop (an `AbortSignal`, or the session was dropped).
    #[error("aborted")]
    Aborted,

    /// An argument is outside what the function accepts.
    #[error("{what}: {problem}")]
    Input { what: &'static str, problem: String },

    /// Text could not be turned into ids or back.
    #[error("tokenizer: {problem}")]
    Tokenizer { problem: String },

    /// A chat template is missing, malformed, hostile or refuses these messages.
    #[error("chat template: {problem}")]
    Template { problem: String },

    /// The prompt alone does not fit the session's context.
    #[error(
        "the prompt has {n_prompt} tokens but the context holds {n_ctx}: shorten it or load with a larger context"
    )]
    ContextFull { n_prompt: usize, n_ctx: usize },

    /// The numbers of the model went bad: NaN or infinity where logits should be.
    #[error("{place} holds NaN or infinity: the weights are damaged or overflow in this precision")]
    NotFinite { place: String },

    /// There is no usable device of the kind asked for.
    #[error("no {backend} device: {problem}")]
    NoDevice { backend: &'static str, problem: String },

    /// The device has not enough memory. Bytes of 0 stand for a size that is unknown.
    #[error("out of {device} memory for {what}{}: use a smaller model or context", in_bytes(*bytes))]
    OutOfMemory { device: &'static str, what: String, bytes: u64 },

    /// The device went away (driver reset, GPU process crash): load the model again.
    #[error("the device was lost ({reason}): load the model again")]
    DeviceLost { reason: String },

    /// The device refused what we sent it: a bug of ours, worth a report.
    #[error("the device refused {what}: {problem}")]
    Device { what: String, problem: String },

    /// The model was unloaded.
    #[error("the model was unloaded")]
    Unloaded,
}

fn at_byte(offset: u64) -> String {
    if offset == 0 { String::new() } else { format!(" at byte {offset}") }
}

fn in_bytes(bytes: u64) -> String {
    if bytes == 0 { String::new() } else { format!(" ({bytes} bytes)") }
}

impl Error {
    /// The name of the JavaScript class (in `www/lib/errors.js`) that stands for this error.
    pub fn class(&self) -> &'static str {
        match self {
            Error::Format { .. } => "FormatError",
            Error::Unsupported { .. } => "UnsupportedError",
            Error::Source { .. } => "SourceError",
            Error::Integrity { .. } => "IntegrityError",
            Error::Aborted => "AbortError",
            Error::Input { .. } => "InputError",
            Error::Tokenizer { .. } => "TokenizerError",
            Error::Template { .. } => "TemplateError",
            Error::ContextFull { .. } => "ContextFullError",
            Error::NotFinite { .. } => "NotFiniteError",
            Error::NoDevice { .. } => "NoDeviceError",
            Error::OutOfMemory { .. } => "OutOfMemoryError",
            Error::DeviceLost { .. } => "DeviceLostError",
            Error::Device { .. } => "DeviceError",
            Error::Unloaded => "UnloadedError",
        }
    }

    /// A [`Error::Format`] in one line.
    pub fn format(
        file: impl Into<String>,
        field: impl Into<String>,
        offset: u64,
        problem: impl Into<String>,
    ) -> Self {
        Error::Format { file: file.into(), field: field.into(), offset, problem: problem.into() }
    }

    /// A [`Error::Unsupported`] in one line.
    pub fn unsupported(what: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Unsupported { what, found: found.into(), hint: hint.into() }
    }

    /// A [`Error::Input`] in one line.
    pub fn input(what: &'static str, problem: impl Into<String>) -> Self {
        Error::Input { what, problem: problem.into() }
    }
}
