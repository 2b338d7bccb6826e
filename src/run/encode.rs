//! Encoders at work: several texts in one run, each seeing itself alone.

use super::{
    Engine,
    engine::{check_finite, outputs},
};
use crate::{
    backend::Prepared,
    error::{Error, Result},
    model::{POSITIONS, SOURCE_IDS, SPANS, TYPES},
    plan::{Run, Stage},
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
    /// What the head of an encoder-only model puts out for every token of each text: row-major `[ids.len(), n_out]`, in the
    /// order of the texts. Texts that fit one run together are run together; their order and company change nothing.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty text, an id outside the vocabulary, types that do not fit or a model without an encoder;
    /// [`Error::ContextFull`] for a text that is longer than the context; [`Error::NotFinite`] if a number is NaN or infinite.
    pub async fn encode(&mut self, texts: &[Text<'_>]) -> Result<Vec<Vec<f32>>> {
        for text in texts {
            self.check_text(text)?;
        }
        let n_ctx = self.facts().n_ctx;
        let n_out = self.facts().config.n_out();
        let mut all = Vec::with_capacity(texts.len());
        let mut rest = texts;
        while !rest.is_empty() {
            let mut n_rows = 0;
            let fits = |text: &&Text| {
                n_rows += text.ids.len();
                n_rows <= n_ctx
            };
            let (together, later) = rest.split_at(rest.iter().take_while(fits).count());
            let n_rows = together.iter().map(|text| text.ids.len()).sum();
            let prepared = self.run_texts(together).await?;
            let Some(encode) = &self.plans.encode else { return Err(no_encoder()) };
            let output = encode.output()?;
            let mut numbers = outputs(n_rows, n_out)?;
            numbers.extend(self.backend.read_value(prepared, output, 0, n_rows * n_out).await?);
            check_finite(&numbers)?;
            let mut at = 0;
            for text in together {
                let len = text.ids.len() * n_out;
                all.push(numbers[at..at + len].to_vec());
                at += len;
            }
            rest = later;
        }
        Ok(all)
    }

    /// Lets the encoder of an encoder-decoder read a text. The decoder's text begins anew.
    ///
    /// # Errors
    /// As [`Engine::encode`].
    pub async fn read_source(&mut self, ids: &[u32]) -> Result<()> {
        if self.cached.source == ids {
            return Ok(());
        }
        let text = Text { ids, types: None };
        self.check_text(&text)?;
        self.cached.clear();
        self.cached.source.clear();
        self.run_texts(&[text]).await?;
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
                return Err(Error::input("token types", format!("{other} is not one of the model's {n_types}")));
            }
        }
        Ok(())
    }

    /// Runs texts that fit together.
    async fn run_texts(&mut self, texts: &[Text<'_>]) -> Result<Prepared> {
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
        let Engine { plans: super::plans::Plans { encode: Some(encode), .. }, backend, .. } = self else {
            return Err(no_encoder());
        };
        let prepared = encode.prepared(backend.as_mut()).await?;
        backend.write_u32(SOURCE_IDS, 0, &ids)?;
        backend.write_u32(POSITIONS, 0, &positions)?;
        backend.write_u32(SPANS, 0, &spans)?;
        if has_types {
            backend.write_u32(TYPES, 0, &types)?;
        }
        self.backend.run(prepared, &Run::new(0, ids.len()), Stage::Logits)?;
        Ok(prepared)
    }
}

fn no_encoder() -> Error {
    Error::input("model", "it has no encoder")
}
