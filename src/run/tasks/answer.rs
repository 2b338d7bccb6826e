//! Answers out of a context (Devlin et al. 2018, section 4.2): the span whose first and last token are most probable.

use super::softmax;
use crate::{
    error::{Error, Result},
    model::HeadOutput,
    run::{Engine, Text},
    text::Encoding,
};

/// How answers are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerOptions {
    /// How many answers.
    pub top_k: usize,
    /// The most tokens of one.
    pub max_answer_len: usize,
    /// A context longer than the model reads at once is read in windows that share so many tokens.
    pub stride: usize,
}

impl Default for AnswerOptions {
    fn default() -> Self {
        AnswerOptions { top_k: 1, max_answer_len: 15, stride: 128 }
    }
}

/// A part of the context.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// The product of the probabilities of its first and its last token.
    pub score: f32,
    /// Where it begins in the context, in bytes.
    pub start: usize,
    /// Where it ends, in bytes.
    pub end: usize,
}

/// A part of the context with the question: which tokens, and where the context's are among them.
struct Window {
    ids: Vec<u32>,
    types: Vec<u32>,
    /// Where the context begins in the window.
    first: usize,
    /// The tokens of the whole encoding that stand there.
    tokens: std::ops::Range<usize>,
}

impl Engine {
    /// The best answers to a question in a context, best first; none where the context has no tokens.
    ///
    /// # Errors
    /// [`Error::Input`] for a model that does not answer, and for a question that leaves no room for a context; those of the
    /// device.
    pub async fn answer(
        &mut self,
        question: &str,
        context: &str,
        options: AnswerOptions,
    ) -> Result<Vec<Answer>> {
        if self.facts().config.head.output != HeadOutput::Span {
            return Err(Error::input("model", "its head does not answer questions"));
        }
        let all = self.with_its_types(self.tokenizer()?.encode_pair(question, Some(context), true)?);
        let windows = windows(&all, self.facts().n_ctx, options.stride)?;
        let mut answers: Vec<Answer> = Vec::new();
        for window in &windows {
            let text = Text { ids: &window.ids, types: Some(&window.types) };
            let rows = self.outputs(&[text]).await?.concat();
            for (score, first, last) in best_spans(&rows, window, options) {
                let (start, end) = whole_words(&all, window.tokens.start + first, window.tokens.start + last);
                if answers.iter().any(|other| (other.start, other.end) == (start, end)) {
                    continue;
                }
                let text = context.get(start..end).unwrap_or_default().to_owned();
                answers.push(Answer { text, score, start, end });
            }
        }
        answers.sort_by(|a, b| b.score.total_cmp(&a.score));
        answers.truncate(options.top_k);
        Ok(answers)
    }
}

/// The question with as much of the context as fits, again and again.
fn windows(all: &Encoding, n_ctx: usize, stride: usize) -> Result<Vec<Window>> {
    let own = |i: &usize| all.sequences[*i] == Some(1);
    let Some(first) = (0..all.len()).find(own) else { return Ok(Vec::new()) };
    let end = (first..all.len()).rev().find(own).map_or(first, |last| last + 1);
    let room = n_ctx.saturating_sub(all.len() - (end - first));
    if room == 0 {
        return Err(Error::input("question", "it leaves no room for a context"));
    }
    let step = room.saturating_sub(stride).max(1);
    let mut windows = Vec::new();
    let mut start = first;
    loop {
        let stop = (start + room).min(end);
        let join = |list: &[u32]| [&list[..first], &list[start..stop], &list[end..]].concat();
        windows.push(Window { ids: join(&all.ids), types: join(&all.type_ids), first, tokens: start..stop });
        if stop == end {
            return Ok(windows);
        }
        start += step;
    }
}

/// The best spans in a window: score, first and last token, counted from the window's context.
fn best_spans(rows: &[f32], window: &Window, options: AnswerOptions) -> Vec<(f32, usize, usize)> {
    let n = window.tokens.len();
    let column = |c: usize| {
        let mut scores: Vec<f32> =
            rows.chunks_exact(2).skip(window.first).take(n).map(|pair| pair[c]).collect();
        // The first token of all stands for "no answer", and takes its part.
        scores.extend(rows.get(c));
        softmax(&mut scores);
        scores.truncate(n);
        scores
    };
    let (starts, ends) = (column(0), column(1));
    let mut spans = Vec::new();
    for (i, start) in starts.iter().enumerate() {
        for (j, end) in ends.iter().enumerate().skip(i).take(options.max_answer_len) {
            spans.push((start * end, i, j));
        }
    }
    spans.sort_by(|a, b| b.0.total_cmp(&a.0));
    // Several spans of one word become one answer.
    spans.truncate(4 * options.top_k.max(1));
    spans
}

/// Where the words begin and end that hold these tokens.
fn whole_words(all: &Encoding, first: usize, last: usize) -> (usize, usize) {
    let same = |i: usize, of: usize| {
        (all.sequences[i], all.words[i]) == (all.sequences[of], all.words[of]) && all.words[of].is_some()
    };
    let begin = (0..=first).rev().take_while(|i| same(*i, first)).last().unwrap_or(first);
    let end = (last..all.len()).take_while(|i| same(*i, last)).last().unwrap_or(last);
    (all.offsets[begin].0, all.offsets[end].1)
}
