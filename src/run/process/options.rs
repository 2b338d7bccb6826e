//! What a caller or a model's files may ask of the processors, with ranges checked before anything runs.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// What to change about scores. The defaults change nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessOptions {
    /// Tokens that end a text.
    pub eos: Vec<u32>,
    /// Added to the score of each of these tokens, wherever it stands.
    pub logit_bias: BTreeMap<u32, f32>,
    /// Added to the score of a sequence's last token where the text ends in the tokens before it.
    pub sequence_bias: Vec<(Vec<u32>, f32)>,
    /// Above 1 favours tokens of the source, below 1 shuns them; 1 is off.
    pub encoder_repetition_penalty: f32,
    /// Above 1 shuns tokens of the text, its prompt included; 1 is off. Where the device draws, its sampler has its own.
    pub repetition_penalty: f32,
    /// No sequence of so many tokens comes twice; 0 is off.
    pub no_repeat_ngram_size: usize,
    /// No sequence of so many tokens comes that is in the source; 0 is off.
    pub encoder_no_repeat_ngram_size: usize,
    /// Sequences that never come.
    pub bad_words: Vec<Vec<u32>>,
    /// No end before the text has so many tokens, its prompt included.
    pub min_length: usize,
    /// No end before so many new tokens; takes the place of `min_length`.
    pub min_new_tokens: Option<usize>,
    /// The token after a prompt of one token, the decoder's start.
    pub forced_bos: Option<u32>,
    /// The last token, any of these, of a text that reaches `max_length`.
    pub forced_eos: Vec<u32>,
    /// The most tokens of a text, its prompt included.
    pub max_length: Option<usize>,
    /// `(start, factor)`: after `start` new tokens the end's score rises by its size times `factor^n - 1`, `n` tokens later.
    pub exponential_decay_length_penalty: Option<(usize, f32)>,
    /// Tokens that never come.
    pub suppress: Vec<u32>,
    /// Tokens that do not come first.
    pub begin_suppress: Vec<u32>,
    /// Scores become log-probabilities again at the end, which weighs beams against each other in another way.
    pub renormalize_logits: bool,
}

impl Default for ProcessOptions {
    fn default() -> Self {
        ProcessOptions {
            eos: Vec::new(),
            logit_bias: BTreeMap::new(),
            sequence_bias: Vec::new(),
            encoder_repetition_penalty: 1.0,
            repetition_penalty: 1.0,
            no_repeat_ngram_size: 0,
            encoder_no_repeat_ngram_size: 0,
            bad_words: Vec::new(),
            min_length: 0,
            min_new_tokens: None,
            forced_bos: None,
            forced_eos: Vec::new(),
            max_length: None,
            exponential_decay_length_penalty: None,
            suppress: Vec::new(),
            begin_suppress: Vec::new(),
            renormalize_logits: false,
        }
    }
}

impl ProcessOptions {
    /// # Errors
    /// As [`super::Processors::new`].
    pub(super) fn check(&self, n_vocab: usize) -> Result<()> {
        if n_vocab == 0 {
            return Err(Error::input("vocabulary", "it is empty"));
        }
        let penalties = [
            ("encoder_repetition_penalty", self.encoder_repetition_penalty),
            ("repetition_penalty", self.repetition_penalty),
            ("exponential_decay_length_penalty", self.exponential_decay_length_penalty.map_or(1.0, |x| x.1)),
        ];
        for (what, penalty) in penalties {
            if !(penalty > 0.0 && penalty <= 100.0) {
                return Err(Error::input(what, format!("{penalty} is not above 0 and at most 100")));
            }
        }

        let bias = self.logit_bias.values().map(|bias| ("logit_bias", *bias));
        for (what, bias) in bias.chain(self.sequence_bias.iter().map(|(_, bias)| ("sequence_bias", *bias))) {
            if bias.is_nan() || bias == f32::INFINITY {
                return Err(Error::input(what, format!("{bias} is neither a number nor minus infinity")));
            }
        }

        let sequences = self.sequence_bias.iter().map(|(ids, _)| ("sequence_bias", ids));
        let sequences = sequences.chain(self.bad_words.iter().map(|ids| ("bad_words_ids", ids)));
        for (what, ids) in sequences.clone() {
            if ids.is_empty() {
                return Err(Error::input(what, "a sequence without tokens"));
            }
        }
        let forced = [
            ("forced_bos_token_id", self.forced_bos.as_slice()),
            ("forced_eos_token_id", self.forced_eos.as_slice()),
        ];
        let named = sequences.flat_map(|(what, ids)| ids.iter().map(move |id| (what, *id)));
        let named = named.chain(self.logit_bias.keys().map(|id| ("logit_bias", *id)));
        let named = named.chain(forced.iter().flat_map(|(what, ids)| ids.iter().map(move |id| (*what, *id))));
        for (what, id) in named {
            if id as usize >= n_vocab {
                let problem = format!("token {id} is not in the vocabulary of {n_vocab}");
                return Err(Error::input(what, problem));
            }
        }
        for (what, ids) in forced {
            if !ids.is_empty() && ids.iter().all(|id| self.suppress.contains(id)) {
                return Err(Error::input(what, "suppress_tokens forbids every token that is to be forced"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        let base = ProcessOptions::default;
        let refused = [
            (ProcessOptions { forced_bos: Some(4), ..base() }, "forced_bos_token_id: token 4"),
            (ProcessOptions { bad_words: vec![vec![1], vec![]], ..base() }, "bad_words_ids: a sequence"),
            (ProcessOptions { bad_words: vec![vec![1, 9]], ..base() }, "bad_words_ids: token 9"),
            (ProcessOptions { logit_bias: [(1, f32::NAN)].into(), ..base() }, "logit_bias: NaN"),
            (ProcessOptions { logit_bias: [(7, 1.0)].into(), ..base() }, "logit_bias: token 7"),
            (ProcessOptions { repetition_penalty: 0.0, ..base() }, "repetition_penalty: 0"),
            (
                ProcessOptions { forced_eos: vec![1], suppress: vec![1], ..base() },
                "forced_eos_token_id: suppress_tokens",
            ),
        ];
        for (options, begins) in refused {
            let error = options.check(4).unwrap_err().to_string();
            assert!(error.starts_with(begins), "{error}");
        }
    }
}
