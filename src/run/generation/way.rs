//! How the tokens of a generation are chosen: what the caller and the model's files ask for decides.

use super::{Beams, Host, Masked};
use crate::{
    error::Result,
    model::GenerationDefaults,
    plan::Run,
    run::{BeamOptions, BeamSearch, Engine, GenerateOptions, ProcessOptions, Processors, Slots},
};

/// Who chooses tokens, and how.
pub(super) enum Way {
    /// The device draws them.
    Device,
    /// The device draws them from those that may come.
    Masked(Masked),
    /// The host draws them.
    Host(Host),
    /// The host follows several texts to find the most probable.
    Beams(Beams),
}

impl Way {
    /// The way of a generation that goes on from `prompt`; `source` is what an encoder reads, `forced_bos` the first token
    /// of its answer, `is_held` whether the text is held to a structure.
    ///
    /// # Errors
    /// As [`Processors::new`] and [`BeamSearch::new`].
    pub fn of(
        engine: &Engine,
        prompt: &[u32],
        source: Option<&[u32]>,
        forced_bos: Option<u32>,
        options: &GenerateOptions,
        is_held: bool,
    ) -> Result<Way> {
        let (defaults, n_ctx) = (engine.defaults(), engine.facts().n_ctx);
        let n_vocab = engine.facts().config.n_vocab;
        let eos = if options.ignore_eos { Vec::new() } else { engine.ends() };
        let max_length = options.max_new_tokens.map(|n| n.saturating_add(prompt.len()));
        let mut wanted = process_options(defaults, options, &eos, max_length);
        if is_held {
            // The structure says when a text ends, not the model's files.
            let min_new_tokens = Some(options.min_new_tokens).filter(|n| *n > 0);
            wanted = ProcessOptions { min_length: 0, min_new_tokens, forced_eos: Vec::new(), ..wanted };
        }
        let beams = options.num_beams > 1;
        let logit_bias = options.biases();
        if !beams && options.logprobs.is_none() && Processors::new(&wanted, n_vocab)?.is_empty() {
            Processors::new(&ProcessOptions { logit_bias: logit_bias.clone(), ..wanted }, n_vocab)?;
            return Ok(match is_held || !logit_bias.is_empty() {
                true => Way::Masked(Masked::new(logit_bias, n_vocab)),
                false => Way::Device,
            });
        }
        // The device's sampler has these two. Beside other processors the repetition's place among them counts; and what an
        // encoder-decoder's text begins with is given to the device, not processed.
        let repetition_penalty = options.repetition_penalty;
        let forced_bos = forced_bos.filter(|_| !is_held);
        let wanted = ProcessOptions { logit_bias, repetition_penalty, forced_bos, ..wanted };
        let processors = Processors::new(&wanted, n_vocab)?;
        let source = source.unwrap_or(prompt).to_vec();
        if !beams {
            let counts = counts(prompt, n_vocab);
            return Ok(Way::Host(Host { processors, source, counts, unseen: None }));
        }
        let n_virtual = engine.adapters.n_virtual();
        let room = n_ctx - n_virtual;
        let max_length = max_length.unwrap_or(room).min(room);
        let options = BeamOptions {
            length_penalty: options.length_penalty,
            early_stopping: options.early_stopping,
            ..BeamOptions::new(options.num_beams, max_length, eos)
        };
        let search = BeamSearch::new(options, processors, prompt, &source)?;
        Ok(Way::Beams(Beams { search, slots: Slots::new(n_ctx, n_virtual + prompt.len())?, length: 0 }))
    }
}

/// What the processors are asked for. Every field of the model's wishes is named, so that none is forgotten.
fn process_options(
    defaults: &GenerationDefaults,
    options: &GenerateOptions,
    eos: &[u32],
    max_length: Option<usize>,
) -> ProcessOptions {
    let GenerationDefaults {
        min_length,
        min_new_tokens,
        suppress,
        begin_suppress,
        bad_words,
        sequence_bias,
        encoder_repetition_penalty,
        encoder_no_repeat_ngram_size,
        exponential_decay_length_penalty,
        renormalize_logits,
        forced_eos,
        // The first token and its like: the caller of this and `Generation::start`.
        eos: _,
        bos: _,
        decoder_start: _,
        forced_bos: _,
        not_run: _,
        // Texts are not filled up.
        pad: _,
        // In the options already: `GenerateOptions::of_model` and `bounded`.
        max_length: _,
        max_new_tokens: _,
        do_sample: _,
        temperature: _,
        top_k: _,
        top_p: _,
        min_p: _,
        repetition_penalty: _,
        num_beams: _,
        length_penalty: _,
        early_stopping: _,
        no_repeat_ngram_size: _,
    } = defaults.clone();
    ProcessOptions {
        eos: eos.to_vec(),
        logit_bias: Default::default(),
        sequence_bias,
        encoder_repetition_penalty: encoder_repetition_penalty.unwrap_or(1.0),
        repetition_penalty: 1.0,
        no_repeat_ngram_size: options.no_repeat_ngram_size,
        encoder_no_repeat_ngram_size: encoder_no_repeat_ngram_size.unwrap_or(0),
        bad_words,
        min_length: min_length.unwrap_or(0),
        min_new_tokens: Some(options.min_new_tokens).filter(|n| *n > 0).or(min_new_tokens),
        forced_bos: None,
        forced_eos: forced_eos.filter(|_| max_length.is_some()).into_iter().collect(),
        max_length,
        exponential_decay_length_penalty,
        suppress,
        begin_suppress,
        renormalize_logits,
    }
}

/// See [`crate::plan::Op::Penalize`].
pub(super) fn counts(prompt: &[u32], n_vocab: usize) -> Vec<u32> {
    let mut counts = vec![0; n_vocab];
    prompt.iter().for_each(|id| counts[*id as usize] = Run::IN_PROMPT);
    counts
}
