//! Encoders at work: several texts in one run, each seeing itself alone.

use super::{
    EmbedOptions, Engine, normalize, pool,
    scores::{check_finite, outputs},
};
use crate::{
    backend::Prepared,
    error::{Error, Result},
    model::{HeadOutput, POSITIONS, Pool, SOURCE_IDS, SPANS, TYPES},
    plan::{Run, Stage, Value},
};

/// A text as an encoder takes it.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// Token ids.
    pub ids: &'a [u32],
    /// Each token's segment; none stands for zeros.
    pub types: Option<&'a [u32]>,
}

impl Engine {
    /// What the model's head puts out for every token of each text: row-major `[ids.len(), n_out]`, in the order of the texts.
    /// An encoder's texts that fit one run together are run together; their order and company change nothing.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty text, an id outside the vocabulary, types that do not fit or an encoder-decoder;
    /// [`Error::ContextFull`] for a text that is longer than the context; [`Error::NotFinite`] if a number is NaN or infinite.
    pub async fn outputs(&mut self, texts: &[Text<'_>]) -> Result<Vec<Vec<f32>>> {
        self.read_texts(texts, false).await
    }

    /// The last hidden states of each text: row-major `[ids.len(), n_embd]`.
    ///
    /// # Errors
    /// As [`Engine::outputs`].
    pub async fn hidden_states(&mut self, texts: &[Text<'_>]) -> Result<Vec<Vec<f32>>> {
        self.read_texts(texts, true).await
    }

    /// An embedding of each text: `[n_embd]`, or as many numbers as the options ask for.
    ///
    /// # Errors
    /// As [`Engine::outputs`]; [`Error::Input`] for more dimensions than there are.
    pub async fn embed(&mut self, texts: &[Text<'_>], options: EmbedOptions) -> Result<Vec<Vec<f32>>> {
        let config = &self.facts().config;
        let (width, n_embedding) = (config.last_stack().n_embd, config.n_embedding());
        let usual = if config.encoder.is_some() { Pool::Mean } else { Pool::Last };
        // A classifier's way to choose its row says nothing about embeddings.
        let own = Some(config.head.pool).filter(|_| config.head.output == HeadOutput::Hidden);
        let pooling = options.pooling.or(own.filter(|pool| *pool != Pool::Each)).unwrap_or(usual);
        let n = options.dimensions.unwrap_or(n_embedding);
        if !(1..=n_embedding).contains(&n) {
            return Err(Error::input(
                "dimensions",
                format!("{n} is not between 1 and the model's {n_embedding}"),
            ));
        }
        let mut embeddings = Vec::with_capacity(texts.len());
        for states in self.hidden_states(texts).await? {
            let mut row = pool(&states, width, pooling)?;
            for layer in &self.dense {
                row = layer.apply(&row);
            }
            row.truncate(n);
            if options.normalize.unwrap_or(self.facts().config.normalized_embeddings) {
                normalize(&mut row);
            }
            embeddings.push(row);
        }
        Ok(embeddings)
    }

    async fn read_texts(&mut self, texts: &[Text<'_>], hidden: bool) -> Result<Vec<Vec<f32>>> {
        for text in texts {
            self.check_text(text)?;
        }
        self.compute_as_chosen()?;
        let mut all = Vec::with_capacity(texts.len());
        let config = &self.facts().config;
        let classifies = matches!(config.head.output, HeadOutput::Labels(_));
        match (&config.encoder, &config.decoder) {
            (Some(_), Some(_)) if classifies && !hidden => {
                for text in texts {
                    self.read_source(text.ids).await?;
                    // The decoder reads the same text, one place later.
                    let mut shifted = text.ids.to_vec();
                    shifted.rotate_right(1);
                    shifted[0] = self.defaults().decoder_start.unwrap_or(0);
                    all.push(self.decode_all(&shifted, false).await?);
                }
            }
            (Some(_), Some(_)) => {
                return Err(Error::input("model", "an encoder-decoder has no outputs of one text alone"));
            }
            (None, _) => {
                for text in texts {
                    all.push(self.decode_all(text.ids, hidden).await?);
                }
            }
            (Some(_), None) => {
                let n_ctx = self.facts().n_ctx;
                let mut rest = texts;
                while !rest.is_empty() {
                    let mut n_rows = 0;
                    let fits = |text: &&Text| {
                        n_rows += text.ids.len();
                        n_rows <= n_ctx
                    };
                    let (together, later) = rest.split_at(rest.iter().take_while(fits).count());
                    self.encode_together(together, hidden, &mut all).await?;
                    rest = later;
                }
            }
        }
        Ok(all)
    }

    async fn encode_together(
        &mut self,
        texts: &[Text<'_>],
        hidden: bool,
        all: &mut Vec<Vec<f32>>,
    ) -> Result<()> {
        let n_rows = texts.iter().map(|text| text.ids.len()).sum();
        let (prepared, output) = self.run_texts(texts, hidden).await?;
        let (output, n_out) = output.ok_or_else(no_encoder)?;
        let mut numbers = outputs(n_rows, n_out)?;
        numbers.extend(self.backend.read_value(prepared, output, 0, n_rows * n_out).await?);
        check_finite(&numbers)?;
        let mut rest = &numbers[..];
        for text in texts {
            let (own, others) = rest.split_at(text.ids.len() * n_out);
            all.push(own.to_vec());
            rest = others;
        }
        Ok(())
    }

    /// Lets the encoder of an encoder-decoder read a text. The decoder's text begins anew.
    ///
    /// # Errors
    /// As [`Engine::outputs`].
    pub async fn read_source(&mut self, ids: &[u32]) -> Result<()> {
        self.compute_as_chosen()?;
        if self.cached.source != ids {
            self.latest += 1; // a generation that was running cannot go on
        }
        self.let_encoder_read(ids).await
    }

    /// As [`Engine::read_source`], as exactly as the device was told last.
    pub(super) async fn let_encoder_read(&mut self, ids: &[u32]) -> Result<()> {
        if self.cached.source == ids {
            return Ok(());
        }
        let text = Text { ids, types: None };
        self.check_text(&text)?;
        self.cached.clear();
        self.cached.source.clear();
        self.run_texts(&[text], false).await?;
        self.cached.source = ids.to_vec();
        Ok(())
    }

    fn check_text(&self, text: &Text) -> Result<()> {
        self.check_ids(text.ids)?;
        let n_types = self.facts().config.n_token_types;
        if let Some(types) = text.types {
            if types.len() != text.ids.len() {
                let problem = format!("{} types for {} tokens", types.len(), text.ids.len());
                return Err(Error::input("token types", problem));
            }
            if let Some(other) = types.iter().find(|t| **t as usize >= n_types.max(1)) {
                return Err(Error::input(
                    "token types",
                    format!("{other} is not one of the model's {n_types}"),
                ));
            }
        }
        Ok(())
    }

    /// Runs texts that fit together; gives the plan, and its output and the numbers in a row of it if it has one.
    async fn run_texts(
        &mut self,
        texts: &[Text<'_>],
        hidden: bool,
    ) -> Result<(Prepared, Option<(Value, usize)>)> {
        let config = &self.facts().config;
        let stack = config.encoder.as_ref().ok_or_else(no_encoder)?;
        let offset = stack.positions.map_or(0, |table| table.offset) as u32;
        let has_types = config.n_token_types > 0;
        let (mut ids, mut positions, mut spans, mut types) = (vec![], vec![], vec![], vec![]);
        for text in texts {
            let (first, n) = (ids.len() as u32, text.ids.len() as u32);
            ids.extend_from_slice(text.ids);
            positions.extend(offset..offset + n);
            spans.extend((0..n).flat_map(|_| [first, first + n]));
            match text.types {
                Some(given) => types.extend_from_slice(given),
                None => types.resize(ids.len(), 0),
            }
        }
        let Engine { plans, backend, .. } = self;
        let plan = if hidden && plans.hidden.is_some() { &mut plans.hidden } else { &mut plans.encode };
        let plan = plan.as_mut().ok_or_else(no_encoder)?;
        let prepared = plan.prepared(backend.as_mut()).await?;
        let output = plan.output().ok().map(|output| (output, plan.plan[output].cols));
        backend.write_u32(SOURCE_IDS, 0, &ids)?;
        backend.write_u32(POSITIONS, 0, &positions)?;
        backend.write_u32(SPANS, 0, &spans)?;
        if has_types {
            backend.write_u32(TYPES, 0, &types)?;
        }
        self.backend.run(prepared, &Run::new(0, ids.len()), Stage::Logits)?;
        Ok((prepared, output))
    }
}

fn no_encoder() -> Error {
    Error::input("model", "it has no encoder")
}
