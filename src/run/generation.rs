//! One generation, step by step: prefill in chunks, then tokens, several of which may be on their way at once.

use std::collections::VecDeque;

use web_time::Instant;

use super::{Engine, GenerateOptions, StopMatcher};
use crate::{
    error::{Error, Result},
    format::LocalFuture,
    model::{COUNTS, IDS},
    plan::{Run, Sampling, Stage},
    text::StreamDecoder,
};

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
}

/// Where the time went, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Timings {
    /// From the start until the first token was there.
    pub first_token_ms: f64,
    /// From the first token to the last.
    pub decode_ms: f64,
    /// What the host spent on handing the device its work, for all decoded tokens together. (On the CPU, all work.)
    pub encode_ms: f64,
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

/// A generation under way. Dropping it leaves the engine ready for the next.
pub struct Generation {
    number: u64,
    prompt: Vec<u32>,
    options: GenerateOptions,
    sampling: Sampling,
    /// Prompt tokens in the cache.
    prefilled: usize,
    /// Runs that sample a token and were submitted; the first ends the prefill.
    submitted: usize,
    /// The tokens of runs that were submitted and not read.
    on_their_way: VecDeque<LocalFuture<'static, Result<u32>>>,
    decoder: StreamDecoder,
    stops: StopMatcher,
    output: Output,
    started: Instant,
    first_token: Option<Instant>,
    finished: bool,
    failed: Option<Error>,
    aborted: bool,
}

impl Generation {
    pub(super) fn start(engine: &mut Engine, prompt: &[u32], options: GenerateOptions) -> Result<Self> {
        // The last token is always computed, for its logits.
        let common = engine.cached.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        let prefilled = common.min(prompt.len() - 1);
        engine.cached.truncate(prefilled);
        engine.latest += 1;
        let sampling = options.sampling();
        if sampling.has_penalties() {
            let mut counts = vec![0; engine.facts().config.n_vocab];
            prompt.iter().for_each(|id| counts[*id as usize] = Run::IN_PROMPT);
            engine.backend.write_u32(COUNTS, 0, &counts)?;
        }
        let usage = Usage { prompt: prompt.len(), cached: prefilled, completion: 0 };
        Ok(Generation {
            number: engine.latest,
            prompt: prompt.to_vec(),
            sampling,
            prefilled,
            submitted: 0,
            on_their_way: VecDeque::new(),
            decoder: StreamDecoder::after(engine.tokenizer(), prompt)?,
            stops: StopMatcher::new(&options.stop),
            output: Output {
                text: String::new(),
                tokens: Vec::new(),
                finish_reason: FinishReason::Abort,
                stop: None,
                usage,
                timings: Timings::default(),
            },
            started: Instant::now(),
            first_token: None,
            finished: false,
            failed: None,
            aborted: false,
            options,
        })
    }

    /// Asks for the end: the next step is the last.
    pub fn abort(&mut self) {
        self.aborted = true;
    }

    /// One chunk of the prompt, one token, or the end. After the end, or an error, it says the same again.
    ///
    /// # Errors
    /// Those of the device; [`Error::NotFinite`] when the model's numbers went bad; [`Error::Input`] if another
    /// generation or other work on the model has begun since.
    pub async fn step(&mut self, engine: &mut Engine) -> Result<Event> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.finished {
            return Ok(Event::Done { text: String::new(), output: self.output.clone() });
        }
        if engine.unloaded {
            return Err(Error::Unloaded);
        }
        if engine.latest != self.number {
            let problem = "other work on this model has begun since, and took the cache over";
            return Err(Error::input("generation", problem));
        }
        let event = match () {
            _ if self.aborted => self.finish(FinishReason::Abort).await,
            _ if self.prefilled < self.prompt.len() => self.prefill_chunk(engine).await,
            _ => self.token(engine).await,
        };
        if let Err(error) = &event {
            self.failed = Some(error.clone());
            engine.cached.clear();
        }
        event
    }

    async fn prefill_chunk(&mut self, engine: &mut Engine) -> Result<Event> {
        let rest = &self.prompt[self.prefilled..];
        let n = rest.len().min(engine.plans.prefill_rows);
        engine.backend.write_u32(IDS, 0, &rest[..n])?;
        let run = self.run(self.prefilled, n);
        let plan = if n == 1 { engine.plans.decode } else { engine.plans.prefill };
        if n == rest.len() {
            self.submit(engine, plan, &run)?;
        } else {
            engine.backend.run(plan, &run, Stage::Body)?;
            engine.backend.settle().await?;
        }
        self.prefilled += n;
        engine.cached.extend(&self.prompt[self.prefilled - n..self.prefilled]);
        Ok(Event::Prefill { done: self.prefilled, total: self.prompt.len() })
    }

    fn run(&self, pos: usize, n_rows: usize) -> Run {
        Run { pos: pos as u32, n_rows: n_rows as u32, draw: self.submitted as u32, sampling: self.sampling }
    }

    fn submit(&mut self, engine: &mut Engine, plan: crate::backend::Prepared, run: &Run) -> Result<()> {
        self.on_their_way.push_back(engine.backend.run_for_token(plan, run, IDS)?);
        self.submitted += 1;
        Ok(())
    }

    /// Whether another token may be asked for: within the caller's limit and the context.
    fn may_submit(&self, engine: &Engine) -> bool {
        let position = self.prompt.len() + self.submitted - 1; // of the token that would be fed
        position < engine.facts().n_ctx && self.options.max_new_tokens.is_none_or(|max| self.submitted < max)
    }

    /// Tells the engine which generated tokens are in the cache: those that are known here and that a run which was
    /// submitted feeds to the model. All runs but the first feed the token before.
    fn remember(&self, engine: &mut Engine) {
        let fed = self.output.tokens.len().min(self.submitted - 1);
        let known = engine.cached.len() - self.prompt.len();
        engine.cached.extend(&self.output.tokens[known..fed]);
    }

    async fn token(&mut self, engine: &mut Engine) -> Result<Event> {
        while self.on_their_way.len() < engine.backend.depth() && self.may_submit(engine) {
            let run = self.run(self.prompt.len() + self.submitted - 1, 1);
            let before = Instant::now();
            self.submit(engine, engine.plans.decode, &run)?;
            self.output.timings.encode_ms += before.elapsed().as_secs_f64() * 1e3;
        }
        self.remember(engine);
        let Some(token) = self.on_their_way.pop_front() else {
            let at_limit = self.options.max_new_tokens.is_some_and(|max| self.output.tokens.len() >= max);
            let reason = if at_limit { FinishReason::Length } else { FinishReason::Context };
            return self.finish(reason).await;
        };
        let id = token.await?;
        self.first_token.get_or_insert_with(Instant::now);
        if !self.options.ignore_eos && engine.tokenizer().is_end(id) {
            return self.finish(FinishReason::Eos).await;
        }
        self.output.tokens.push(id);
        self.remember(engine);
        let tokenizer = engine.tokenizer();
        // Embedding tables are often padded; what the tokenizer does not know has no text.
        let known = (id as usize) < tokenizer.vocab_size();
        let text = if known { self.decoder.push(tokenizer, id)? } else { String::new() };
        let passed = self.stops.push(&text);
        self.output.text += &passed.text;
        if let Some(stop) = passed.stop {
            self.output.stop = Some(stop);
            // The text before the stop string, which is all of this event, must be shown before the end is.
            let event = Event::Token { id, text: passed.text };
            self.conclude(FinishReason::Stop).await;
            return Ok(event);
        }
        Ok(Event::Token { id, text: passed.text })
    }

    async fn finish(&mut self, reason: FinishReason) -> Result<Event> {
        let passed = self.stops.push(&self.decoder.finish());
        let text = passed.text + &self.stops.finish();
        self.output.text += &text;
        self.conclude(reason).await;
        Ok(Event::Done { text, output: self.output.clone() })
    }

    async fn conclude(&mut self, reason: FinishReason) {
        let now = Instant::now();
        let ms = |a: Instant, b: Instant| (b - a).as_secs_f64() * 1e3;
        // What was computed past the end is waited for and discarded.
        for token in self.on_their_way.drain(..) {
            let _ = token.await;
        }
        let first = self.first_token.unwrap_or(now);
        self.output.finish_reason = reason;
        self.output.usage.completion = self.output.tokens.len();
        let timings = &mut self.output.timings;
        timings.first_token_ms = ms(self.started, first);
        timings.decode_ms = ms(first, now);
        timings.total_ms = ms(self.started, now);
        self.finished = true;
    }
}
