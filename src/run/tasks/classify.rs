//! Labels of texts, and how relevant or good they are.

use super::{largest, softmax};
use crate::{
    error::{Error, Result},
    model::{HeadOutput, Problem},
    run::Engine,
};

/// A label of a text.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Label {
    /// Its name in the model's files, else its number.
    pub label: String,
    /// Its probability; of a regression the number itself.
    pub score: f32,
}

impl Engine {
    /// The `top_k` best labels of each text, best first.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty text and for a model that does not classify texts; those of the device.
    pub async fn classify(&mut self, texts: &[&str], top_k: usize) -> Result<Vec<Vec<Label>>> {
        let tokens = self.tokens_of_all(texts)?;
        let rows = self.label_scores(&tokens).await?;
        let config = &self.facts().config;
        let labels = |mut row: Vec<f32>| {
            match config.problem {
                Problem::OneOf => softmax(&mut row),
                Problem::AnyOf => row.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp())),
                Problem::Regression => {}
            }
            let label = |i: usize| Label { label: label_name(&config.labels, i), score: row[i] };
            largest(&row, top_k).into_iter().map(label).collect()
        };
        Ok(rows.into_iter().map(labels).collect())
    }

    /// How well each text goes with the query, by a cross-encoder or a reward model: the raw output of its one label.
    ///
    /// # Errors
    /// As [`Engine::classify`]; [`Error::Input`] for a model with another number of labels.
    pub async fn score(&mut self, query: &str, texts: &[&str]) -> Result<Vec<f32>> {
        if let HeadOutput::Labels(n) = self.facts().config.head.output
            && n != 1
        {
            let problem = format!("its head has {n} labels, a score needs one: use classify");
            return Err(Error::input("model", problem));
        }
        let tokens =
            texts.iter().map(|text| self.tokens_of(query, Some(text))).collect::<Result<Vec<_>>>()?;
        Ok(self.label_scores(&tokens).await?.into_iter().flatten().collect())
    }
}

/// The name of label `i`.
pub(super) fn label_name(labels: &[String], i: usize) -> String {
    labels.get(i).cloned().unwrap_or_else(|| i.to_string())
}
