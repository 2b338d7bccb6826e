//! One generation, step by step: the encoder's reading, prefill in chunks, then tokens in one of four ways; or
//! together with other texts.

mod device;
mod held;
mod host;
mod masked;
mod result;
mod resume;
mod row;
mod search;
mod verify;
mod way;

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use web_time::Instant;

use super::{
    Completion, Constraint, Engine, GenerateOptions, Logprobs, Session, StopMatcher, WhenFull,
    batch::Alone,
    languages::Beginning,
    plans::{Planned, Plans},
    sessions::common,
    speculation::{Drafter, Speculator},
};
use crate::{
    error::{Error, Result},
    format::LocalFuture,
    model::COUNTS,
    plan::Sampling,
    text::StreamDecoder,
};
use held::Held;
use host::Host;
use masked::Masked;
pub use result::{Event, FinishReason, Output, Timings, Usage};
use search::Beams;
use way::{Way, counts};

/// A model that makes drafts for another.
pub type Draft = Rc<RefCell<Engine>>;

/// A generation under way. Dropping it leaves the engine ready for the next.
pub struct Generation {
    number: u64,
    /// None after the end.
    owner: Option<Rc<()>>,
    /// How many devices the model had lost when the text was last read.
    n_losses: u64,
    /// What an encoder has yet to read.
    source: Option<Vec<u32>>,
    /// Of an encoder-decoder, for as long as the text may have to be read again.
    beginning: Option<Beginning>,
    /// The tokens that come before the first that is drawn: the prompt, or of an encoder-decoder what its text begins with.
    /// A soft prompt's stand before them, as zeros.
    prompt: Vec<u32>,
    /// How many stand for those of a soft prompt.
    n_virtual: usize,
    /// What a full context made it forget of them: from which place on, not counting a soft prompt. Processors look at all.
    forgotten: (usize, Vec<u32>),
    /// How many tokens of the answer are among them.
    answered: usize,
    /// How many tokens were drawn before the prompt was last read.
    drawn_before: usize,
    /// Tokens of the answer that were not drawn.
    n_forced: usize,
    /// How many tokens the caller, or the model's files, gave.
    n_given: usize,
    way: Way,
    /// What the text is held to.
    held: Option<Held>,
    /// Guesses tokens, where that may pay.
    speculator: Option<Speculator>,
    /// How often each token occurred, as [`crate::plan::Op::Penalize`] counts, of a text beside others; empty where nothing looks
    /// at it.
    counts: Vec<u32>,
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
    /// With a smaller model that makes drafts or a structure that the text is held to, or neither.
    pub(super) fn start(
        engine: &mut Engine,
        prompt: &[u32],
        options: GenerateOptions,
        draft: Option<Draft>,
        constraint: Option<Box<dyn Constraint>>,
    ) -> Result<Self> {
        if let Some(name) = engine.defaults().not_run.first() {
            let hint = "the model's generation_config.json asks for it";
            return Err(Error::unsupported("generation option", name, hint));
        }
        let beginning = match engine.facts().config.encoder {
            Some(_) => Some(engine.beginning(prompt, &options)?),
            None => engine.refuse_languages(&options).map(|()| None)?,
        };
        let source = beginning.as_ref().map(|beginning| beginning.source.clone());
        let forced = beginning.as_ref().and_then(|beginning| beginning.forced);
        if source.is_some() && options.when_full != WhenFull::Stop {
            let problem = "a text that answers another cannot be shifted: leave it at its end";
            return Err(Error::input("when_full", problem));
        }
        let mut prompt =
            beginning.as_ref().map_or_else(|| prompt.to_vec(), |beginning| vec![beginning.start]);
        let options = options.bounded(engine.defaults(), prompt.len());
        let precision = options.precision.unwrap_or(engine.facts().backend.usual_precision());
        // What is refused leaves the others as they are.
        engine.check_ids(&prompt)?;
        engine.check_open(options.session)?;
        engine.adapters.check(&options.adapters)?;
        let held = constraint.map(|constraint| Held::new(constraint, engine)).transpose()?;
        if held.is_some() && options.ignore_eos {
            let problem = "a text that is held to a structure ends with it: leave one of the two out";
            return Err(Error::input("ignore_eos", problem));
        }
        if held.is_some() && options.num_beams > 1 {
            let problem = "it holds a text that is drawn token by token, not beams: ask for one beam";
            return Err(Error::input("constraint", problem));
        }
        let joins = draft.is_none() && engine.may_join(&options);
        if !joins {
            engine.leave_batch(&prompt)?;
            engine.compute_next(precision, &options.adapters)?;
        }
        let n_virtual = engine.adapters.n_virtual();
        if n_virtual > 0 && draft.is_some() {
            return Err(Error::input("draft", "it makes drafts for a text without a soft prompt before it"));
        }
        let n_given = prompt.len();
        let way = Way::of(engine, &prompt, source.as_deref(), forced, &options, held.is_some())?;
        // What comes first anyway need not be drawn; the host's processors see to it themselves.
        let by_device = held.is_some() || matches!(way, Way::Device | Way::Masked(_));
        let forced = forced.filter(|_| by_device);
        prompt.extend(forced);
        let n_forced = usize::from(forced.is_some());
        engine.check_ids(&prompt)?;
        let (text, prompt) = (&prompt[..], engine.with_virtual(&prompt)?);
        let (number, owner) = (engine.latest + 1, Rc::new(()));
        let prefilled = if joins {
            engine.join(number, &owner, options.session, &prompt)?
        } else {
            take_over(engine, options.session, &prompt, source.as_deref())?
        };
        engine.latest = number;
        if !joins {
            let shares = draft.is_none() && engine.may_share(&options, precision);
            engine.batch.alone = shares.then(|| Alone { number, owner: Rc::downgrade(&owner) });
        }
        let sampling = options.sampling();
        if sampling.has_penalties() && !joins {
            engine.backend.write_u32(COUNTS, 0, &counts(text, engine.facts().config.n_vocab))?;
        }
        let n_prompt = source.as_ref().map_or(text.len(), Vec::len);
        let cached = prefilled.saturating_sub(n_virtual);
        let usage = Usage { prompt: n_prompt, cached, ..Usage::default() };
        let drafter = match (&way, draft) {
            (Way::Device, Some(smaller)) => Some(Drafter::of_model(smaller, engine)?),
            (_, Some(_)) => {
                let problem = "it makes drafts for a text whose tokens the device draws by itself: not for beams, nor with \
                    logprobs, logit_bias, or what else looks at each token's scores";
                return Err(Error::input("draft", problem));
            }
            (Way::Device, None) if !joins && options.speculation.pays(engine, precision) => {
                Some(Drafter::Lookup)
            }
            (_, None) => None,
        };
        let speculator = drafter.map(|drafter| Speculator::new(drafter, engine, text, source.as_deref()));
        let speculator = speculator.transpose()?;
        let decoder = match engine.tokenizer() {
            Ok(tokenizer) if source.is_some() => Some(StreamDecoder::new(tokenizer, true)),
            Ok(tokenizer) => Some(StreamDecoder::after(tokenizer, text)?),
            Err(_) => None,
        };
        Ok(Generation {
            number,
            owner: Some(owner),
            n_losses: engine.n_losses,
            beginning,
            source,
            answered: n_forced,
            drawn_before: 0,
            n_forced,
            n_given,
            way,
            held,
            speculator,
            counts: Vec::new(),
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
            n_virtual,
            forgotten: (0, Vec::new()),
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
        if self.n_losses != engine.n_losses {
            if self.aborted {
                return self.finish(FinishReason::Abort).await;
            }
            // One of the others heard of it.
            self.resume(engine).inspect_err(|error| self.failed = Some(error.clone()))?;
        }
        let shares = engine.batch.is_live(self.number);
        if engine.latest != self.number && !shares {
            return Err(superseded());
        }
        if !engine.plans.may_write() {
            // Adapters that nobody has used yet.
            let Engine { plans, backend, .. } = engine;
            plans.prepare_first(backend.as_mut()).await?;
            plans.prepare_second(backend.as_mut()).await?;
        }
        let event = match () {
            _ if self.aborted => self.finish(FinishReason::Abort).await,
            _ if shares => self.step_of_row(engine).await,
            _ if self.source.is_some() => self.read_source(engine).await,
            _ if self.is_drafter_behind() => self.let_drafter_read().await,
            _ if self.prefilled < self.prompt.len() => self.prefill_chunk(engine).await,
            _ => match self.way {
                Way::Device => self.token(engine).await,
                Way::Masked(_) => self.token_of_mask(engine).await,
                Way::Host(_) => self.token_on_host(engine).await,
                Way::Beams(_) => self.search(engine).await,
            },
        };
        if let Err(error) = &event {
            self.failed = Some(error.clone());
            self.owner = None;
            if matches!(error, Error::DeviceLost { .. }) {
                engine.survivors.push(self.number);
            }
            match shares {
                true => engine.batch.forget(self.number),
                false => engine.cached.clear(),
            }
        } else if self.finished {
            engine.batch.leave(self.number);
        }
        event
    }

    /// Whether there are as many tokens as were asked for.
    fn is_long_enough(&self) -> bool {
        self.options.max_new_tokens.is_some_and(|max| self.output.tokens.len() >= max)
    }

    /// The text that a token lets out.
    fn text_of(&mut self, engine: &Engine, id: u32) -> Result<String> {
        match (&mut self.decoder, engine.tokenizer()) {
            // Embedding tables are often padded; what the tokenizer does not know has no text.
            (Some(decoder), Ok(tokenizer)) if (id as usize) < tokenizer.vocab_size() => {
                decoder.push(tokenizer, id)
            }
            _ => Ok(String::new()),
        }
    }

    /// The event of a token of the answer, which may be its last.
    async fn show(&mut self, engine: &Engine, id: u32, logprobs: Option<Logprobs>) -> Result<Event> {
        let text = self.text_of(engine, id)?;
        let passed = self.stops.push(&text);
        self.output.text += &passed.text;
        if let Some(stop) = passed.stop {
            self.output.stop = Some(stop);
            // The text before the stop string, which is all of this event, must be shown before the end is.
            let event = Event::Token { id, text: passed.text, logprobs };
            self.conclude(FinishReason::Stop).await;
            return Ok(event);
        }
        Ok(Event::Token { id, text: passed.text, logprobs })
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
        timings.mask_ms = self.held.as_ref().map_or(0.0, |held| held.ms);
        timings.first_token_ms = ms(self.started, first);
        timings.decode_ms = ms(first, now);
        timings.total_ms = ms(self.started, now);
        self.finished = true;
        self.owner = None;
    }
}

fn superseded() -> Error {
    Error::input("generation", "other work on this model has begun since, and took the cache over")
}

/// Lets the cache hold what is known of a prompt, for a text that has it for itself; gives how many tokens that are.
fn take_over(
    engine: &mut Engine,
    session: Option<Session>,
    prompt: &[u32],
    source: Option<&[u32]>,
) -> Result<usize> {
    let beyond = engine.is_beyond(prompt.len());
    engine.turn_to(session, prompt, beyond)?;
    let other_source = source.is_some_and(|source| *source != engine.cached.source);
    if engine.cached.beyond != beyond || other_source {
        engine.cached.clear();
        engine.cached.beyond = beyond;
    }
    // The last token is always computed, for its logits.
    let prefilled = common(&engine.cached.tokens, prompt).min(prompt.len() - 1);
    engine.cached.tokens.truncate(prefilled);
    Ok(prefilled)
}

/// The plans that write text: for one token and for a chunk.
fn plans(engine: &Engine) -> Result<(&Planned, &Planned)> {
    match &engine.plans {
        Plans { decode: Some(decode), prefill: Some(prefill), .. } => Ok((decode, prefill)),
        _ => Err(Error::input("model", "it writes no text")),
    }
}
