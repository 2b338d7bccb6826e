//! Entities of a text: labels of tokens, gathered to spans.

use super::{as_texts, classify::label_name, largest, softmax};
use crate::{
    error::{Error, Result},
    model::{HeadOutput, Pool},
    run::Engine,
    text::Encoding,
};

/// How the labels of tokens become entities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aggregation {
    /// Each token by itself.
    None,
    /// Neighbours of one kind together; a `B-` begins anew.
    #[default]
    Simple,
    /// As `Simple`, with each word having the label of its first token.
    First,
}

/// A part of a text with a label.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Entity {
    /// The label, without `B-` or `I-` where tokens were gathered.
    pub entity: String,
    /// Its probability: of gathered tokens the mean.
    pub score: f32,
    /// The text.
    pub text: String,
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends, in bytes.
    pub end: usize,
}

/// What the model says of one token.
struct Tagged {
    label: String,
    score: f32,
    start: usize,
    end: usize,
}

impl Engine {
    /// The entities in a text, in its order; what is outside of all (`O`) is left out, but where every token is told by
    /// itself. The text's length is what the model reads at once; what is longer is cut.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty text and for a model that does not label tokens; those of the device.
    pub async fn tag(&mut self, text: &str, how: Aggregation) -> Result<Vec<Entity>> {
        let head = &self.facts().config.head;
        let (HeadOutput::Labels(n), Pool::Each) = (head.output, head.pool) else {
            return Err(Error::input("model", "its head does not label tokens"));
        };
        let tokens = self.tokens_of(text, None)?;
        let rows = self.outputs(&as_texts(std::slice::from_ref(&tokens))).await?.concat();
        let labels = self.facts().config.labels.clone();
        let tagged = tagged(&tokens, &rows, n, &labels, how);
        let entities = match how {
            Aggregation::None => {
                tagged.iter().map(|token| entity(text, &token.label, std::slice::from_ref(token))).collect()
            }
            Aggregation::Simple | Aggregation::First => gathered(text, tagged),
        };
        Ok(entities)
    }
}

/// The best label of each of the text's own tokens, or of each word by its first token.
fn tagged(tokens: &Encoding, rows: &[f32], n: usize, labels: &[String], how: Aggregation) -> Vec<Tagged> {
    let mut all: Vec<Tagged> = Vec::new();
    let mut last_word = None;
    for (i, row) in rows.chunks_exact(n).enumerate() {
        let ((start, end), word) = (tokens.offsets[i], tokens.words[i]);
        if tokens.sequences[i].is_none() {
            continue;
        }
        if how == Aggregation::First && word == last_word {
            if let Some(first) = all.last_mut() {
                first.end = end;
            }
            continue;
        }
        last_word = word;
        let mut row = row.to_vec();
        softmax(&mut row);
        let best = largest(&row, 1)[0];
        all.push(Tagged { label: label_name(labels, best), score: row[best], start, end });
    }
    all
}

/// `B-PER` and `I-PER` are `PER`, the first of which begins anew.
fn split(label: &str) -> (bool, &str) {
    match label.split_at_checked(2) {
        Some(("B-", kind)) => (true, kind),
        Some(("I-", kind)) => (false, kind),
        _ => (false, label),
    }
}

fn gathered(text: &str, tagged: Vec<Tagged>) -> Vec<Entity> {
    let mut groups: Vec<Vec<Tagged>> = Vec::new();
    for token in tagged {
        let (begins, kind) = split(&token.label);
        match groups.last_mut() {
            Some(group) if !begins && split(&group[0].label).1 == kind => group.push(token),
            _ => groups.push(vec![token]),
        }
    }
    let kinds = groups.iter().map(|group| (split(&group[0].label).1, group));
    kinds.filter(|(kind, _)| *kind != "O").map(|(kind, group)| entity(text, kind, group)).collect()
}

/// One entity of the tokens of a group.
fn entity(text: &str, label: &str, group: &[Tagged]) -> Entity {
    let (start, end) = (group[0].start, group[group.len() - 1].end);
    Entity {
        entity: label.to_owned(),
        score: group.iter().map(|token| token.score).sum::<f32>() / group.len() as f32,
        text: text.get(start..end).unwrap_or_default().to_owned(),
        start,
        end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(label: &str, start: usize, end: usize) -> Tagged {
        Tagged { label: label.into(), score: 0.5, start, end }
    }

    #[test]
    fn neighbours_of_one_kind_are_one_entity_and_b_begins_anew() {
        let text = "Ada Lovelace met Bob Ann";
        let tokens = vec![
            token("B-PER", 0, 3),
            token("I-PER", 4, 12),
            token("O", 13, 16),
            token("B-PER", 17, 20),
            token("B-PER", 21, 24),
        ];
        let found: Vec<_> = gathered(text, tokens).into_iter().map(|e| (e.entity, e.text)).collect();
        let expected = [("PER", "Ada Lovelace"), ("PER", "Bob"), ("PER", "Ann")];
        assert_eq!(found, expected.map(|(kind, text)| (kind.to_owned(), text.to_owned())));
    }
}
