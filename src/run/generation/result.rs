//! What a generation tells of itself, step by step and at its end.

use crate::run::Logprobs;

/// What a step brought.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// So many of the prompt's tokens are in the cache.
    Prefill {
        /// Done, those found in the cache included.
        done: usize,
        /// Of so many.
        total: usize,
    },
    /// A token.
    Token {
        /// Its id.
        id: u32,
        /// The text that it lets out: empty while a character is incomplete or a stop string may be beginning.
        text: String,
        /// How probable it was, where [`crate::run::GenerateOptions::logprobs`] asks.
        logprobs: Option<Logprobs>,
    },
    /// Beam search has come so far; it shows no text before its end.
    Search {
        /// Tokens in each beam.
        length: usize,
    },
    /// The end.
    Done {
        /// Text that was held back until now, when nothing more can follow.
        text: String,
        /// The whole result.
        output: Output,
    },
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended its text.
    Eos,
    /// A stop string.
    Stop,
    /// As many tokens as were asked for.
    Length,
    /// The context is full.
    Context,
    /// The caller asked.
    Abort,
}

impl FinishReason {
    /// As results spell it.
    pub fn name(self) -> &'static str {
        match self {
            FinishReason::Eos => "eos",
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::Context => "context",
            FinishReason::Abort => "abort",
        }
    }
}

/// How many tokens there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the prompt.
    pub prompt: usize,
    /// Of these, found in the cache.
    pub cached: usize,
    /// Generated.
    pub completion: usize,
    /// Guessed by what makes drafts.
    pub drafted: usize,
    /// Of these, those that were right.
    pub accepted: usize,
}

/// Where the time went, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Timings {
    /// From the start until the first token was there.
    pub first_token_ms: f64,
    /// From the first token to the last.
    pub decode_ms: f64,
    /// What the host spent on handing the device its work, for all decoded tokens together. (On the CPU, all work.) Tokens of
    /// texts that are written together are not in it.
    pub encode_ms: f64,
    /// What the host spent on finding out which tokens may come, for all tokens of a text that is held to a structure.
    pub mask_ms: f64,
    /// All of it.
    pub total_ms: f64,
}

/// The result of a generation.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// All text, without the stop string.
    pub text: String,
    /// All tokens generated, without an end token.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// The stop string that ended it.
    pub stop: Option<String>,
    /// Tokens.
    pub usage: Usage,
    /// Times.
    pub timings: Timings,
}
