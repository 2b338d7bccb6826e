//! What a caller may ask of one generation, with ranges checked before anything runs.

use std::collections::BTreeMap;

use super::{AdapterUse, MAX_BEAMS, MAX_LOGPROBS, Session, Speculation};
use crate::{
    backend::Precision,
    error::{Error, Result},
    model::{EarlyStopping, GenerationDefaults},
    plan::Sampling,
};

/// Parameters of one generation. The defaults sample plainly from the model's own distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// The most tokens to generate; `None` goes on until the model stops or the context is full.
    pub max_new_tokens: Option<usize>,
    /// 0 always takes the best token.
    pub temperature: f32,
    /// Keep the `k` best tokens; 0 keeps all.
    pub top_k: u32,
    /// Keep the smallest set of best tokens with at least this probability, in (0, 1].
    pub top_p: f32,
    /// Keep tokens at least this probable relative to the best, in [0, 1].
    pub min_p: f32,
    /// Greater than 0; 1 is off.
    pub repetition_penalty: f32,
    /// 0 is off; not for beams.
    pub presence_penalty: f32,
    /// 0 is off; not for beams.
    pub frequency_penalty: f32,
    /// The random stream: the same seed on the same device gives the same text.
    pub seed: u64,
    /// Generation ends before the first of these texts.
    pub stop: Vec<String>,
    /// Go on after the model's own end tokens.
    pub ignore_eos: bool,
    /// Follow so many texts at once and take the most probable; 1 is off. The parameters of sampling do not apply then.
    pub num_beams: usize,
    /// A text's log-probability is divided by its length to this power: above 0 favours long texts (Wu et al. 2016).
    pub length_penalty: f32,
    /// When beam search ends.
    pub early_stopping: EarlyStopping,
    /// No sequence of so many tokens comes twice; 0 is off.
    pub no_repeat_ngram_size: usize,
    /// No end before so many tokens; 0 leaves it to the model's files.
    pub min_new_tokens: usize,
    /// How exact products with quantized weights are; without it as suits the device, see [`Kind::usual_precision`].
    pub precision: Option<Precision>,
    /// Tell of each token how probable it was, and so many of the most probable ones with it: up to [`MAX_LOGPROBS`]; not for
    /// beams.
    pub logprobs: Option<usize>,
    /// Added to the logits of tokens, by their ids: −100 to 100, where −100 and minus infinity ban a token.
    pub logit_bias: BTreeMap<u32, f32>,
    /// Whether the next tokens are guessed from the text, to be checked together. The host's processors, beams and
    /// texts that are written together do without.
    pub speculation: Speculation,
    /// Adapters that shape the text, mixed by their weights.
    pub adapters: Vec<AdapterUse>,
    /// The language of the source, of those in [`super::Engine::languages`]; without it the one that the tokenizer says.
    pub source_language: Option<String>,
    /// The language to write; without it the one that the model's files say.
    pub target_language: Option<String>,
    /// The session that goes on.
    pub session: Option<Session>,
    /// What becomes of a text that fills the context.
    pub when_full: WhenFull,
}

/// What a generation does when the context is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It ends: [`super::FinishReason::Context`].
    #[default]
    Stop,
    /// It forgets the older half of the text but for its first `keep` tokens, and goes on from what a fresh reading of the rest
    /// makes of it. Penalties and lengths count the whole text. Not for beams, nor after an encoder.
    Shift {
        /// Tokens at the beginning that stay: a system message, say.
        keep: usize,
    },
}

impl Default for GenerateOptions {
    fn default() -> Self {
        GenerateOptions {
            max_new_tokens: None,
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            seed: 0,
            stop: Vec::new(),
            ignore_eos: false,
            num_beams: 1,
            length_penalty: 1.0,
            early_stopping: EarlyStopping::Yes,
            no_repeat_ngram_size: 0,
            min_new_tokens: 0,
            precision: None,
            logprobs: None,
            logit_bias: BTreeMap::new(),
            speculation: Speculation::Auto,
            source_language: None,
            target_language: None,
            session: None,
            when_full: WhenFull::Stop,
            adapters: Vec::new(),
        }
    }
}

impl GenerateOptions {
    /// What a model's files ask for, and the plain defaults for what they leave open.
    pub fn of_model(defaults: &GenerationDefaults) -> GenerateOptions {
        let plain = GenerateOptions::default();
        GenerateOptions {
            temperature: match defaults.do_sample {
                Some(false) => 0.0,
                _ => defaults.temperature.unwrap_or(plain.temperature),
            },
            top_k: defaults.top_k.unwrap_or(plain.top_k),
            top_p: defaults.top_p.unwrap_or(plain.top_p),
            min_p: defaults.min_p.unwrap_or(plain.min_p),
            repetition_penalty: defaults.repetition_penalty.unwrap_or(plain.repetition_penalty),
            num_beams: defaults.num_beams.unwrap_or(plain.num_beams),
            length_penalty: defaults.length_penalty.unwrap_or(plain.length_penalty),
            early_stopping: defaults.early_stopping.unwrap_or(match defaults.num_beams {
                // A file that asks for beams and says no more means what transformers does then.
                Some(_) => EarlyStopping::No,
                None => plain.early_stopping,
            }),
            no_repeat_ngram_size: defaults.no_repeat_ngram_size.unwrap_or(plain.no_repeat_ngram_size),
            ..plain
        }
    }

    /// With the longest text that the model's files allow, where the caller set no limit.
    pub(super) fn bounded(mut self, defaults: &GenerationDefaults, n_prompt: usize) -> GenerateOptions {
        let by_length = defaults.max_length.and_then(|max| max.checked_sub(n_prompt)).filter(|n| *n > 0);
        self.max_new_tokens = self.max_new_tokens.or(defaults.max_new_tokens).or(by_length);
        self
    }

    /// # Errors
    /// [`Error::Input`] naming the first parameter that is out of its range.
    pub fn check(&self) -> Result<()> {
        let need = |ok: bool, what: &'static str, found: f32, range: &str| match ok {
            true => Ok(()),
            false => Err(Error::input(what, format!("{found} is not {range}"))),
        };
        // Below the least, a difference of logits divided by it would overflow.
        let t = self.temperature;
        need(t == 0.0 || (1e-5..=100.0).contains(&t), "temperature", t, "0, or between 0.00001 and 100")?;
        need(self.top_p > 0.0 && self.top_p <= 1.0, "top_p", self.top_p, "above 0 and at most 1")?;
        need((0.0..=1.0).contains(&self.min_p), "min_p", self.min_p, "between 0 and 1")?;
        let r = self.repetition_penalty;
        need(r > 0.0 && r <= 100.0, "repetition_penalty", r, "above 0 and at most 100")?;
        for (what, x) in
            [("presence_penalty", self.presence_penalty), ("frequency_penalty", self.frequency_penalty)]
        {
            need((-100.0..=100.0).contains(&x), what, x, "between -100 and 100")?;
            if x != 0.0 && self.num_beams > 1 {
                let n = self.num_beams;
                let problem = format!("it is not applied to beams, of which there are {n}: ask for one");
                return Err(Error::input(what, problem));
            }
        }
        if self.stop.iter().any(String::is_empty) {
            return Err(Error::input("stop", "an empty text would stop at once"));
        }
        let n = self.num_beams;
        if !(1..=MAX_BEAMS).contains(&n) {
            return Err(Error::input("num_beams", format!("{n} is not between 1 and {MAX_BEAMS}")));
        }
        if n > 1 && self.when_full != WhenFull::Stop {
            return Err(Error::input("when_full", "beams cannot be shifted: ask for one"));
        }
        let x = self.length_penalty;
        need((-10.0..=10.0).contains(&x), "length_penalty", x, "between -10 and 10")?;
        for (id, bias) in &self.logit_bias {
            if !((-100.0..=100.0).contains(bias) || *bias == f32::NEG_INFINITY) {
                let problem =
                    format!("{bias} of token {id} is neither between -100 and 100 nor minus infinity");
                return Err(Error::input("logit_bias", problem));
            }
        }
        if let Some(n) = self.logprobs {
            if n > MAX_LOGPROBS {
                return Err(Error::input("logprobs", format!("{n} is more than {MAX_LOGPROBS}")));
            }
            if self.num_beams > 1 {
                let problem = "they are told of tokens that are drawn one by one, not of beams: leave one of the two out";
                return Err(Error::input("logprobs", problem));
            }
        }
        if self.max_new_tokens == Some(0) {
            return Err(Error::input("max_new_tokens", "0 tokens were asked for; ask for at least 1"));
        }
        Ok(())
    }

    /// What is added to the logits of tokens: of those that are banned, minus infinity.
    pub(super) fn biases(&self) -> BTreeMap<u32, f32> {
        let bias = |bias: f32| if bias <= -100.0 { f32::NEG_INFINITY } else { bias };
        self.logit_bias.iter().map(|(id, x)| (*id, bias(*x))).collect()
    }

    /// What the sampler needs of them.
    pub fn sampling(&self) -> Sampling {
        Sampling {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            seed_low: self.seed as u32,
            seed_high: (self.seed >> 32) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range() {
        assert_eq!(GenerateOptions::default().check(), Ok(()));
    }

    #[test]
    fn nan_is_out_of_every_range() {
        let nan = f32::NAN;
        let base = GenerateOptions::default;
        for bad in [
            GenerateOptions { temperature: nan, ..base() },
            GenerateOptions { top_p: nan, ..base() },
            GenerateOptions { min_p: nan, ..base() },
            GenerateOptions { repetition_penalty: nan, ..base() },
            GenerateOptions { presence_penalty: nan, ..base() },
            GenerateOptions { frequency_penalty: nan, ..base() },
        ] {
            assert!(matches!(bad.check(), Err(Error::Input { .. })), "{bad:?}");
        }
    }

    #[test]
    fn an_error_names_the_parameter() {
        let options = GenerateOptions { top_p: 1.5, ..Default::default() };
        assert_eq!(options.check().unwrap_err().to_string(), "top_p: 1.5 is not above 0 and at most 1");
    }
}
