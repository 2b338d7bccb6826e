//! What people use encoders for, from texts to answers: embeddings, labels, entities, answers, missing words, relevance.

mod answer;
mod classify;
mod fill_mask;
mod tag;

pub use answer::{Answer, AnswerOptions};
pub use classify::Label;
pub use fill_mask::Filling;
pub use tag::{Aggregation, Entity};

use super::{EmbedOptions, Engine, Text};
use crate::{
    error::{Error, Result},
    model::{HeadOutput, Pool},
    text::Encoding,
};

impl Engine {
    /// The tokens of a text, or of a pair of texts, cut to what the model reads at once.
    fn tokens_of(&self, text: &str, second: Option<&str>) -> Result<Encoding> {
        if text.is_empty() && second.is_none() {
            return Err(Error::input("text", "it is empty; give at least one character"));
        }
        let tokens = self.tokenizer()?.encode_truncated(text, second, self.facts().n_ctx)?;
        Ok(self.with_its_types(tokens))
    }

    /// A tokenizer made for BERT tells two texts apart also for its relatives that do not, such as DistilBERT.
    fn with_its_types(&self, mut tokens: Encoding) -> Encoding {
        if self.facts().config.n_token_types < 2 {
            tokens.type_ids.fill(0);
        }
        tokens
    }

    /// Embeddings of texts, in their order: see [`Engine::embed`]. Texts longer than the model reads at once are cut.
    ///
    /// # Errors
    /// As [`Engine::embed`]; [`Error::Tokenizer`] if the vocabulary cannot spell a text.
    pub async fn embed_texts(&mut self, texts: &[&str], options: EmbedOptions) -> Result<Vec<Vec<f32>>> {
        let tokens = self.tokens_of_all(texts)?;
        self.embed(&as_texts(&tokens), options).await
    }

    fn tokens_of_all(&self, texts: &[&str]) -> Result<Vec<Encoding>> {
        texts.iter().map(|text| self.tokens_of(text, None)).collect()
    }

    /// What the head puts out for each text as a whole: `[n_labels]`.
    async fn label_scores(&mut self, tokens: &[Encoding]) -> Result<Vec<Vec<f32>>> {
        let config = &self.facts().config;
        let HeadOutput::Labels(n) = config.head.output else {
            let problem = format!("this {} model has no head that classifies", config.architecture);
            return Err(Error::input("model", problem));
        };
        let pooling = match config.head.pool {
            Pool::Each => return Err(Error::input("model", "its head labels tokens, not texts: use tag")),
            // The mean was taken before the head: its row is that of any token.
            Pool::Mean => Pool::First,
            pooling => pooling,
        };
        let outputs = self.outputs(&as_texts(tokens)).await?;
        outputs.iter().map(|rows| super::pool(rows, n, pooling)).collect()
    }
}

/// As an encoder takes them.
fn as_texts(tokens: &[Encoding]) -> Vec<Text<'_>> {
    tokens.iter().map(|tokens| Text { ids: &tokens.ids, types: Some(&tokens.type_ids) }).collect()
}

/// The parts of one: `exp(x - max) / sum`.
fn softmax(scores: &mut [f32]) {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|score| *score = (*score - max).exp());
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
}

/// The indices of the `k` largest, largest first; of equals the first comes first.
fn largest(scores: &[f32], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    order.truncate(k);
    order
}
