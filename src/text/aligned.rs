//! A text that remembers where it came from: for every byte, which bytes of the original it stands for. So a token of
//! a lowercased, decomposed, space-marked text still names its place in what the user wrote.
//!
//! The rules of alignment are those of the reference's `NormalizedString`: a character that replaces another has its
//! place, one that was added has the place of the one before it.

use std::ops::Range;

/// A text with the places of its bytes in the original.
#[derive(Debug, Clone)]
pub(super) struct Aligned {
    text: String,
    places: Places,
}

#[derive(Debug, Clone)]
enum Places {
    /// The text is the original from this byte on.
    Same(u32),
    /// For each byte of the text the part of the original that it stands for.
    Each(Vec<(u32, u32)>),
}

impl Aligned {
    /// A part of the original that begins at byte `start`; the original is shorter than 4 GiB.
    pub fn new(text: &str, start: usize) -> Self {
        Aligned { text: text.to_owned(), places: Places::Same(start as u32) }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The part of the original that a byte stands for: its whole character if the text is still the original.
    pub fn place(&self, at: usize) -> (u32, u32) {
        match &self.places {
            Places::Each(places) => places.get(at).copied().unwrap_or_default(),
            Places::Same(start) => {
                let first = self.text.floor_char_boundary(at);
                let last = self.text.ceil_char_boundary(at + 1);
                (start + first as u32, start + last as u32)
            }
        }
    }

    /// The part of the original that a range of the text stands for. Nothing stands for nothing, at the place of what
    /// follows it.
    pub fn source(&self, range: Range<usize>) -> Range<usize> {
        if range.is_empty() {
            let at = if range.start < self.text.len() {
                self.place(range.start).0
            } else {
                self.text.len().checked_sub(1).map_or(0, |last| self.place(last).1)
            };
            return at as usize..at as usize;
        }
        self.place(range.start).0 as usize..self.place(range.end - 1).1 as usize
    }

    /// A part of the text.
    pub fn slice(&self, range: Range<usize>) -> Aligned {
        let text = self.text[range.clone()].to_owned();
        let places = match &self.places {
            Places::Same(start) => Places::Same(start + range.start as u32),
            Places::Each(places) => Places::Each(places[range].to_vec()),
        };
        Aligned { text, places }
    }

    /// Replaces the whole text. Each new character says how many of the old ones it takes: `0` one, `-n` one and the
    /// `n` after it, `1` none. `skipped` old characters at the start are left out.
    pub fn rewrite(&mut self, new: impl IntoIterator<Item = (char, isize)>, skipped: usize) {
        let mut old = self.text.chars();
        let mut at: usize = old.by_ref().take(skipped).map(char::len_utf8).sum();
        let mut built = Builder::with_capacity(self.text.len());
        for (c, change) in new {
            let place = match change {
                1.. if at == 0 => (0, 0),
                1.. => self.place(at - 1),
                // An added character too many has the place of the last.
                _ => self.place(at.min(self.text.len().saturating_sub(1))),
            };
            if change <= 0 {
                at += old.by_ref().take(1 + change.unsigned_abs()).map(char::len_utf8).sum::<usize>();
            }
            built.push(c, place);
        }
        *self = built.finish();
    }

    /// Keeps the characters that `keep` accepts.
    pub fn retain(&mut self, keep: impl Fn(char) -> bool) {
        if self.text.chars().all(&keep) {
            return;
        }
        let mut built = Builder::with_capacity(self.text.len());
        for (at, c) in self.text.char_indices().filter(|(_, c)| keep(*c)) {
            built.push(c, self.place(at));
        }
        *self = built.finish();
    }

    /// Each character replaced by another.
    pub fn map(&mut self, change: impl Fn(char) -> char) {
        self.flat_map(|c, out| out(change(c)));
    }

    /// Each character replaced by any number of others, which have its place.
    pub fn flat_map(&mut self, change: impl Fn(char, &mut dyn FnMut(char))) {
        let mut built = Builder::with_capacity(self.text.len());
        for (at, c) in self.text.char_indices() {
            let place = self.place(at);
            change(c, &mut |new| built.push(new, place));
        }
        *self = built.finish();
    }

    /// Puts a text before this one, unless this one is empty. It has the place of the first character.
    pub fn prepend(&mut self, prefix: &str) {
        if !self.text.is_empty() {
            self.rebuild(&[(0, self.text.len())], |built, text, _| {
                built.push_str(prefix, text.place(0));
                built.copy(text, 0..text.text.len());
            });
        }
    }

    /// Replaces ranges, which are in order and apart, by the same text.
    pub fn replace(&mut self, ranges: &[(usize, usize)], content: &str) {
        if ranges.is_empty() {
            return;
        }
        let mut built = Builder::with_capacity(self.text.len());
        let mut done = 0;
        for &(start, end) in ranges {
            built.copy(self, done..start);
            let place = if end == 0 { (0, 0) } else { self.place(end - 1) };
            built.push_str(content, place);
            done = end;
        }
        built.copy(self, done..self.text.len());
        *self = built.finish();
    }

    /// Rebuilds the text piece by piece, and gives the new ranges of the pieces.
    pub fn rebuild(
        &mut self,
        pieces: &[(usize, usize)],
        mut piece: impl FnMut(&mut Builder, &Aligned, Range<usize>),
    ) -> Vec<(usize, usize)> {
        let mut built = Builder::with_capacity(self.text.len() + pieces.len());
        let mut ranges = Vec::with_capacity(pieces.len());
        for &(start, end) in pieces {
            let from = built.text.len();
            piece(&mut built, self, start..end);
            ranges.push((from, built.text.len()));
        }
        *self = built.finish();
        ranges
    }
}

/// A text under construction.
pub(super) struct Builder {
    text: String,
    places: Vec<(u32, u32)>,
}

impl Builder {
    fn with_capacity(bytes: usize) -> Self {
        Builder { text: String::with_capacity(bytes), places: Vec::with_capacity(bytes) }
    }

    /// Adds a character that stands for a part of the original.
    pub fn push(&mut self, c: char, place: (u32, u32)) {
        self.text.push(c);
        self.places.resize(self.text.len(), place);
    }

    /// Adds a text all of which stands for one part of the original.
    pub fn push_str(&mut self, text: &str, place: (u32, u32)) {
        self.text.push_str(text);
        self.places.resize(self.text.len(), place);
    }

    /// Adds a part of another text as it is.
    pub fn copy(&mut self, from: &Aligned, range: Range<usize>) {
        self.text.push_str(&from.text[range.clone()]);
        match &from.places {
            Places::Each(places) => self.places.extend_from_slice(&places[range]),
            Places::Same(_) => self.places.extend(range.map(|at| from.place(at))),
        }
    }

    fn finish(self) -> Aligned {
        Aligned { text: self.text, places: Places::Each(self.places) }
    }
}

#[cfg(test)]
mod tests {
    use super::Aligned;

    fn sources(text: &Aligned) -> Vec<(usize, usize)> {
        let each = |(at, c): (usize, char)| text.source(at..at + c.len_utf8());
        text.text().char_indices().map(each).map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn part_of_a_character_stands_for_all_of_it() {
        let text = Aligned::new("aé", 7);
        assert_eq!(text.source(2..3), 8..10);
        assert_eq!(text.source(0..3), 7..10);
        assert_eq!(text.source(3..3), 10..10);
    }

    #[test]
    fn replaced_added_and_removed_characters_keep_their_places() {
        let mut text = Aligned::new("aéb", 0);
        // é becomes e and an accent, b and what follows becomes one character.
        text.rewrite([('a', 0), ('e', 0), ('\u{301}', 1), ('B', 0)], 0);
        assert_eq!(sources(&text), [(0, 1), (1, 3), (1, 3), (3, 4)]);
        text.rewrite([('É', -1), ('B', 0)], 1);
        assert_eq!((text.text(), sources(&text)), ("ÉB", vec![(1, 3), (3, 4)]));
    }

    #[test]
    fn what_is_prepended_or_replaced_stands_where_the_text_stood() {
        let mut text = Aligned::new("x  y", 10);
        text.replace(&[(1, 3)], "▁");
        text.prepend("▁");
        assert_eq!((text.text(), sources(&text)), ("▁x▁y", vec![(10, 11), (10, 11), (12, 13), (13, 14)]));
        let mut empty = Aligned::new("", 0);
        empty.prepend("▁");
        assert_eq!(empty.text(), "");
    }

    #[test]
    fn pieces_are_found_again_after_a_change() {
        let mut text = Aligned::new("ab cd", 0);
        let pieces = text.rebuild(&[(0, 2), (3, 5)], |built, text, range| {
            built.push(' ', text.place(range.start));
            built.copy(text, range);
        });
        assert_eq!((text.text(), pieces), (" ab cd", vec![(0, 3), (3, 6)]));
        assert_eq!(text.source(3..6), 3..5);
    }
}
