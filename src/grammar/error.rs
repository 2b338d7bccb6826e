//! What can be wrong about a structure.

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is malformed, or no text fits it.
    #[error("{what}: {problem}")]
    Input {
        /// Which of the arguments.
        what: &'static str,
        /// What about it, and where.
        problem: String,
    },
    /// It says something that texts cannot be held to.
    #[error("unsupported {what} `{found}`: {hint}")]
    Unsupported {
        /// What kind of thing it is.
        what: &'static str,
        /// The thing itself.
        found: String,
        /// Where it is, or what to do.
        hint: String,
    },
}

/// What llguidance says of well-formed structures that it cannot hold to.
const LIMITS: &[&str] = &[
    "not supported",
    "only supported",
    "unsupported",
    "Unimplemented",
    "are disjoint",
    "not disjoint",
    "circular",
    "too large",
    "too complex",
    "TooComplex",
    "limit",
    "exceeded",
    "out of fuel",
    "Only absolute $ref",
];

impl Error {
    /// A [`Error::Input`] in one line.
    pub fn input(what: &'static str, problem: impl Into<String>) -> Error {
        Error::Input { what, problem: problem.into() }
    }

    /// A [`Error::Unsupported`] in one line.
    pub fn unsupported(what: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::Unsupported { what, found: found.into(), hint: hint.into() }
    }

    /// From the words of llguidance.
    pub(crate) fn of_structure(what: &'static str, problem: &str) -> Error {
        // What follows is about its own state.
        let problem = problem.split("\n<").next().unwrap_or_default().trim().to_owned();
        match LIMITS.iter().any(|limit| problem.contains(limit)) {
            true => Error::unsupported("constraint", what, problem),
            false => Error::input(what, problem),
        }
    }
}
