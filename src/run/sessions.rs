//! Sessions: texts that are gone on with by turns. The cache holds the keys and values of one of them; those of another are
//! copied when they would be overwritten, and copied back when its turn comes. What a text has in common with another, in the
//! cache or in a copy, is computed once.

use std::collections::BTreeSet;

use super::{AdapterId, AdapterUse, Engine, adapters::sorted, engine::Cached};
use crate::{
    backend::{Kept, KeptRows, Precision},
    error::{Error, Result},
    plan::{Op, Value},
};

/// A text that is gone on with: see [`Engine::open_session`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session(u64);

impl Session {
    /// As a number, for callers who can keep nothing else.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The reverse; a number that no session has is refused where it is used.
    pub fn from_number(number: u64) -> Session {
        Session(number)
    }
}

/// Rows that are computed as soon as copied.
const WORTH_KEEPING: usize = 8;

/// A text whose keys and values had to make room.
struct Aside {
    session: Session,
    text: Cached,
    kept: Kept,
    bytes: u64,
    /// Whether it came from outside, and so is for its own session alone.
    is_foreign: bool,
}

/// The sessions of a model.
#[derive(Default)]
pub(super) struct Sessions {
    open: BTreeSet<Session>,
    latest: u64,
    /// Whose text is in the cache, if it is a session's.
    pub here: Option<Session>,
    /// The one that was used last stands last.
    aside: Vec<Aside>,
}

impl Sessions {
    /// Takes what is open from those of a device that is no more; what it held of their texts went with it.
    pub fn succeed(&mut self, lost: &mut Sessions) {
        self.open = std::mem::take(&mut lost.open);
        self.latest = lost.latest;
    }
}

/// How many tokens two texts begin with in common.
pub(super) fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

impl Engine {
    /// Begins a session. Generations that name it ([`super::GenerateOptions::session`]) find the text of its last one as they left it,
    /// whatever came between, as long as copies of all texts fit into as much memory as the cache has; beyond that, those that were
    /// not used for longest are read again.
    ///
    /// # Errors
    /// [`Error::Input`] for a model that is no decoder alone; [`Error::Unloaded`].
    pub fn open_session(&mut self) -> Result<Session> {
        if self.unloaded {
            return Err(Error::Unloaded);
        }
        if self.facts().config.encoder.is_some() || !self.facts().config.generates() {
            let problem = format!(
                "{} models have none: they do not go on with a text",
                self.facts().config.architecture
            );
            return Err(Error::input("session", problem));
        }
        self.sessions.latest += 1;
        let session = Session(self.sessions.latest);
        self.sessions.open.insert(session);
        Ok(session)
    }

    /// Ends a session and gives the memory of its copy back.
    pub fn close_session(&mut self, session: Session) {
        self.sessions.open.remove(&session);
        self.sessions.here = self.sessions.here.filter(|here| *here != session);
        self.batch.close(session);
        self.drop_aside(|aside| aside.session == session);
    }

    /// What follows is computed so, as [`Engine::compute`] says; a session's text that is given up for that is copied first.
    pub(super) fn compute_next(&mut self, precision: Precision, adapters: &[AdapterUse]) -> Result<()> {
        self.leave_batch(&[])?;
        let other_precision = self.cached.precision != precision && self.backend.is_faster_less_exact();
        if other_precision || self.cached.adapters != sorted(adapters) {
            self.make_room()?;
        }
        self.compute(precision, adapters)
    }

    /// Lets the cache hold as much of `prompt` as is known anywhere, for a generation of `session` that computes as it was last
    /// said. What another session loses by that is copied first.
    pub(super) fn turn_to(&mut self, session: Option<Session>, prompt: &[u32], beyond: bool) -> Result<()> {
        self.check_open(session)?;
        let here = if self.fits(&self.cached, beyond) { common(&self.cached.tokens, prompt) } else { 0 };
        let best = self.known_aside(session, prompt, beyond).filter(|(_, n)| *n > here);
        let stays = if best.is_some() { 0 } else { here };
        if let Some(owner) = self.sessions.here.filter(|owner| Some(*owner) != session)
            && self.cached.tokens.len() >= stays + WORTH_KEEPING
        {
            let wanted = best.map(|(i, _)| self.sessions.aside[i].kept);
            let rows: Vec<u32> = (0..self.cached.tokens.len() as u32).collect();
            self.set_aside(owner, self.cached.clone(), &rows, wanted)?;
        }
        // The best may stand elsewhere now.
        if best.is_some()
            && let Some((at, n)) = self.known_aside(session, prompt, beyond)
        {
            // Whatever happens, what was in the cache is no more.
            self.cached.clear();
            let rows: Vec<u32> = (0..n as u32).collect();
            if let Some(text) = self.recall(at, session, &rows)? {
                self.cached = text;
            }
        }
        self.sessions.here = session;
        Ok(())
    }

    /// # Errors
    /// [`Error::Input`] for a session that was closed.
    pub(super) fn check_open(&self, session: Option<Session>) -> Result<()> {
        match session.is_some_and(|session| !self.is_open(session)) {
            true => Err(Error::input("session", "it was closed")),
            false => Ok(()),
        }
    }

    /// Whether a text was computed as what follows is.
    fn fits(&self, text: &Cached, beyond: bool) -> bool {
        let matters = self.backend.is_faster_less_exact();
        text.beyond == beyond
            && (text.precision == self.cached.precision || !matters)
            && text.adapters == self.cached.adapters
    }

    /// Which copy has the most of a prompt's tokens for a session, and how many.
    pub(super) fn known_aside(
        &self,
        session: Option<Session>,
        prompt: &[u32],
        beyond: bool,
    ) -> Option<(usize, usize)> {
        let may = |aside: &Aside| {
            self.fits(&aside.text, beyond) && (!aside.is_foreign || Some(aside.session) == session)
        };
        let known = |aside: &Aside| if may(aside) { common(&aside.text.tokens, prompt) } else { 0 };
        let all = self.sessions.aside.iter().map(known).enumerate();
        all.max_by_key(|(_, n)| *n).filter(|(_, n)| *n > 0)
    }

    /// For what overwrites the cache with no text to go on with.
    pub(super) fn make_room(&mut self) -> Result<()> {
        self.leave_batch(&[])?;
        self.turn_to(None, &[], self.cached.beyond)
    }

    /// Copies a text from these rows of the cache, and gives up what was not used for longest where that is too much; not
    /// `wanted`. What is computed as soon is not copied.
    pub(super) fn set_aside(
        &mut self,
        session: Session,
        text: Cached,
        rows: &[u32],
        wanted: Option<Kept>,
    ) -> Result<()> {
        if rows.len() < WORTH_KEEPING {
            return Ok(());
        }
        self.drop_aside(|aside| aside.session == session && Some(aside.kept) != wanted);
        let states = self.kept_rows();
        let Some(bytes) = self.room_aside(rows.len(), wanted) else { return Ok(()) };
        let kept = match self.backend.keep(&states, rows) {
            // Then it is read again when its turn comes.
            Err(Error::OutOfMemory { .. }) => return Ok(()),
            kept => kept?,
        };
        self.sessions.aside.push(Aside { session, text, kept, bytes, is_foreign: false });
        Ok(())
    }

    /// Gives up the copies that were not used for longest, but not `wanted`, until another of so many rows may be made. Gives
    /// its bytes; none where it is too large.
    fn room_aside(&mut self, rows: usize, wanted: Option<Kept>) -> Option<u64> {
        let per_row: u64 = self.kept_rows().iter().map(|state| state.row_bytes as u64).sum();
        let (bytes, most) = (per_row * rows as u64, per_row * self.facts().n_ctx as u64);
        while self.sessions.aside.iter().map(|aside| aside.bytes).sum::<u64>() + bytes > most {
            let oldest = self.sessions.aside.iter().position(|aside| Some(aside.kept) != wanted)?;
            let oldest = self.sessions.aside.remove(oldest);
            self.backend.drop_kept(oldest.kept);
        }
        Some(bytes)
    }

    /// Keys and values of a text that come from elsewhere, as [`crate::backend::Backend::export`] tells them.
    pub(super) fn put_aside(&mut self, session: Session, text: Cached, numbers: &[u8]) -> Result<()> {
        let (states, rows) = (self.kept_rows(), text.tokens.len());
        let Some(bytes) = self.room_aside(rows, None) else { return Ok(()) };
        match self.backend.import(&states, rows, numbers) {
            Ok(kept) => self.sessions.aside.push(Aside { session, text, kept, bytes, is_foreign: true }),
            // Its text is read again.
            Err(Error::OutOfMemory { .. } | Error::DeviceLost { .. }) => {}
            Err(error) => {
                self.close_session(session);
                return Err(error);
            }
        }
        Ok(())
    }

    /// How a session's text was computed.
    pub(super) fn computed(&self, session: Session) -> (Precision, Vec<AdapterUse>) {
        let aside = self.sessions.aside.iter().find(|aside| aside.session == session);
        let text = if self.sessions.here == Some(session) {
            Some(&self.cached)
        } else {
            aside.map(|aside| &aside.text)
        };
        match text {
            Some(text) => (text.precision, text.adapters.clone()),
            None => (self.facts().backend.usual_precision(), Vec::new()),
        }
    }

    /// Copies the first rows of a copy to these rows of the cache, and gives the text that is there then. Its own session needs
    /// the copy no longer. None where there was no room for the copy, which a device may tell late: then it is read again.
    pub(super) fn recall(
        &mut self,
        at: usize,
        session: Option<Session>,
        rows: &[u32],
    ) -> Result<Option<Cached>> {
        let aside = self.sessions.aside.remove(at);
        let states = self.kept_rows();
        if let Err(error) = self.backend.recall(aside.kept, &states, rows) {
            self.backend.drop_kept(aside.kept);
            return if matches!(error, Error::OutOfMemory { .. }) { Ok(None) } else { Err(error) };
        }
        let text = Cached { tokens: aside.text.tokens[..rows.len()].to_vec(), ..aside.text.clone() };
        match Some(aside.session) == session {
            true => self.backend.drop_kept(aside.kept),
            false => self.sessions.aside.push(aside),
        }
        Ok(Some(text))
    }

    /// Of texts that an adapter shaped which is no more.
    pub(super) fn drop_aside_with(&mut self, adapter: AdapterId) {
        self.drop_aside(|aside| aside.text.adapters.iter().any(|one| one.adapter == adapter));
    }

    /// Whether a session goes on.
    pub(super) fn is_open(&self, session: Session) -> bool {
        self.sessions.open.contains(&session)
    }

    fn drop_aside(&mut self, which: impl Fn(&Aside) -> bool) {
        let (gone, rest) = std::mem::take(&mut self.sessions.aside).into_iter().partition(which);
        self.sessions.aside = rest;
        let gone: Vec<Aside> = gone;
        gone.iter().for_each(|aside| self.backend.drop_kept(aside.kept));
    }

    /// The caches of keys and values.
    pub(super) fn kept_rows(&self) -> Vec<KeptRows> {
        let Some(decode) = &self.plans.decode else { return Vec::new() };
        let plan = &decode.plan;
        let rows = |cache: Value| {
            let info = &plan[cache];
            KeptRows { state: info.name.clone(), row_bytes: (info.state_bytes() / info.rows as u64) as usize }
        };
        let written = plan.steps.iter().filter_map(|step| match step.op {
            Op::CacheWrite { cache, .. } => Some(rows(cache)),
            _ => None,
        });
        written.collect()
    }
}
