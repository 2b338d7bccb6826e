//! What a caller may ask of one generation, with ranges checked before anything runs.

use crate::{
    error::{Error, Result},
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
    /// 0 is off.
    pub presence_penalty: f32,
    /// 0 is off.
    pub frequency_penalty: f32,
    /// The random stream: the same seed on the same device gives the same text.
    pub seed: u64,
    /// Generation ends before the first of these texts.
    pub stop: Vec<String>,
    /// Go on after the model's own end tokens.
    pub ignore_eos: bool,
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
        }
    }
}

impl GenerateOptions {
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
        }
        if self.stop.iter().any(String::is_empty) {
            return Err(Error::input("stop", "an empty text would stop at once"));
        }
        if self.max_new_tokens == Some(0) {
            return Err(Error::input("max_new_tokens", "0 tokens were asked for; ask for at least 1"));
        }
        Ok(())
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
