//! Missing words: what a masked language model puts in their place.

use super::{as_texts, largest, softmax};
use crate::{
    error::{Error, Result},
    model::HeadOutput,
    run::Engine,
};

/// A token for a gap.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Filling {
    /// Its id.
    pub id: u32,
    /// Its own text.
    pub token: String,
    /// Its probability.
    pub score: f32,
    /// The text with it in the gap; where there are several gaps the others stay.
    pub text: String,
}

impl Engine {
    /// The `top_k` best tokens for each mask in the text, best first, in the order of the masks.
    ///
    /// # Errors
    /// [`Error::Input`] for a text without a mask or a model that fills none; those of the device.
    pub async fn fill_mask(&mut self, text: &str, top_k: usize) -> Result<Vec<Vec<Filling>>> {
        let config = &self.facts().config;
        if config.head.output != HeadOutput::Vocabulary || config.decoder.is_some() {
            return Err(Error::input("model", "its head does not fill masks"));
        }
        let n_vocab = config.n_vocab;
        let tokenizer = self.tokenizer()?;
        let mask =
            tokenizer.mask().ok_or_else(|| Error::input("model", "its tokenizer has no mask token"))?;
        let tokens = self.tokens_of(text, None)?;
        let places: Vec<usize> = (0..tokens.len()).filter(|i| tokens.ids[*i] == mask).collect();
        if places.is_empty() {
            let problem = format!("it has no {}", tokenizer.piece(mask)?);
            return Err(Error::input("text", problem));
        }
        let rows = self.outputs(&as_texts(std::slice::from_ref(&tokens))).await?.concat();
        let tokenizer = self.tokenizer()?;
        let filling = |place: usize| -> Result<Vec<Filling>> {
            let mut row = rows[place * n_vocab..][..n_vocab].to_vec();
            softmax(&mut row);
            // Tables are often padded; what the tokenizer does not know has no text.
            let known = &row[..n_vocab.min(tokenizer.vocab_size())];
            let filled = |i: usize| -> Result<Filling> {
                let mut ids = tokens.ids.clone();
                ids[place] = i as u32;
                let own: Vec<u32> = ids
                    .iter()
                    .zip(&tokens.sequences)
                    .filter(|(_, of)| of.is_some())
                    .map(|(id, _)| *id)
                    .collect();
                let token = tokenizer.decode(&[i as u32], false)?;
                Ok(Filling { id: i as u32, token, score: row[i], text: tokenizer.decode(&own, false)? })
            };
            largest(known, top_k).into_iter().map(filled).collect()
        };
        places.into_iter().map(filling).collect()
    }
}
