//! The attention of a prompt's rows, dealt out among the threads: keys and values go to all of them, and each computes some rows.

use super::{
    attention::{Attention, Place, Sight, Strided},
    matrices::Matrices,
    ops::room,
    team::Team,
};
use crate::{error::Result, plan::AttentionShape};

/// Rows that follow each other go to one thread, so many at a time: they share most of their keys.
const BLOCK: usize = 4;
/// Fewer rows are computed sooner than keys and values are sent.
const WORTH_SHARING: usize = 16;

/// One thread's part of a causal attention without biases and sinks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slice {
    /// Of the heads in question.
    pub shape: AttentionShape,
    /// The position of the run's first row.
    pub pos: usize,
    /// The run's rows.
    pub n_rows: usize,
    /// The position of the first key.
    pub first: usize,
    /// Keys, which are those of the positions from `first` on.
    pub n_keys: usize,
    /// Whose part it is.
    pub thread: usize,
    /// Of how many.
    pub n_threads: usize,
}

impl Slice {
    /// Words that tell a slice.
    pub const WORDS: usize = 12;

    /// Which of the run's rows are the thread's.
    pub fn rows(&self) -> impl Iterator<Item = usize> + Clone + use<> {
        let Slice { n_rows, thread, n_threads, .. } = *self;
        (0..n_rows).filter(move |r| r / BLOCK % n_threads == thread)
    }

    /// How many.
    pub fn n_own(&self) -> usize {
        self.rows().count()
    }

    /// The same of a helper of the thread 0.
    pub fn of_helper(&self, helper: usize) -> Slice {
        Slice { thread: helper + 1, ..*self }
    }

    /// Numbers of keys, and as many of values.
    pub fn kv_len(&self) -> usize {
        self.n_keys * self.shape.kv_dim()
    }

    /// The thread's rows among those of the run.
    pub fn queries<'a>(&self, q: Strided<'a>) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        let q_dim = self.shape.q_dim();
        self.rows().map(move |row| q.row(row, q_dim))
    }

    /// Keys or values among rows that begin with those of `first`.
    pub fn keys<'a>(&self, of: Strided<'a>) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        let kv_dim = self.shape.kv_dim();
        (0..self.n_keys).map(move |key| of.row(key, kv_dim))
    }

    /// The thread's rows of the results: `q` and `y` are `[own rows, n_heads * head_dim]`, `k` and `v` are
    /// `[n_keys, n_kv_heads * head_dim]`.
    pub fn attend(&self, q: &[f32], k: &[f32], v: &[f32], y: &mut [f32]) {
        let (q_dim, kv_dim) = (self.shape.q_dim(), self.shape.kv_dim());
        let attention = Attention {
            shape: self.shape,
            q: Strided { numbers: q, stride: q_dim },
            k: Strided { numbers: k, stride: kv_dim },
            v: Strided { numbers: v, stride: kv_dim },
            sight: Sight::Causal { pos: self.pos, first: self.first },
            bias: None,
            sinks: None,
        };
        let places: Vec<Place> = self.rows().enumerate().map(|(at, row)| Place { at, row }).collect();
        attention.attend(&places, y, q_dim);
    }

    /// As words, for a thread that shares nothing else.
    pub fn to_words(&self) -> [u32; Self::WORDS] {
        let AttentionShape { n_heads, n_kv_heads, head_dim, scale, window, softcap } = self.shape;
        let [n_heads, n_kv_heads, head_dim, window] =
            [n_heads, n_kv_heads, head_dim, window.unwrap_or(0)].map(|n| n as u32);
        let [scale, softcap] = [scale, softcap.unwrap_or(0.0)].map(f32::to_bits);
        let [pos, n_rows, first, n_keys] = [self.pos, self.n_rows, self.first, self.n_keys].map(|n| n as u32);
        let [thread, n_threads] = [self.thread, self.n_threads].map(|n| n as u32);
        [n_heads, n_kv_heads, head_dim, window, scale, softcap, pos, n_rows, first, n_keys, thread, n_threads]
    }

    /// The reverse.
    pub fn from_words(words: [u32; Self::WORDS]) -> Slice {
        let [n_heads, n_kv_heads, head_dim, window, _, _, pos, n_rows, first, n_keys, thread, n_threads] =
            words.map(|word| word as usize);
        let [scale, softcap] = [words[4], words[5]].map(f32::from_bits);
        let shape = AttentionShape {
            n_heads,
            n_kv_heads,
            head_dim,
            scale,
            window: Some(window).filter(|n| *n > 0),
            softcap: Some(softcap).filter(|cap| *cap > 0.0),
        };
        Slice { shape, pos, n_rows, first, n_keys, thread, n_threads }
    }
}

impl Matrices {
    /// See [`Attention::attend`], of the first `n_rows` rows.
    pub fn attend(&self, attention: &Attention, n_rows: usize, y: &mut [f32], y_stride: usize) {
        let all = |n| (0..n).map(|row| Place { at: row, row }).collect::<Vec<_>>();
        let (Some(team), Sight::Causal { pos, first: at_hand }, true) =
            (self.team.as_deref(), attention.sight, n_rows >= WORTH_SHARING)
        else {
            return attention.attend(&all(n_rows), y, y_stride);
        };
        let window = attention.shape.window.unwrap_or(usize::MAX);
        let first = (pos + 1).saturating_sub(window);
        let whole = Slice {
            shape: attention.shape,
            pos,
            n_rows,
            first,
            n_keys: pos + n_rows - first,
            thread: 0,
            n_threads: self.n_threads(),
        };
        // As many heads at a time as the team takes.
        let per_head = 2 * whole.kv_len() + n_rows * whole.shape.q_dim();
        let at_a_time = team.most_numbers() / (per_head / whole.shape.n_kv_heads).max(1);
        let fits = at_a_time > 0 && attention.bias.is_none() && attention.sinks.is_none();
        if !fits {
            return attention.attend(&all(n_rows), y, y_stride);
        }
        let group = whole.shape.n_heads / whole.shape.n_kv_heads;
        self.noting(|| {
            (0..whole.shape.n_kv_heads).step_by(at_a_time).try_for_each(|head| {
                let n = at_a_time.min(whole.shape.n_kv_heads - head);
                let shape = AttentionShape { n_heads: n * group, n_kv_heads: n, ..whole.shape };
                let (q, kv) = (head * group * shape.head_dim, head * shape.head_dim);
                let part = Attention {
                    shape,
                    q: attention.q.behind(q),
                    k: attention.k.from_row(first - at_hand).behind(kv),
                    v: attention.v.from_row(first - at_hand).behind(kv),
                    sight: Sight::Causal { pos, first },
                    ..*attention
                };
                self.attend_together(team, &part, &Slice { shape, ..whole }, &mut y[q..], y_stride)
            })
        });
    }

    fn attend_together(
        &self,
        team: &dyn Team,
        attention: &Attention,
        slice: &Slice,
        y: &mut [f32],
        y_stride: usize,
    ) -> Result<()> {
        team.start_attention(slice, attention.q, attention.k, attention.v);
        let own: Vec<Place> = slice.rows().map(|row| Place { at: row, row }).collect();
        attention.attend(&own, y, y_stride);
        let q_dim = slice.shape.q_dim();
        let mut spare = self.spare.borrow_mut();
        for helper in 0..team.n_helpers() {
            let slice = slice.of_helper(helper);
            let part = room(&mut spare, slice.n_own() * q_dim);
            if part.is_empty() {
                continue;
            }
            team.finish(helper, part)?;
            for (row, part) in slice.rows().zip(part.chunks_exact(q_dim)) {
                y[row * y_stride..][..q_dim].copy_from_slice(part);
            }
        }
        Ok(())
    }
}
