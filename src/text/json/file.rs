//! The parts of a `tokenizer.json` as they stand in it. The vocabulary and the merges, which are most of it, go
//! straight into packed lists: as a tree of values they would take some twenty times their length.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::format::StringArray;

/// The whole file, but for what only matters to batches (`truncation`, `padding`).
#[derive(Deserialize)]
pub(super) struct File {
    pub version: Option<String>,
    #[serde(default)]
    pub added_tokens: Vec<Added>,
    #[serde(default)]
    pub normalizer: Value,
    #[serde(default)]
    pub pre_tokenizer: Value,
    #[serde(default)]
    pub post_processor: Value,
    #[serde(default)]
    pub decoder: Value,
    pub model: ModelPart,
}

/// An added token; its id follows from its place among the others.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Added {
    pub content: String,
    #[serde(default)]
    pub single_word: bool,
    #[serde(default)]
    pub lstrip: bool,
    #[serde(default)]
    pub rstrip: bool,
    #[serde(default)]
    pub normalized: bool,
    #[serde(default)]
    pub special: bool,
}

/// The model.
#[derive(Default)]
pub(super) struct ModelPart {
    pub vocab: Option<VocabPart>,
    pub merges: Option<Pairs>,
    /// Everything else.
    pub options: Map<String, Value>,
}

/// A vocabulary, in the file's order.
pub(super) enum VocabPart {
    /// Texts with their ids.
    Ids(StringArray, Vec<u32>),
    /// Texts with their scores; their ids are their places.
    Scores(StringArray, Vec<f64>),
}

/// Left and right sides in turn.
#[derive(Default)]
pub(super) struct Pairs(pub StringArray);

impl<'de> Deserialize<'de> for ModelPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Model;
        impl<'de> Visitor<'de> for Model {
            type Value = ModelPart;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a model")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ModelPart, A::Error> {
                let mut model = ModelPart::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "vocab" => model.vocab = Some(map.next_value()?),
                        "merges" => model.merges = map.next_value()?,
                        _ => _ = model.options.insert(key, map.next_value()?),
                    }
                }
                Ok(model)
            }
        }
        deserializer.deserialize_map(Model)
    }
}

impl<'de> Deserialize<'de> for VocabPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Vocab;
        impl<'de> Visitor<'de> for Vocab {
            type Value = VocabPart;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a vocabulary: an object of ids or a list of scores")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<VocabPart, A::Error> {
                let (mut texts, mut ids) = (StringArray::default(), Vec::new());
                while map.next_key_seed(Push(&mut texts))?.is_some() {
                    ids.push(map.next_value()?);
                }
                Ok(VocabPart::Ids(texts, ids))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<VocabPart, A::Error> {
                let (mut texts, mut scores) = (StringArray::default(), Vec::new());
                while let Some(score) = list.next_element_seed(Scored(&mut texts))? {
                    scores.push(score);
                }
                Ok(VocabPart::Scores(texts, scores))
            }
        }
        deserializer.deserialize_any(Vocab)
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list of merges")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Pairs, A::Error> {
                let mut texts = StringArray::default();
                while list.next_element_seed(Pair(&mut texts))?.is_some() {}
                Ok(Pairs(texts))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

fn push<E: serde::de::Error>(texts: &mut StringArray, text: &str) -> Result<(), E> {
    if texts.push(text) { Ok(()) } else { Err(E::custom("the texts of all tokens together pass 4 GiB")) }
}

/// A text, onto a list.
struct Push<'a>(&'a mut StringArray);

impl<'de> DeserializeSeed<'de> for Push<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Push<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        push(self.0, text)
    }
}

/// `[text, score]`: the text onto a list.
struct Scored<'a>(&'a mut StringArray);

impl<'de> DeserializeSeed<'de> for Scored<'_> {
    type Value = f64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<f64, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Scored<'_> {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a text and its score")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<f64, A::Error> {
        pair.next_element_seed(Push(self.0))?
            .ok_or_else(|| A::Error::invalid_length(0, &"a text and its score"))?;
        let score =
            pair.next_element()?.ok_or_else(|| A::Error::invalid_length(1, &"a text and its score"))?;
        match pair.next_element::<Value>()? {
            None => Ok(score),
            Some(_) => Err(A::Error::invalid_length(3, &"a text and its score")),
        }
    }
}

/// `"left right"` or `["left", "right"]`, both onto a list.
struct Pair<'a>(&'a mut StringArray);

impl<'de> DeserializeSeed<'de> for Pair<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pair<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a merge of two tokens")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if text.starts_with("#version") {
            return Ok(());
        }
        match text.split_once(' ') {
            Some((left, right)) if !right.contains(' ') => {
                push(self.0, left)?;
                push(self.0, right)
            }
            _ => Err(E::custom(format!("the merge {text:?} is not two tokens with a space between them"))),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<(), A::Error> {
        for i in 0..2 {
            let text = pair.next_element_seed(Push(self.0))?;
            text.ok_or_else(|| A::Error::invalid_length(i, &"two tokens"))?;
        }
        match pair.next_element::<Value>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::invalid_length(3, &"two tokens")),
        }
    }
}
