//! Which slots of the one cache each of several texts has, and what each of them waits for.

use std::{collections::VecDeque, rc::Weak};

use super::Limit;
use crate::{
    error::Error,
    run::{Session, sessions::common},
};

/// Slots for each text under way that must be free before another begins, so that it need not make room again at once.
const SPARE: usize = 8;

/// A text in the cache.
#[derive(Debug, Clone, Default)]
pub struct Text {
    pub tokens: Vec<u32>,
    /// Where the keys and values of each token are. Texts with a common beginning may share its slots.
    pub slots: Vec<u32>,
    pub session: Option<Session>,
}

/// A text that a generation writes.
pub struct Row {
    number: u64,
    /// Dead when the generation has ended.
    owner: Weak<()>,
    text: Text,
    /// Tokens that are to be read next; what follows the last is to be told.
    wanted: VecDeque<u32>,
    /// What the model says of the token that follows.
    scores: Option<Vec<f32>>,
    /// Whether several tokens are read before the next is drawn.
    reads: bool,
    /// Whether some were, of which the generation has not heard.
    moved: bool,
    /// Whether there is no room for it.
    waits: bool,
    /// How many slots it had when it gave them up.
    needs: usize,
    failed: Option<Error>,
}

/// A generation that has the cache for itself, until others join it.
pub struct Alone {
    pub number: u64,
    pub owner: Weak<()>,
}

/// Texts that are written together, and those that were.
pub struct Batch {
    pub limit: Limit,
    pub alone: Option<Alone>,
    /// How many texts use each slot.
    uses: Vec<u32>,
    /// In the order in which they came.
    live: Vec<Row>,
    /// Ended; the one that ended last stands last.
    left: Vec<Text>,
}

impl Batch {
    pub fn new(n_slots: usize, limit: Limit) -> Batch {
        Batch { limit, alone: None, uses: vec![0; n_slots], live: Vec::new(), left: Vec::new() }
    }

    /// Texts that are written now.
    pub fn n_live(&self) -> usize {
        self.live.iter().filter(|row| row.owner.strong_count() > 0).count()
    }

    pub fn is_live(&self, number: u64) -> bool {
        self.live.iter().any(|row| row.number == number)
    }

    fn at(&self, number: u64) -> Option<usize> {
        self.live.iter().position(|row| row.number == number)
    }

    /// Those that were given up leave.
    pub fn sweep(&mut self) {
        while let Some(row) = self.live.iter().find(|row| row.owner.strong_count() == 0) {
            self.leave(row.number);
        }
    }

    /// A text ends, and stays for others that begin like it until its slots are needed.
    pub fn leave(&mut self, number: u64) {
        let Some(at) = self.at(number) else { return };
        let Row { text, .. } = self.live.remove(at);
        // What is all in another text is found there.
        let is_in = |a: &Text, b: &Text| {
            b.tokens.starts_with(&a.tokens) && (a.session.is_none() || a.session == b.session)
        };
        if text.tokens.is_empty() || self.left.iter().any(|other| is_in(&text, other)) {
            return self.release(&text.slots);
        }
        while let Some(at) = self.left.iter().position(|other| is_in(other, &text)) {
            let other = self.left.remove(at);
            self.release(&other.slots);
        }
        self.left.push(text);
    }

    /// A text ends whose keys and values are of no use.
    pub fn forget(&mut self, number: u64) {
        if let Some(at) = self.at(number) {
            let row = self.live.remove(at);
            self.release(&row.text.slots);
        }
    }

    /// All texts end, also those that are written; gives what was written of them.
    pub fn dissolve(&mut self) -> Vec<Text> {
        for number in self.live.iter().map(|row| row.number).collect::<Vec<_>>() {
            self.leave(number);
        }
        self.uses.fill(0);
        std::mem::take(&mut self.left)
    }

    /// Nothing in the cache is to be trusted: each generation is to hear why.
    pub fn fail(&mut self, error: &Error) {
        self.left.clear();
        self.uses.fill(0);
        for row in &mut self.live {
            row.text = Text::default();
            row.failed = Some(error.clone());
        }
    }

    /// As much of `prompt` as a text here begins with, at most `most` tokens, in the slots of that text.
    pub fn known(&self, prompt: &[u32], most: usize) -> Text {
        let all = self.live.iter().map(|row| &row.text).chain(&self.left);
        let best = all.max_by_key(|text| common(&text.tokens, prompt));
        best.map_or(Text::default(), |text| {
            let n = common(&text.tokens, prompt).min(most);
            Text { tokens: prompt[..n].to_vec(), slots: text.slots[..n].to_vec(), session: None }
        })
    }

    /// So many free slots, which the caller gives to a text; none where there are fewer.
    pub fn free(&self, n: usize) -> Option<Vec<u32>> {
        let free = self.uses.iter().enumerate().filter(|(_, uses)| **uses == 0);
        let slots: Vec<u32> = free.map(|(slot, _)| slot as u32).take(n).collect();
        (slots.len() == n).then_some(slots)
    }

    /// A generation's text begins with `text`, which is in the cache; `wanted` follows it.
    pub fn add(&mut self, number: u64, owner: Weak<()>, text: Text, wanted: &[u32]) {
        text.slots.iter().for_each(|slot| self.uses[*slot as usize] += 1);
        if let Some(session) = text.session {
            self.close(session);
        }
        self.live.push(Row {
            number,
            owner,
            text,
            waits: !wanted.is_empty(),
            wanted: wanted.iter().copied().collect(),
            scores: None,
            reads: !wanted.is_empty(),
            moved: false,
            needs: 0,
            failed: None,
        });
    }

    /// What a session had is for all.
    pub fn close(&mut self, session: Session) {
        let texts = self.live.iter_mut().map(|row| &mut row.text).chain(&mut self.left);
        texts.filter(|text| text.session == Some(session)).for_each(|text| text.session = None);
    }

    /// A generation's text is `text` now: what it lacks in the cache is to be read, at least the last token.
    pub fn want(&mut self, number: u64, text: &[u32]) {
        let Some(at) = self.at(number) else { return };
        if !self.live[at].wanted.is_empty() || self.live[at].scores.is_some() {
            return;
        }
        let n = common(&self.live[at].text.tokens, text).min(text.len().saturating_sub(1));
        self.truncate(number, n);
        let row = &mut self.live[at];
        row.wanted = text[row.text.tokens.len()..].iter().copied().collect();
        row.reads |= row.wanted.len() > 1;
    }

    /// Only the first `n` tokens of a text stay, and nothing is to be read after them.
    pub fn truncate(&mut self, number: u64, n: usize) {
        let Some(at) = self.at(number) else { return };
        self.live[at].wanted.clear();
        let text = &mut self.live[at].text;
        text.tokens.truncate(n);
        let gone = text.slots.split_off(n.min(text.slots.len()));
        self.release(&gone);
    }

    /// Tokens of a text that are in the cache.
    pub fn n_read(&self, number: u64) -> usize {
        self.at(number).map_or(0, |at| self.live[at].text.tokens.len())
    }

    /// Why a text cannot go on.
    pub fn failure(&self, number: u64) -> Option<Error> {
        self.at(number).and_then(|at| self.live[at].failed.clone())
    }

    /// Whether tokens of a text were read since this was last asked, before one is drawn.
    pub fn has_moved(&mut self, number: u64) -> bool {
        self.at(number).is_some_and(|at| std::mem::take(&mut self.live[at].moved))
    }

    /// What the model says of a text's next token, once.
    pub fn take_scores(&mut self, number: u64) -> Option<Vec<f32>> {
        self.at(number).and_then(|at| self.live[at].scores.take())
    }

    /// Whether a text waits for room that others will make.
    pub fn waits(&mut self, number: u64) -> bool {
        self.admit();
        self.at(number).is_some_and(|at| self.live[at].waits)
    }

    /// Lets those begin that have room, the first first.
    pub fn admit(&mut self) {
        self.sweep();
        while let Some(at) = self.live.iter().position(|row| row.waits) {
            let mut used = vec![false; self.uses.len()];
            let live = self.live.iter().flat_map(|row| &row.text.slots);
            live.for_each(|slot| used[*slot as usize] = true);
            let room = used.iter().filter(|used| !**used).count();
            let going = self.live.iter().filter(|row| !row.waits);
            let (n_going, promised) =
                (going.clone().count(), going.map(|row| row.wanted.len()).sum::<usize>());
            let row = &mut self.live[at];
            let needs = row.needs.max(row.wanted.len());
            if n_going > 0 && needs + promised + SPARE * (n_going + 1) > room {
                return;
            }
            (row.waits, row.needs) = (false, 0);
        }
    }

    /// The texts that are written, the first that came first.
    pub fn numbers(&self) -> Vec<u64> {
        self.live.iter().map(|row| row.number).collect()
    }

    /// Whether a text has tokens to be read and room for them.
    pub fn asks(&self, number: u64) -> bool {
        let row = self.live.iter().find(|row| row.number == number);
        row.is_some_and(|row| !row.waits && row.scores.is_none() && row.failed.is_none())
    }

    /// Tokens of a text that are to be read.
    pub fn n_wanted(&self, number: u64) -> usize {
        self.at(number).map_or(0, |at| self.live[at].wanted.len())
    }

    /// Gives the next token of a text a slot; the token and the text's slots, its own the last. None where no slot is free.
    pub fn grow(&mut self, number: u64) -> Option<(u32, Vec<u32>)> {
        let at = self.at(number)?;
        let slot = self.free(1)?[0];
        let row = &mut self.live[at];
        let token = row.wanted.pop_front()?;
        row.text.tokens.push(token);
        row.text.slots.push(slot);
        self.uses[slot as usize] += 1;
        Some((token, row.text.slots.clone()))
    }

    /// The text that ended first leaves its slots.
    pub fn drop_left(&mut self) -> Option<Text> {
        let text = (!self.left.is_empty()).then(|| self.left.remove(0))?;
        self.release(&text.slots);
        Some(text)
    }

    /// The text that came last of those in the cache leaves its slots, to be read again when there is room; gives whose it was.
    /// Those that came before the one that asks keep theirs, which the run at hand may write: then it waits itself.
    pub fn preempt(&mut self, asking: u64) -> Option<u64> {
        let row = self.live.iter_mut().rfind(|row| row.number == asking || !row.text.slots.is_empty())?;
        let text = std::mem::take(&mut row.text);
        row.needs = text.tokens.len();
        row.text.session = text.session;
        for token in text.tokens.iter().rev() {
            row.wanted.push_front(*token);
        }
        // What is known of its next token stays known, and what follows that is asked for then.
        if row.scores.is_some() {
            row.wanted.clear();
        }
        (row.waits, row.reads) = (true, true);
        let number = row.number;
        self.release(&text.slots);
        Some(number)
    }

    /// Tokens of these texts were read, and of those in `scores` all that was wanted.
    pub fn read(&mut self, numbers: &[u64], scores: impl Iterator<Item = (u64, Vec<f32>)>) {
        let scores: Vec<_> = scores.collect();
        let all = numbers.iter().chain(scores.iter().map(|(number, _)| number));
        for number in all.copied().collect::<Vec<_>>() {
            if let Some(at) = self.at(number) {
                let row = &mut self.live[at];
                row.moved |= row.reads;
            }
        }
        for (number, scores) in scores {
            if let Some(at) = self.at(number) {
                let row = &mut self.live[at];
                (row.scores, row.reads) = (Some(scores), false);
            }
        }
    }

    fn release(&mut self, slots: &[u32]) {
        slots.iter().for_each(|slot| self.uses[*slot as usize] -= 1);
    }
}
