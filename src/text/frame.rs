//! The tokens around a text or a pair of texts (`[CLS] a [SEP] b [SEP]`), and the trimming of places that goes with
//! them: what a `tokenizer.json` calls the post-processor.

use super::{
    alphabet,
    encoding::{Encoding, Token},
};

/// How one text and how a pair is framed.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub single: Vec<Piece>,
    pub pair: Vec<Piece>,
    /// Places leave out white space at both ends of a token, once for each of these.
    pub trims: Vec<Trim>,
}

/// A part of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// The first text or the second.
    Text { second: bool, type_id: u32 },
    /// Tokens of the frame.
    Tokens { ids: Vec<u32>, type_id: u32 },
}

/// How places are trimmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trim {
    /// The one space before a text is not in it, so its place is not trimmed.
    pub keeps_first_space: bool,
}

impl Default for Frame {
    /// Nothing is added; the second text has the type 1.
    fn default() -> Self {
        Frame {
            single: vec![Piece::Text { second: false, type_id: 0 }],
            pair: vec![Piece::Text { second: false, type_id: 0 }, Piece::Text { second: true, type_id: 1 }],
            trims: Vec::new(),
        }
    }
}

/// A special token of a frame, with the type 0.
pub(super) fn special(id: u32) -> Piece {
    Piece::Tokens { ids: vec![id], type_id: 0 }
}

impl Frame {
    /// `bos a eos bos b eos`, either left out where it is `None`; the second text has the type 1.
    pub fn each_text(bos: Option<u32>, eos: Option<u32>) -> Self {
        let around = |second: bool| {
            let type_id = u32::from(second);
            let tokens = move |id| Piece::Tokens { ids: vec![id], type_id };
            bos.into_iter()
                .map(tokens)
                .chain([Piece::Text { second, type_id }])
                .chain(eos.into_iter().map(tokens))
        };
        let single = around(false).collect();
        Frame { single, pair: around(false).chain(around(true)).collect(), trims: Vec::new() }
    }

    /// `[CLS] a [SEP] b [SEP]`.
    pub fn bert(cls: u32, sep: u32) -> Self {
        let single = vec![special(cls), Piece::Text { second: false, type_id: 0 }, special(sep)];
        let mut pair = single.clone();
        pair.push(Piece::Text { second: true, type_id: 1 });
        pair.push(Piece::Tokens { ids: vec![sep], type_id: 1 });
        Frame { single, pair, trims: Vec::new() }
    }

    /// `<s> a </s></s> b </s>`, all of one type.
    pub fn roberta(cls: u32, sep: u32) -> Self {
        let single = vec![special(cls), Piece::Text { second: false, type_id: 0 }, special(sep)];
        let mut pair = single.clone();
        pair.extend([special(sep), Piece::Text { second: true, type_id: 0 }, special(sep)]);
        Frame { single, pair, trims: Vec::new() }
    }

    /// How many tokens are added around one text or around a pair.
    pub fn n_added(&self, pair: bool) -> usize {
        let added = |piece: &Piece| match piece {
            Piece::Tokens { ids, .. } => ids.len(),
            Piece::Text { .. } => 0,
        };
        self.pieces(pair).iter().map(added).sum()
    }

    fn pieces(&self, pair: bool) -> &[Piece] {
        if pair { &self.pair } else { &self.single }
    }

    /// The ids of the frame before and after one text.
    pub fn around_single(&self) -> (Vec<u32>, Vec<u32>) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let mut passed = false;
        for piece in &self.single {
            match piece {
                Piece::Text { .. } => passed = true,
                Piece::Tokens { ids, .. } => if passed { &mut after } else { &mut before }.extend(ids),
            }
        }
        (before, after)
    }

    /// Puts the texts' tokens together, with those of the frame if `add_special`.
    pub fn apply(&self, first: &[Token], second: Option<&[Token]>, add_special: bool) -> Encoding {
        let mut encoding = Encoding::default();
        for piece in self.pieces(second.is_some()) {
            match piece {
                Piece::Text { second: is_second, type_id } => {
                    let tokens = if *is_second { second.unwrap_or_default() } else { first };
                    for token in tokens {
                        encoding.push(token.id, *type_id, Some((u8::from(*is_second), token)));
                    }
                }
                Piece::Tokens { ids, type_id } if add_special => {
                    ids.iter().for_each(|id| encoding.push(*id, *type_id, None));
                }
                Piece::Tokens { .. } => {}
            }
        }
        encoding
    }

    /// Trims a token's place in its text. `spelled` is the token as the vocabulary spells it, or the text where an
    /// added token was found.
    pub fn trim(&self, token: &mut Token, is_first: bool, spelled: &str) {
        for trim in &self.trims {
            let (mut leading, n_leading) = white(spelled.chars());
            let (trailing, _) = white(spelled.chars().rev());
            if trim.keeps_first_space && n_leading == 1 && (is_first || token.start == 0) {
                leading = 0;
            }
            token.start = (token.start + leading).min(token.end);
            if token.end >= trailing {
                token.end = (token.end - trailing).max(token.start);
            }
        }
    }
}

/// Bytes and number of the white space that a token begins with. The space of the byte alphabet is one byte of text.
fn white(chars: impl Iterator<Item = char>) -> (usize, usize) {
    let space = alphabet::CHARS[b' ' as usize];
    let run = chars.take_while(|c| *c == space || c.is_whitespace());
    run.fold((0, 0), |(bytes, n), c| (bytes + if c == space { 1 } else { c.len_utf8() }, n + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(ids: &[u32]) -> Vec<Token> {
        let token = |(at, id): (usize, &u32)| Token { id: *id, start: at, end: at + 1, word: at as u32 };
        ids.iter().enumerate().map(token).collect()
    }

    #[test]
    fn each_family_frames_a_pair_in_its_own_way() {
        let (a, b) = (tokens(&[10, 11]), tokens(&[20]));
        let bert = Frame::bert(1, 2).apply(&a, Some(&b), true);
        assert_eq!(bert.ids, [1, 10, 11, 2, 20, 2]);
        assert_eq!(bert.type_ids, [0, 0, 0, 0, 1, 1]);
        assert_eq!(bert.offsets, [(0, 0), (0, 1), (1, 2), (0, 0), (0, 1), (0, 0)]);
        assert_eq!(bert.sequences, [None, Some(0), Some(0), None, Some(1), None]);
        assert_eq!(bert.words, [None, Some(0), Some(1), None, Some(0), None]);
        let roberta = Frame::roberta(1, 2).apply(&a, Some(&b), true);
        assert_eq!((roberta.ids, roberta.type_ids), (vec![1, 10, 11, 2, 2, 20, 2], vec![0; 7]));
        assert_eq!(Frame::each_text(None, Some(2)).apply(&a, Some(&b), true).ids, [10, 11, 2, 20, 2]);
        assert_eq!(Frame::each_text(Some(1), None).apply(&a, None, true).ids, [1, 10, 11]);
        assert_eq!(Frame::bert(1, 2).apply(&a, Some(&b), false).ids, [10, 11, 20]);
        assert_eq!((Frame::bert(1, 2).n_added(false), Frame::roberta(1, 2).n_added(true)), (2, 4));
    }

    #[test]
    fn places_leave_white_space_out() {
        let frame = |keeps_first_space| Frame { trims: vec![Trim { keeps_first_space }], ..Frame::default() };
        let trimmed = |keeps, start: usize, is_first, spelled: &str| {
            let mut token = Token { id: 0, start, end: start + 6, word: 0 };
            frame(keeps).trim(&mut token, is_first, spelled);
            (token.start, token.end)
        };
        assert_eq!(trimmed(false, 3, false, "ĠhelloĠ"), (4, 8));
        assert_eq!(trimmed(true, 0, true, "Ġhello"), (0, 6));
        assert_eq!(trimmed(true, 0, true, "ĠĠhello"), (2, 6));
        assert_eq!(trimmed(false, 3, false, "ĠĠĠĠĠĠ"), (9, 9));
    }
}
