//! A session as a file: its tokens, what the caller wants to know of it later, and the keys and values, bound to the weights
//! that computed them.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh64::{Xxh64, xxh64};

use super::{Engine, Session, engine::Cached, sessions::common};
use crate::{
    backend::Precision,
    error::{Error, Result},
    plan::Storage,
};

/// What such a file begins with; then a hash of the two parts that follow, the length of the first, both as `u64`; the head as
/// JSON, and rows as [`crate::backend::Backend::export`] tells them.
const MAGIC: &[u8; 8] = b"intabkv2";

#[derive(Serialize, Deserialize)]
struct Head {
    /// [`super::Facts::fingerprint`], in hexadecimal digits.
    model: String,
    tokens: Vec<u32>,
    note: String,
    beyond: bool,
    precision: Precision,
    /// A hash of what besides weights decides on keys and values: the configuration, and the tables of rotations.
    shape: u64,
    /// How many tokens have rows.
    rows: usize,
    /// Name and bytes of a row for each state.
    states: Vec<(String, usize)>,
}

/// What a file tells besides the keys and values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The text.
    pub tokens: Vec<u32>,
    /// As it was given to [`Engine::save_session`].
    pub note: String,
}

impl Engine {
    /// A session whose text is `tokens` as bytes, with as many of their keys and values as are known; none where adapters shaped
    /// them. A generation under way cannot go on after it.
    ///
    /// # Errors
    /// [`Error::Input`] for a session that was closed or an id outside the vocabulary; those of the device.
    pub async fn save_session(&mut self, session: Session, tokens: &[u32], note: &str) -> Result<Vec<u8>> {
        self.check_session_text(tokens)?;
        self.latest += 1;
        self.leave_batch(tokens)?;
        if !self.is_open(session) {
            return Err(Error::input("session", "it was closed"));
        }
        let (beyond, (precision, adapters)) = (self.is_beyond(tokens.len()), self.computed(session));
        let mut rows = 0;
        // Which adapters they were cannot be told to another load.
        if adapters.is_empty() {
            self.compute_next(precision, &[])?;
            self.turn_to(Some(session), tokens, beyond)?;
            rows = if self.cached.beyond == beyond { common(&self.cached.tokens, tokens) } else { 0 };
        }
        let states = self.kept_rows();
        let numbers = match rows {
            0 => Vec::new(),
            _ => {
                let rows: Vec<u32> = (0..rows as u32).collect();
                let kept = self.backend.keep(&states, &rows)?;
                let numbers = self.backend.export(kept).await;
                self.backend.drop_kept(kept);
                numbers?
            }
        };
        let head = Head {
            model: self.fingerprint(),
            tokens: tokens.to_vec(),
            note: note.to_owned(),
            beyond,
            precision,
            shape: self.shape(),
            rows,
            states: states.iter().map(|state| (state.state.clone(), state.row_bytes)).collect(),
        };
        let head = serde_json::to_vec(&head).map_err(|error| Error::input("session", error.to_string()))?;
        let (sum, length) = (sum(&head, &numbers), head.len() as u64);
        Ok([&MAGIC[..], &sum.to_le_bytes(), &length.to_le_bytes(), &head, &numbers].concat())
    }

    /// Opens a session as it was saved. Keys and values are taken where this load keeps them as that one did (kind of cache,
    /// rotation); else the text is read again when it goes on.
    ///
    /// # Errors
    /// [`Error::Format`] for bytes that are no such file or damaged; [`Error::Input`] for one of another model, or longer than
    /// the context.
    pub fn restore_session(&mut self, bytes: &[u8]) -> Result<(Session, Saved)> {
        let (head, numbers) = parse(bytes)?;
        if head.model != self.fingerprint() {
            let problem = format!(
                "it was saved with other weights ({}) than these ({})",
                head.model,
                self.fingerprint()
            );
            return Err(Error::input("session", problem));
        }
        self.check_session_text(&head.tokens)?;
        let row_bytes = head.states.iter().try_fold(0usize, |sum, (_, bytes)| sum.checked_add(*bytes));
        let all_bytes = row_bytes.and_then(|bytes| head.rows.checked_mul(bytes));
        if head.rows > head.tokens.len() || all_bytes != Some(numbers.len()) {
            let problem = format!(
                "{} bytes of keys and values for {} tokens do not fit the head",
                numbers.len(),
                head.rows
            );
            return Err(bad("rows", problem));
        }
        let session = self.open_session()?;
        let states = self.kept_rows();
        let alike = states
            .iter()
            .map(|state| (&state.state, state.row_bytes))
            .eq(head.states.iter().map(|(name, n)| (name, *n)));
        let alike = alike && head.shape == self.shape();
        if alike && head.rows > 0 && head.beyond == self.is_beyond(head.tokens.len()) {
            let text = Cached {
                tokens: head.tokens[..head.rows].to_vec(),
                source: Vec::new(),
                beyond: head.beyond,
                precision: head.precision,
                adapters: Vec::new(),
            };
            self.put_aside(session, text, numbers)?;
        }
        Ok((session, Saved { tokens: head.tokens, note: head.note }))
    }

    /// A session may be empty.
    fn check_session_text(&self, tokens: &[u32]) -> Result<()> {
        if self.unloaded {
            return Err(Error::Unloaded);
        }
        if tokens.is_empty() { Ok(()) } else { self.check_ids(tokens) }
    }

    fn shape(&self) -> u64 {
        let config = xxh64(format!("{:?}", self.facts().config).as_bytes(), 0);
        let plan = self.own_plans().decode.iter().flat_map(|decode| &decode.plan.values);
        plan.fold(config, |sum, info| match &info.storage {
            Storage::Constant(numbers) => sum.wrapping_add(xxh64(bytemuck::cast_slice(numbers), sum)),
            _ => sum,
        })
    }

    fn fingerprint(&self) -> String {
        format!("{:016x}", self.facts().fingerprint)
    }
}

fn bad(field: &str, problem: impl Into<String>) -> Error {
    Error::format("the saved session", field, 0, problem)
}

fn parse(bytes: &[u8]) -> Result<(Head, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| bad("magic", "it is no saved session"))?;
    let (expected, rest) = number(rest)?;
    let (length, rest) = number(rest)?;
    let (head, numbers) = usize::try_from(length)
        .ok()
        .and_then(|length| rest.split_at_checked(length))
        .ok_or_else(|| bad("head", "it is said to be longer than the file"))?;
    if sum(head, numbers) != expected {
        return Err(bad("sum", "the file was damaged, or cut off"));
    }
    let head = serde_json::from_slice(head).map_err(|error| bad("head", error.to_string()))?;
    Ok((head, numbers))
}

fn number(bytes: &[u8]) -> Result<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk().ok_or_else(|| bad("head", "the file ends before it"))?;
    Ok((u64::from_le_bytes(*number), rest))
}

fn sum(head: &[u8], numbers: &[u8]) -> u64 {
    let mut hasher = Xxh64::new(0);
    hasher.update(head);
    hasher.update(numbers);
    hasher.digest()
}
