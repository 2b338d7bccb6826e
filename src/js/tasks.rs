//! Tasks of encoders as the worker asks for them: plain objects in, plain objects out.

use js_sys::{Array, Float32Array};
use serde::Deserialize;
use serde_json::json;
use wasm_bindgen::prelude::*;

use super::convert::to_js;
use crate::{
    error::{Error, Result},
    model::Pool,
    run::{Aggregation, AnswerOptions, EmbedOptions, Engine},
};

/// A task by its name in JavaScript; see `www/lib/types.js`.
#[derive(Deserialize)]
#[serde(tag = "task", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Request {
    Embed { texts: Vec<String>, pooling: Option<String>, normalize: bool, dimensions: Option<usize> },
    Classify { texts: Vec<String>, top_k: usize },
    Tag { text: String, aggregation: String },
    Answer { question: String, context: String, top_k: usize, max_answer_length: usize },
    FillMask { text: String, top_k: usize },
    Score { query: String, texts: Vec<String> },
}

/// Does a task.
pub async fn run(engine: &mut Engine, request: JsValue) -> Result<JsValue> {
    let request = serde_wasm_bindgen::from_value(request).map_err(|e| Error::input("task", e.to_string()))?;
    let shown =
        |value: serde_json::Value| to_js(&value).map_err(|e| Error::input("result", format!("{e:?}")));
    match request {
        Request::Embed { texts, pooling, normalize, dimensions } => {
            let pooling = pooling.as_deref().map(pooling_of).transpose()?;
            let options = EmbedOptions { pooling, normalize: Some(normalize), dimensions };
            let rows = engine.embed_texts(&borrowed(&texts), options).await?;
            Ok(rows.iter().map(|row| Float32Array::from(&row[..])).collect::<Array>().into())
        }
        Request::Classify { texts, top_k } => {
            let labels = engine.classify(&borrowed(&texts), top_k).await?;
            shown(json!(labels))
        }
        Request::Tag { text, aggregation } => {
            let how = match aggregation.as_str() {
                "none" => Aggregation::None,
                "simple" => Aggregation::Simple,
                "first" => Aggregation::First,
                other => {
                    return Err(Error::input(
                        "aggregation",
                        format!("`{other}` is not none, simple or first"),
                    ));
                }
            };
            let entities = engine.tag(&text, how).await?;
            let place = |at| utf16(&text, at);
            let entities = entities.iter().map(|e| {
                json!({ "entity": e.entity, "score": e.score, "text": e.text, "start": place(e.start), "end": place(e.end) })
            });
            shown(entities.collect())
        }
        Request::Answer { question, context, top_k, max_answer_length } => {
            let options =
                AnswerOptions { top_k, max_answer_len: max_answer_length, ..AnswerOptions::default() };
            let answers = engine.answer(&question, &context, options).await?;
            let place = |at| utf16(&context, at);
            let answers = answers.iter().map(
                |a| json!({ "text": a.text, "score": a.score, "start": place(a.start), "end": place(a.end) }),
            );
            shown(answers.collect())
        }
        Request::FillMask { text, top_k } => {
            let fillings = engine.fill_mask(&text, top_k).await?;
            shown(json!(fillings))
        }
        Request::Score { query, texts } => {
            let scores = engine.score(&query, &borrowed(&texts)).await?;
            Ok(Float32Array::from(&scores[..]).into())
        }
    }
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn pooling_of(name: &str) -> Result<Pool> {
    match name {
        "mean" => Ok(Pool::Mean),
        "cls" => Ok(Pool::First),
        "last" => Ok(Pool::Last),
        other => Err(Error::input("pooling", format!("`{other}` is not mean, cls or last"))),
    }
}

/// The place in JavaScript's string of a place in bytes.
fn utf16(text: &str, at: usize) -> usize {
    text.get(..at).map_or(at, |before| before.encode_utf16().count())
}
