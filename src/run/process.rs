//! Processors: what changes a row of scores before a token is chosen. Names, order and arithmetic are those of Hugging Face
//! transformers, whose `generation_config.json` asks for them.

mod options;

use std::collections::BTreeMap;

pub use options::ProcessOptions;

use crate::error::Result;

/// The processors that some [`ProcessOptions`] ask for, in the order in which they apply.
#[derive(Debug, Clone, PartialEq)]
pub struct Processors {
    n_vocab: usize,
    list: Vec<Processor>,
}

#[derive(Debug, Clone, PartialEq)]
enum Processor {
    Bias(Vec<(Vec<u32>, f32)>),
    SourceRepetition { penalty: f32 },
    Repetition { penalty: f32 },
    NoRepeat { ngram: usize },
    NoRepeatOfSource { ngram: usize },
    MinLength { length: usize, eos: Vec<u32> },
    MinNewTokens { n: usize, eos: Vec<u32> },
    ForcedFirst { token: u32 },
    ForcedLast { max_length: usize, tokens: Vec<u32> },
    Decay { start: usize, factor: f32, eos: Vec<u32> },
    Suppress { tokens: Vec<u32> },
    SuppressFirst { tokens: Vec<u32>, has_forced_first: bool },
    Renormalize,
}

/// The text whose next token is scored.
struct Text<'a> {
    ids: &'a [u32], // the whole of it, prompt and generated tokens
    prompt_len: usize,
    source: &'a [u32],
}

impl Processors {
    /// The processors of `options` for rows of `n_vocab` scores.
    ///
    /// # Errors
    /// [`Error::Input`] for a parameter out of its range, for tokens to force or to bias that are not in the vocabulary,
    /// and where every token to force is suppressed.
    pub fn new(options: &ProcessOptions, n_vocab: usize) -> Result<Self> {
        options.check(n_vocab)?;
        let o = options.clone();
        let mut list = Vec::new();
        let mut add = |on: bool, processor: Processor| {
            if on {
                list.push(processor);
            }
        };

        let mut bias = o.sequence_bias;
        bias.extend(o.logit_bias.into_iter().map(|(id, bias)| (vec![id], bias)));
        add(!bias.is_empty(), Processor::Bias(bias));

        let penalty = (1.0 / f64::from(o.encoder_repetition_penalty)) as f32;
        add(penalty != 1.0, Processor::SourceRepetition { penalty });
        add(o.repetition_penalty != 1.0, Processor::Repetition { penalty: o.repetition_penalty });

        let ngram = o.no_repeat_ngram_size;
        add(ngram > 0, Processor::NoRepeat { ngram });
        let ngram = o.encoder_no_repeat_ngram_size;
        add(ngram > 0, Processor::NoRepeatOfSource { ngram });

        // Where an end alone is a bad word, it stays possible.
        let is_eos = |word: &Vec<u32>| word.len() == 1 && o.eos.contains(&word[0]);
        let bad_words = o.bad_words.into_iter().filter(|word| !is_eos(word));
        let bad_words: Vec<_> = bad_words.map(|word| (word, f32::NEG_INFINITY)).collect();
        add(!bad_words.is_empty(), Processor::Bias(bad_words));

        let eos = || o.eos.clone();
        let has_end = !o.eos.is_empty();
        match (o.min_new_tokens, o.min_length) {
            (Some(n), _) => add(has_end && n > 0, Processor::MinNewTokens { n, eos: eos() }),
            (None, length) => add(has_end && length > 0, Processor::MinLength { length, eos: eos() }),
        }
        if let Some(token) = o.forced_bos {
            add(true, Processor::ForcedFirst { token });
        }
        if let Some(max_length) = o.max_length {
            add(!o.forced_eos.is_empty(), Processor::ForcedLast { max_length, tokens: o.forced_eos });
        }
        if let Some((start, factor)) = o.exponential_decay_length_penalty {
            add(has_end, Processor::Decay { start, factor, eos: eos() });
        }
        add(!o.suppress.is_empty(), Processor::Suppress { tokens: o.suppress });
        let has_forced_first = o.forced_bos.is_some();
        add(
            !o.begin_suppress.is_empty(),
            Processor::SuppressFirst { tokens: o.begin_suppress, has_forced_first },
        );
        add(o.renormalize_logits, Processor::Renormalize);
        Ok(Processors { n_vocab, list })
    }

    /// Whether [`Processors::apply`] never changes anything.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Scores in a row.
    pub fn n_vocab(&self) -> usize {
        self.n_vocab
    }

    /// Changes `scores` (`[n_vocab]`, logits or their log-probabilities) of the token that follows `generated`: a decoder's
    /// whole text, which begins with `prompt_len` tokens that were given. `source` is what an encoder read, for a decoder
    /// alone its prompt.
    pub fn apply(&self, generated: &[u32], prompt_len: usize, source: &[u32], scores: &mut [f32]) {
        let text = Text { ids: generated, prompt_len, source };
        for processor in &self.list {
            processor.apply(&text, scores);
        }
    }
}

impl Processor {
    fn apply(&self, text: &Text, scores: &mut [f32]) {
        match self {
            Processor::Bias(sequences) => add_bias(sequences, text.ids, scores),
            Processor::SourceRepetition { penalty } => penalize(text.source, *penalty, scores),
            Processor::Repetition { penalty } => penalize(text.ids, *penalty, scores),
            Processor::NoRepeat { ngram } => ban_repeats(*ngram, text.ids, text.ids, scores),
            Processor::NoRepeatOfSource { ngram } => ban_repeats(*ngram, text.source, text.ids, scores),
            Processor::MinLength { length, eos } if text.ids.len() < *length => ban(eos, scores),
            Processor::MinNewTokens { n, eos } if text.n_new() < *n => ban(eos, scores),
            Processor::ForcedFirst { token } if text.ids.len() == 1 => force(&[*token], scores),
            Processor::ForcedLast { max_length, tokens } if text.ids.len() + 1 == *max_length => {
                force(tokens, scores);
            }
            Processor::Decay { start, factor, eos } if text.n_new() > *start => {
                raise(eos, factor_after(*factor, text.n_new() - start), scores);
            }
            Processor::Suppress { tokens } => ban(tokens, scores),
            Processor::SuppressFirst { tokens, has_forced_first } => {
                // The first token that is free to choose comes after a forced one.
                let skip = usize::from(*has_forced_first && text.prompt_len <= 1);
                if text.n_new() == skip {
                    ban(tokens, scores);
                }
            }
            Processor::Renormalize => {
                // Where every token is impossible, all stay so.
                log_softmax(scores);
            }
            // Those whose condition does not hold at this place of the text.
            Processor::MinLength { .. }
            | Processor::MinNewTokens { .. }
            | Processor::ForcedFirst { .. }
            | Processor::ForcedLast { .. }
            | Processor::Decay { .. } => {}
        }
    }
}

impl Text<'_> {
    fn n_new(&self) -> usize {
        self.ids.len().saturating_sub(self.prompt_len)
    }
}

/// Makes tokens impossible.
fn ban(tokens: &[u32], scores: &mut [f32]) {
    for &token in tokens {
        if let Some(score) = scores.get_mut(token as usize) {
            *score = f32::NEG_INFINITY;
        }
    }
}

/// Makes all other tokens impossible, and these certain.
fn force(tokens: &[u32], scores: &mut [f32]) {
    scores.fill(f32::NEG_INFINITY);
    for &token in tokens {
        if let Some(score) = scores.get_mut(token as usize) {
            *score = 0.0;
        }
    }
}

/// Adds to the scores of tokens that would complete one of `sequences`.
fn add_bias(sequences: &[(Vec<u32>, f32)], ids: &[u32], scores: &mut [f32]) {
    let mut sums = BTreeMap::<u32, f32>::new();
    for (sequence, bias) in sequences {
        if let Some((last, before)) = sequence.split_last()
            && ids.ends_with(before)
        {
            *sums.entry(*last).or_default() += bias;
        }
    }
    for (token, bias) in sums {
        if let Some(score) = scores.get_mut(token as usize) {
            *score += bias;
        }
    }
}

/// Makes tokens that are among `ids` less probable by a penalty above 1: Keskar et al., "CTRL" (2019), section 4.1.
fn penalize(ids: &[u32], penalty: f32, scores: &mut [f32]) {
    let mut unique = ids.to_vec();
    unique.sort_unstable();
    unique.dedup();
    for token in unique {
        if let Some(score) = scores.get_mut(token as usize) {
            *score = if *score < 0.0 { *score * penalty } else { *score / penalty };
        }
    }
}

/// Bans what would make `ids` end in a sequence of `n` tokens that is in `seen`: Paulus et al., "A Deep Reinforced Model for
/// Abstractive Summarization" (2017), section 2.5.
fn ban_repeats(n: usize, seen: &[u32], ids: &[u32], scores: &mut [f32]) {
    let Some(start) = (ids.len() + 1).checked_sub(n) else { return };
    for window in seen.windows(n) {
        let (before, last) = window.split_at(n - 1);
        if before == &ids[start..] {
            ban(last, scores);
        }
    }
}

/// `factor^n - 1`, at most the largest number there is.
fn factor_after(factor: f32, n: usize) -> f32 {
    ((f64::from(factor).powf(n as f64) - 1.0) as f32).min(f32::MAX)
}

/// Adds to the scores of `tokens` their size times `rate`.
fn raise(tokens: &[u32], rate: f32, scores: &mut [f32]) {
    for &token in tokens {
        if let Some(score) = scores.get_mut(token as usize).filter(|score| score.is_finite()) {
            *score = (*score + score.abs() * rate).min(f32::MAX);
        }
    }
}

/// `scores -= ln(sum(exp(scores)))`. Changes nothing and returns false if one is NaN or infinity, or all are minus infinity.
pub(super) fn log_softmax(scores: &mut [f32]) -> bool {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // The maximum passes over a NaN, but its exponential spoils the sum.
    let sum: f64 = scores.iter().map(|x| f64::from((x - max).exp())).sum();
    if !max.is_finite() || !sum.is_finite() {
        return false;
    }
    let log_sum = sum.ln() as f32;
    scores.iter_mut().for_each(|x| *x = *x - max - log_sum);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: f32 = f32::NEG_INFINITY;

    fn applied(options: ProcessOptions, generated: &[u32], prompt_len: usize) -> Vec<f32> {
        let mut scores = [1.0, 2.0, -3.0, 4.0];
        Processors::new(&options, 4).unwrap().apply(generated, prompt_len, &[], &mut scores);
        scores.to_vec()
    }

    #[test]
    fn no_options_are_no_processors() {
        assert!(Processors::new(&ProcessOptions::default(), 4).unwrap().is_empty());
        assert_eq!(applied(ProcessOptions::default(), &[1, 2], 1), [1.0, 2.0, -3.0, 4.0]);
    }

    #[test]
    fn a_word_is_bad_only_after_its_beginning() {
        let options = ProcessOptions { bad_words: vec![vec![1, 2, 3]], ..Default::default() };
        assert_eq!(applied(options.clone(), &[0, 1, 2], 1)[3], NEVER);
        assert_eq!(applied(options, &[0, 2, 2], 1)[3], 4.0);
    }

    #[test]
    fn a_shorter_text_than_an_ngram_is_free() {
        let options = ProcessOptions { no_repeat_ngram_size: usize::MAX, ..Default::default() };
        assert_eq!(applied(options, &[1, 1], 1), [1.0, 2.0, -3.0, 4.0]);
    }

    #[test]
    fn the_first_free_token_comes_after_a_forced_one() {
        let begin_suppress = vec![3];
        let options = ProcessOptions { forced_bos: Some(3), begin_suppress, ..Default::default() };
        assert_eq!(applied(options.clone(), &[0], 1), [NEVER, NEVER, NEVER, 0.0]);
        assert_eq!(applied(options.clone(), &[0, 3], 1), [1.0, 2.0, -3.0, NEVER]);
        assert_eq!(applied(options, &[0, 3, 1], 1)[3], 4.0);
    }

    #[test]
    fn a_decay_beyond_all_numbers_stays_a_number() {
        let exponential_decay_length_penalty = Some((0, 100.0));
        let options =
            ProcessOptions { eos: vec![2, 3], exponential_decay_length_penalty, ..Default::default() };
        assert_eq!(applied(options, &[1; 900], 1)[2..], [f32::MAX, f32::MAX]);
    }
}
