//! One generation, step by step: prefill in chunks, then tokens, several of which may be on their way at once.

use std::collections::VecDeque;

use web_time::Instant;

use super::{
    Engine, GenerateOptions, StopMatcher,
    plans::{Planned, Plans},
};
use crate::{
    backend::Prepared,
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
    /// What an encoder has yet to read.
    source: Option<Vec<u32>>,
    /// The tokens that come before the first that is drawn: the prompt, or of an encoder-decoder what its text begins with.
    prompt: Vec<u32>,
    /// How many tokens of the answer are among them.
    answered: usize,
    /// How many tokens were drawn before the prompt was last read.
    drawn_before: usize,
    /// Tokens of the answer that were not drawn.
    n_forced: usize,
    options: GenerateOptions,
    sampling: Sampling,
    /// Tokens of the prompt in the cache.
    prefilled: usize,
    /// Runs that sample a token and were submitted; the first ends the prefill.
    submitted: usize,
    /// The tokens of runs that were submitted and not read.
    on_their_way: VecDeque<LocalFuture<'static, Result<u32>>>,
    /// None where the model has no tokenizer.
    decoder: Option<StreamDecoder>,
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
        let (source, prompt, n_forced) = match engine.facts().config.encoder {
            None => (None, prompt.to_vec(), 0),
            Some(_) => {
                let defaults = engine.defaults();
                let start = defaults.decoder_start.or(defaults.bos).unwrap_or(0);
                let begins = [start].into_iter().chain(defaults.forced_bos).collect();
                (Some(prompt.to_vec()), begins, usize::from(defaults.forced_bos.is_some()))
            }
        };
        engine.check_ids(&prompt)?;
        let beyond = engine.is_beyond(prompt.len());
        let other_source = source.as_ref().is_some_and(|source| *source != engine.cached.source);
        if engine.cached.beyond != beyond || other_source {
            engine.cached.clear();
            engine.cached.beyond = beyond;
        }
        // The last token is always computed, for its logits.
        let common = engine.cached.tokens.iter().zip(&prompt).take_while(|(a, b)| a == b).count();
        let prefilled = common.min(prompt.len() - 1);
        engine.cached.tokens.truncate(prefilled);
        engine.latest += 1;
        let sampling = options.sampling();
        if sampling.has_penalties() {
            let mut counts = vec![0; engine.facts().config.n_vocab];
            prompt.iter().for_each(|id| counts[*id as usize] = Run::IN_PROMPT);
            engine.backend.write_u32(COUNTS, 0, &counts)?;
        }
        let n_prompt = source.as_ref().map_or(prompt.len(), Vec::len);
        let usage = Usage { prompt: n_prompt, cached: prefilled, completion: 0 };
        let decoder = match engine.tokenizer() {
            Ok(tokenizer) if source.is_some() => Some(StreamDecoder::new(tokenizer, true)),
            Ok(tokenizer) => Some(StreamDecoder::after(tokenizer, &prompt)?),
            Err(_) => None,
        };
        Ok(Generation {
            number: engine.latest,
            source,
            answered: n_forced,
            drawn_before: 0,
            n_forced,
            sampling,
            prefilled,
            submitted: 0,
            on_their_way: VecDeque::new(),
            decoder,
            stops: StopMatcher::new(&options.stop),
            output: Output {
                text: String::new(),
                tokens: prompt[prompt.len() - n_forced..].to_vec(),
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
            prompt,
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
            _ if self.source.is_some() => self.read_source(engine).await,
            _ if self.prefilled < self.prompt.len() => self.prefill_chunk(engine).await,
            _ => self.token(engine).await,
        };
        if let Err(error) = &event {
            self.failed = Some(error.clone());
            engine.cached.clear();
        }
        event
    }

    /// Lets the encoder read what the answer is about.
    async fn read_source(&mut self, engine: &mut Engine) -> Result<Event> {
        if let Some(source) = self.source.take() {
            engine.read_source(&source).await?;
        }
        Ok(Event::Prefill { done: self.prefilled, total: self.prompt.len() })
    }

    async fn prefill_chunk(&mut self, engine: &mut Engine) -> Result<Event> {
        let (decode, prefill) = plans(engine)?;
        let rest = &self.prompt[self.prefilled..];
        let n = rest.len().min(prefill.plan.max_rows);
        let plan = if n == 1 { decode.ready()? } else { prefill.ready()? };
        engine.backend.write_u32(IDS, 0, &rest[..n])?;
        let run = self.run(engine, self.prefilled, n);
        if n == rest.len() {
            self.submit(engine, plan, &run)?;
        } else {
            engine.backend.run(plan, &run, Stage::Body)?;
            engine.backend.settle().await?;
        }
        self.prefilled += n;
        engine.cached.tokens.extend(&self.prompt[self.prefilled - n..self.prefilled]);
        Ok(Event::Prefill { done: self.prefilled, total: self.prompt.len() })
    }

    fn run(&self, engine: &Engine, pos: usize, n_rows: usize) -> Run {
        Run { draw: self.submitted as u32, sampling: self.sampling, ..engine.run_at(pos, n_rows) }
    }

    fn submit(&mut self, engine: &mut Engine, plan: Prepared, run: &Run) -> Result<()> {
        self.on_their_way.push_back(engine.backend.run_for_token(plan, run, IDS)?);
        self.submitted += 1;
        Ok(())
    }

    /// The position of the token that would be fed next.
    fn position(&self) -> usize {
        self.prompt.len() + self.submitted - self.drawn_before - 1
    }

    /// Whether another token may be asked for: within the caller's limit and the context.
    fn may_submit(&self, engine: &Engine) -> bool {
        let within = |max| self.submitted + self.n_forced < max;
        self.position() < engine.facts().n_ctx && self.options.max_new_tokens.is_none_or(within)
    }

    /// Tells the engine which generated tokens are in the cache: those that are known here and that a run which was
    /// submitted feeds to the model. All runs but the first feed the token before.
    fn remember(&self, engine: &mut Engine) {
        let fed = (self.output.tokens.len() - self.answered).min(self.submitted - self.drawn_before - 1);
        let known = engine.cached.tokens.len() - self.prompt.len();
        engine.cached.tokens.extend(&self.output.tokens[self.answered..][known..fed]);
    }

    /// Whether the text has come to the length beyond which its keys rotate otherwise: it must be read again.
    fn must_read_again(&self, engine: &Engine) -> bool {
        !engine.cached.beyond && engine.is_beyond(self.position() + 1)
    }

    /// Makes a prompt of the text so far.
    fn read_again(&mut self, engine: &mut Engine) {
        self.prompt.extend_from_slice(&self.output.tokens[self.answered..]);
        self.answered = self.output.tokens.len();
        self.drawn_before = self.submitted;
        self.prefilled = 0;
        engine.cached.clear();
        engine.cached.beyond = true;
    }

    async fn token(&mut self, engine: &mut Engine) -> Result<Event> {
        let decode = plans(engine)?.0.ready()?;
        while self.on_their_way.len() < engine.backend.depth() && self.may_submit(engine) {
            if self.must_read_again(engine) {
                if self.on_their_way.is_empty() {
                    self.read_again(engine);
                    return self.prefill_chunk(engine).await;
                }
                break;
            }
            let run = self.run(engine, self.position(), 1);
            let before = Instant::now();
            self.submit(engine, decode, &run)?;
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
        if !self.options.ignore_eos && engine.is_end(id) {
            return self.finish(FinishReason::Eos).await;
        }
        self.output.tokens.push(id);
        self.remember(engine);
        let text = match (&mut self.decoder, engine.tokenizer()) {
            // Embedding tables are often padded; what the tokenizer does not know has no text.
            (Some(decoder), Ok(tokenizer)) if (id as usize) < tokenizer.vocab_size() => decoder.push(tokenizer, id)?,
            _ => String::new(),
        };
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
        let rest = self.decoder.as_mut().map(StreamDecoder::finish).unwrap_or_default();
        let passed = self.stops.push(&rest);
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

/// The plans that write text: for one token and for a chunk.
fn plans(engine: &Engine) -> Result<(&Planned, &Planned)> {
    match &engine.plans {
        Plans { decode: Some(decode), prefill: Some(prefill), .. } => Ok((decode, prefill)),
        _ => Err(Error::input("model", "it writes no text")),
    }
}
