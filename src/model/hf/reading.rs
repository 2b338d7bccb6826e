//! From a family's parts to a [`Config`].

use super::{
    Keys, Names, Sizes, Task,
    heads::{EncoderHeads, decoder_head, encoder_head, labels, problem},
};
use crate::{
    error::Result,
    format::{Checkpoint, Folder},
    model::{Config, Head, HeadOutput, Problem, Stack},
};

/// A folder while it is read.
pub(super) struct Reading<'a> {
    pub checkpoint: &'a Checkpoint,
    pub folder: &'a Folder,
    pub keys: &'a Keys<'a>,
    /// `model_type`.
    pub kind: &'a str,
}

/// What a family's reader finds.
pub(super) struct Found<'a> {
    pub config: Config,
    pub names: Names<'a>,
}

/// A decoder-only model while its family changes it.
pub(super) struct Decoder<'a> {
    pub sizes: Sizes,
    pub stack: Stack,
    pub names: Names<'a>,
    /// What it has where it writes text.
    pub head: Head,
    /// What the layer of that head is called.
    pub output: &'static [&'static str],
    /// Whether that layer may be the token embeddings, where the config does not say.
    pub tied: bool,
    /// Width of the token embeddings where it is another than the layers'.
    pub embedding_width: Option<usize>,
}

/// An encoder-only model while its family changes it.
pub(super) struct Encoder<'a> {
    pub sizes: Sizes,
    pub stack: Stack,
    pub names: Names<'a>,
    pub n_token_types: usize,
    pub embedding_width: Option<usize>,
}

impl<'a> Reading<'a> {
    /// The sizes that the config names, else a class's defaults.
    pub fn sizes(&self, defaults: Sizes) -> Result<Sizes> {
        Sizes::read(self.keys, self.checkpoint, defaults)
    }

    /// Names of a model whose token embeddings are called by one of these.
    pub fn names(&self, embeddings: &[&'static str]) -> Names<'a> {
        Names::new(self.checkpoint, embeddings)
    }

    /// What the model is for; `usual` where the folder does not say.
    pub fn task(&self, usual: Task) -> Result<Task> {
        Task::of(self.folder, self.keys, self.checkpoint.tensors.keys(), usual)
    }

    /// A decoder-only model.
    pub fn decoder(&self, sizes: Sizes, stack: Stack, names: Names<'a>) -> Decoder<'a> {
        let output = &["lm_head"];
        Decoder { sizes, stack, names, head: Head::LANGUAGE, output, tied: false, embedding_width: None }
    }

    /// A model of these parts.
    pub fn config(
        &self,
        sizes: &Sizes,
        encoder: Option<Stack>,
        decoder: Option<Stack>,
        head: Head,
    ) -> Result<Config> {
        let labels =
            if matches!(head.output, HeadOutput::Labels(_)) { labels(self.keys)? } else { Vec::new() };
        Ok(Config {
            architecture: self.kind.to_owned(),
            n_vocab: sizes.n_vocab,
            n_ctx_train: sizes.n_ctx,
            encoder,
            decoder,
            problem: problem(self.keys, &head)?,
            head,
            n_token_types: 0,
            embedding_width: None,
            dense: Vec::new(),
            normalized_embeddings: ends_normalized(&self.folder.modules),
            labels,
        })
    }
}

impl<'a> Decoder<'a> {
    /// The whole model, with the head that the folder's class asks for.
    pub fn found(mut self, r: &Reading<'a>) -> Result<Found<'a>> {
        let task = r.task(Task::Language)?;
        if task == Task::Language {
            self.names.output(r.keys.flag("tie_word_embeddings", self.tied)?, self.output);
        }
        let head = decoder_head(task, self.head, r.keys, r.folder, &mut self.names)?;
        let mut config = r.config(&self.sizes, None, Some(self.stack), head)?;
        config.embedding_width = self.embedding_width;
        Ok(Found { config, names: self.names })
    }
}

impl<'a> Encoder<'a> {
    /// The whole model, with the head that the folder's class asks for; `change` may adapt it to the family.
    ///
    /// # Errors
    /// As [`encoder_head`], and those of `change`.
    pub fn found(
        mut self,
        r: &Reading<'a>,
        heads: EncoderHeads,
        change: impl FnOnce(Task, &mut Head, &mut Names<'a>) -> Result<()>,
    ) -> Result<Found<'a>> {
        let task = r.task(Task::Hidden)?;
        let mut head = encoder_head(task, heads, r.keys, r.folder, &mut self.names)?;
        change(task, &mut head, &mut self.names)?;
        let config = r.config(&self.sizes, Some(self.stack), None, head)?;
        let mut config =
            Config { n_token_types: self.n_token_types, embedding_width: self.embedding_width, ..config };
        if task == Task::Replaced {
            config.labels = vec!["replaced".to_owned()];
            config.problem = Problem::AnyOf;
        }
        Ok(Found { config, names: self.names })
    }
}

/// Whether sentence-transformers' modules give embeddings the length 1.
fn ends_normalized(modules: &serde_json::Value) -> bool {
    let mut kinds = modules.as_array().into_iter().flatten().filter_map(|module| module["type"].as_str());
    kinds.next_back().is_some_and(|kind| kind.ends_with("Normalize"))
}
