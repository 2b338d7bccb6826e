//! Texts that are written together: one token of each in a run, whose keys and values are in slots of the one cache that each
//! text lists. That is the continuous batching of Orca (Yu et al. 2022) over the paged keys and values of PagedAttention
//! (Kwon et al. 2023), with pages of one token. A text joins and leaves at any token. Where the cache is full, the text that came
//! last gives its slots up and is read again when there is room, so that none waits for one that came later.

mod texts;

use std::rc::Rc;

use super::{
    Engine, GenerateOptions, Session,
    adapters::sorted,
    engine::{Cached, Facts},
    plans::Plans,
    sessions::common,
};
use crate::{
    backend::{Kind, Precision, Prepared},
    error::{Error, Result},
    model::{BEAM_POSITIONS, IDS, SLOTS, TABLE},
    plan::{Run, Stage},
};
use texts::Text;
pub(super) use texts::{Alone, Batch};

/// How many texts are written together where the caller leaves it open, it pays and changes no bit.
const USUAL: usize = 8;

/// How many texts are written together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub most: usize,
    /// Whether the caller wants it, even if rounding may decide between two tokens that are as likely.
    pub is_asked: bool,
}

impl Limit {
    /// `asked` is the caller's, `facts` are of the model that has these plans.
    pub fn of(asked: Option<usize>, facts: &Facts, plans: &Plans) -> Limit {
        let is_decoder = facts.config.encoder.is_none() && facts.config.generates();
        // A GPU would read the scores of every text back for each token, and wait for that.
        let usual = if facts.backend == Kind::Cpu && plans.is_of_integers() { USUAL } else { 1 };
        let most = if is_decoder { asked.unwrap_or(usual).min(facts.n_ctx) } else { 1 };
        Limit { most, is_asked: asked.is_some() }
    }
}

/// A token that is fed: of which text, and where that has its keys and values, its own last.
struct Fed {
    number: u64,
    token: u32,
    slots: Vec<u32>,
}

impl Engine {
    /// Texts that are written together at most: see [`super::LoadOptions::max_batch`].
    pub fn max_batch(&self) -> usize {
        self.batch.limit.most
    }

    /// Whether a generation with these options would join those under way, each of which then goes on: tokens of all are computed
    /// in one run. Else it takes the cache over from them. It joins where fewer than [`Engine::max_batch`] are under way that are
    /// computed as it wants to be (precision, adapters), and neither it nor they search with beams, answer a text that an encoder
    /// reads, have a soft prompt before them or drafts of another model.
    ///
    /// All that have joined must be stepped: what waits for room in the cache waits until others have gone on.
    pub fn may_join(&self, options: &GenerateOptions) -> bool {
        let alone = self.batch.alone.as_ref();
        let is_alone = alone.is_some_and(|one| one.number == self.latest && one.owner.strong_count() > 0);
        let n = self.batch.n_live() + usize::from(is_alone);
        let precision = options.precision.unwrap_or(self.facts().backend.usual_precision());
        (1..self.batch.limit.most).contains(&n)
            && precision == self.cached.precision
            && sorted(&options.adapters) == self.cached.adapters
            && self.may_share(options, precision)
    }

    /// Whether others may join a generation with these options, with what it was started by now.
    pub(super) fn may_share(&self, options: &GenerateOptions, precision: Precision) -> bool {
        let config = &self.facts().config;
        let changes_no_bit = precision == Precision::Fast && self.plans.is_of_integers();
        // Rows of another rotation cannot be in one run; and a device copies whole words.
        let alike = config.encoder.is_none() && !self.is_beyond(self.facts().n_ctx);
        let copied = self.kept_rows().iter().all(|state| state.row_bytes.is_multiple_of(4));
        (self.batch.limit.is_asked || changes_no_bit)
            && options.num_beams == 1
            && alike
            && copied
            && self.adapters.n_virtual() == 0
    }

    /// A generation joins those under way. Gives how many tokens of its prompt are in the cache.
    pub(super) fn join(
        &mut self,
        number: u64,
        owner: &Rc<()>,
        session: Option<Session>,
        prompt: &[u32],
    ) -> Result<usize> {
        self.check_open(session)?;
        if let Some(Alone { number, owner }) = self.batch.alone.take() {
            let tokens = std::mem::take(&mut self.cached.tokens);
            let slots = (0..tokens.len() as u32).collect();
            let text = Text { tokens, slots, session: self.sessions.here.take() };
            self.batch.add(number, owner, text, &[]);
        }
        self.batch.sweep();
        let most = prompt.len() - 1;
        let mut text = self.batch.known(prompt, most);
        if let Some((at, n)) = self.known_aside(session, prompt, self.cached.beyond)
            && n.min(most) > text.tokens.len()
            && let Some(slots) = self.batch.free(n.min(most))
            && self.recall(at, session, &slots)?.is_some()
        {
            text = Text { tokens: prompt[..slots.len()].to_vec(), slots, session: None };
        }
        let n = text.tokens.len();
        text.session = session;
        self.batch.add(number, Rc::downgrade(owner), text, &prompt[n..]);
        Ok(n)
    }

    /// Ends the texts that are written together: what follows has the cache for itself. The one that begins most like `next` stays
    /// in the cache, of equals the one that ended last; those of sessions are copied.
    pub(super) fn leave_batch(&mut self, next: &[u32]) -> Result<()> {
        if self.batch.n_live() > 0 {
            self.latest += 1; // none of them can go on
        }
        let mut texts = self.batch.dissolve();
        let like = |text: &Text| common(&text.tokens, next);
        let Some(best) = (0..texts.len()).max_by_key(|at| like(&texts[*at])) else { return Ok(()) };
        let best = texts.remove(best);
        for text in &texts {
            self.put_text_aside(text)?;
        }
        let states = self.kept_rows();
        let places: Vec<u32> = (0..best.slots.len() as u32).collect();
        if best.slots != places {
            let kept = match self.backend.keep(&states, &best.slots) {
                // Then it is read again.
                Err(Error::OutOfMemory { .. }) => return Ok(()),
                kept => kept?,
            };
            let recalled = self.backend.recall(kept, &states, &places);
            self.backend.drop_kept(kept);
            recalled?;
        }
        self.cached.tokens = best.tokens;
        self.sessions.here = best.session;
        Ok(())
    }

    /// Copies a text that leaves its slots, if it is a session's.
    fn put_text_aside(&mut self, Text { tokens, slots, session }: &Text) -> Result<()> {
        let Some(session) = session else { return Ok(()) };
        let text = Cached { tokens: tokens.clone(), ..self.cached.clone() };
        self.set_aside(*session, text, slots, None)
    }

    /// Computes one token of each text that asks for one, and as many tokens of prompts as a run has rows for.
    ///
    /// # Errors
    /// Those of the device, which every text hears of.
    pub(super) async fn run_batch(&mut self) -> Result<()> {
        let result = self.run_those_that_ask().await;
        if let Err(error) = &result {
            self.batch.fail(error);
        }
        result
    }

    async fn run_those_that_ask(&mut self) -> Result<()> {
        let planned = self.plans.beams.as_mut().ok_or_else(|| Error::input("model", "it writes no text"))?;
        let (prepared, output) = (planned.prepared(self.backend.as_mut()).await?, planned.output()?);
        let most = planned.plan.max_rows;
        self.batch.admit();
        let (mut prompts, mut ends): (Vec<Fed>, Vec<Fed>) = (Vec::new(), Vec::new());
        for number in self.batch.numbers() {
            // One that came before may have taken its room.
            if !self.batch.asks(number) {
                continue;
            }
            while self.batch.n_wanted(number) > 1 && prompts.len() < most {
                let Some(fed) = self.next_of(number)? else { break };
                prompts.push(fed);
            }
            if self.batch.n_wanted(number) == 1 && ends.len() < most {
                ends.extend(self.next_of(number)?);
            }
            if !self.batch.asks(number) {
                // It made room for itself, and begins again another time.
                prompts.retain(|fed| fed.number != number);
            }
        }
        if !prompts.is_empty() {
            self.feed_all(prepared, &prompts, Stage::Body)?;
        }
        let mut scores = Vec::new();
        if ends.is_empty() {
            self.backend.settle().await?;
        } else {
            let n_vocab = self.facts().config.n_vocab;
            self.feed_all(prepared, &ends, Stage::Logits)?;
            scores = self.backend.read_value(prepared, output, 0, ends.len() * n_vocab).await?;
        }
        let n_vocab = self.facts().config.n_vocab;
        let rows = ends.iter().map(|fed| fed.number).zip(scores.chunks_exact(n_vocab).map(<[f32]>::to_vec));
        self.batch.read(&prompts.iter().map(|fed| fed.number).collect::<Vec<_>>(), rows);
        Ok(())
    }

    /// The next token of a text, with a slot for it: a free one, one of a text that has ended, or one of the text that came last.
    /// None where that is this text itself.
    fn next_of(&mut self, number: u64) -> Result<Option<Fed>> {
        loop {
            if let Some((token, slots)) = self.batch.grow(number) {
                return Ok(Some(Fed { number, token, slots }));
            }
            if let Some(text) = self.batch.drop_left() {
                self.put_text_aside(&text)?;
            } else if self.batch.preempt(number).is_none_or(|other| other == number) {
                return Ok(None);
            }
        }
    }

    fn feed_all(&mut self, prepared: Prepared, rows: &[Fed], until: Stage) -> Result<()> {
        let rows: Vec<(u32, &[u32])> = rows.iter().map(|fed| (fed.token, &fed.slots[..])).collect();
        self.feed(prepared, &rows, until)
    }

    /// Runs the plan of several texts for a token of each, which is given with the slots of its text up to its own.
    pub(super) fn feed(&mut self, prepared: Prepared, rows: &[(u32, &[u32])], until: Stage) -> Result<()> {
        let n_ctx = self.facts().n_ctx;
        let stack = self.facts().config.decoder.as_ref();
        let offset = stack.and_then(|stack| stack.positions).map_or(0, |table| table.offset);
        for (row, (_, slots)) in rows.iter().enumerate() {
            let line: Vec<u32> = [slots.len() as u32].iter().chain(*slots).copied().collect();
            self.backend.write_u32(TABLE, row * (n_ctx + 1), &line)?;
        }
        let slots: Vec<u32> = rows.iter().map(|(_, slots)| slots[slots.len() - 1]).collect();
        let positions: Vec<u32> = rows.iter().map(|(_, slots)| (slots.len() - 1 + offset) as u32).collect();
        let tokens: Vec<u32> = rows.iter().map(|(token, _)| *token).collect();
        self.backend.write_u32(SLOTS, 0, &slots)?;
        self.backend.write_u32(BEAM_POSITIONS, 0, &positions)?;
        self.backend.write_u32(IDS, 0, &tokens)?;
        let run = Run { pos: 0, ..self.run_at(0, rows.len()) };
        self.backend.run(prepared, &run, until)
    }
}
