//! Between Rust's types and plain JavaScript objects.

use std::collections::BTreeMap;

use js_sys::{Array, ArrayBuffer, Object, Reflect, Uint8Array};
use serde::{Deserialize, Serialize};
use serde_json::json;
use wasm_bindgen::prelude::*;

use super::adapters;
use crate::{
    backend::Precision,
    error::Error,
    format::{
        integrity::{self, Expected},
        metadata::{Metadata, Value},
    },
    model::{EarlyStopping, GenerationDefaults},
    quant::DType,
    run::{
        Autotune, GenerateOptions, KvCache, Logprobs, Output, Prefer, Session, Speculation, WhenFull,
        quantize_to,
    },
    text::Tokenizer,
};

/// Options of `Model.load`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[derive(Default)]
pub struct LoadArguments {
    backend: Option<String>,
    pub context_length: Option<usize>,
    quantize: Option<String>,
    kv_cache: Option<String>,
    pub default_limits: bool,
    pub threads: Option<usize>,
    pub max_batch: Option<usize>,
    pub cores: Option<usize>,
    autotune: Option<bool>,
    /// Of an earlier load.
    pub tuning: Option<String>,
    integrity: Option<IntegrityArgument>,
}

/// `sha256-…` of the one file, or of files by name.
#[derive(Deserialize)]
#[serde(untagged)]
enum IntegrityArgument {
    One(String),
    Files(BTreeMap<String, String>),
}

impl LoadArguments {
    pub fn prefer(&self) -> Result<Prefer, Error> {
        match self.backend.as_deref() {
            None | Some("auto") => Ok(Prefer::Auto),
            Some("cpu") => Ok(Prefer::Cpu),
            Some("gpu") => Ok(Prefer::Gpu),
            Some(other) => Err(Error::input("backend", format!("`{other}` is not auto, cpu or gpu"))),
        }
    }

    /// Whether a GPU measures how it works best.
    pub fn autotune(&self) -> Autotune {
        match self.autotune {
            None => Autotune::WhereItPays,
            Some(true) => Autotune::Always,
            Some(false) => Autotune::Never,
        }
    }

    /// How keys and values are kept.
    pub fn kv_cache(&self) -> Result<KvCache, Error> {
        self.kv_cache.as_deref().map_or(Ok(KvCache::default()), KvCache::named)
    }

    /// The hashes that files must have.
    pub fn integrity(&self) -> Result<Option<Expected>, Error> {
        let parse = |text: &String| {
            let problem = || format!("`{text}` is not sha256- and 44 characters of base64");
            integrity::parse(text).ok_or_else(|| Error::input("integrity", problem()))
        };
        let named = |(name, text): (&String, &String)| Ok((name.clone(), parse(text)?));
        self.integrity.as_ref().map_or(Ok(None), |integrity| match integrity {
            IntegrityArgument::One(text) => Ok(Some(Expected::One(parse(text)?))),
            IntegrityArgument::Files(files) => {
                files.iter().map(named).collect::<Result<_, _>>().map(|files| Some(Expected::Files(files)))
            }
        })
    }

    /// The type that unquantized matrices get.
    pub fn quantize(&self) -> Result<Option<DType>, Error> {
        self.quantize.as_deref().map(quantize_to).transpose()
    }
}

/// Options of `Model.generate`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[derive(Default)]
pub struct GenerateArguments {
    max_new_tokens: Option<usize>,
    temperature: Option<f32>,
    top_k: Option<u32>,
    top_p: Option<f32>,
    min_p: Option<f32>,
    repetition_penalty: Option<f32>,
    presence_penalty: Option<f32>,
    frequency_penalty: Option<f32>,
    seed: Option<u64>,
    stop: Vec<String>,
    ignore_eos: bool,
    num_beams: Option<usize>,
    length_penalty: Option<f32>,
    early_stopping: Option<EarlyStoppingArgument>,
    no_repeat_ngram_size: Option<usize>,
    min_new_tokens: Option<usize>,
    precision: Option<Precision>,
    speculation: Option<String>,
    source_language: Option<String>,
    target_language: Option<String>,
    session: Option<u64>,
    /// Go on where the context is full, with so many tokens of the beginning.
    shift: Option<usize>,
    logprobs: Option<usize>,
    logit_bias: BTreeMap<u32, f32>,
    adapters: Vec<adapters::Use>,
    pub parse_special: bool,
}

/// `true`, `false` or `"never"`.
#[derive(Deserialize)]
#[serde(untagged)]
enum EarlyStoppingArgument {
    Flag(bool),
    Never(Never),
}

#[derive(Deserialize)]
enum Never {
    #[serde(rename = "never")]
    Never,
}

impl GenerateArguments {
    /// With what the model's files ask for, and a fresh seed, where nothing is said.
    ///
    /// # Errors
    /// [`Error::Input`] for a temperature beside beams.
    pub fn options(self, model: &GenerationDefaults) -> Result<GenerateOptions, Error> {
        let d = GenerateOptions::of_model(model);
        // Who names a temperature wants tokens drawn.
        let num_beams = self.num_beams.unwrap_or(if self.temperature.is_some() { 1 } else { d.num_beams });
        if num_beams > 1 && self.temperature.is_some_and(|t| t > 0.0) {
            let problem = "beams take the most probable tokens: leave the temperature out";
            return Err(Error::input("numBeams", problem));
        }
        Ok(GenerateOptions {
            max_new_tokens: self.max_new_tokens,
            temperature: self.temperature.unwrap_or(d.temperature),
            top_k: self.top_k.unwrap_or(d.top_k),
            top_p: self.top_p.unwrap_or(d.top_p),
            min_p: self.min_p.unwrap_or(d.min_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(d.repetition_penalty),
            presence_penalty: self.presence_penalty.unwrap_or(d.presence_penalty),
            frequency_penalty: self.frequency_penalty.unwrap_or(d.frequency_penalty),
            seed: self.seed.unwrap_or_else(|| (js_sys::Math::random() * 2f64.powi(53)) as u64),
            stop: self.stop,
            ignore_eos: self.ignore_eos,
            num_beams,
            length_penalty: self.length_penalty.unwrap_or(d.length_penalty),
            early_stopping: match self.early_stopping {
                None => d.early_stopping,
                Some(EarlyStoppingArgument::Flag(true)) => EarlyStopping::Yes,
                Some(EarlyStoppingArgument::Flag(false)) => EarlyStopping::No,
                Some(EarlyStoppingArgument::Never(_)) => EarlyStopping::Never,
            },
            no_repeat_ngram_size: self.no_repeat_ngram_size.unwrap_or(d.no_repeat_ngram_size),
            min_new_tokens: self.min_new_tokens.unwrap_or(d.min_new_tokens),
            precision: self.precision,
            logprobs: self.logprobs,
            logit_bias: self.logit_bias,
            speculation: self.speculation.as_deref().map_or(Ok(d.speculation), Speculation::named)?,
            source_language: self.source_language,
            target_language: self.target_language,
            session: self.session.map(Session::from_number),
            when_full: self.shift.map_or(WhenFull::Stop, |keep| WhenFull::Shift { keep }),
            adapters: adapters::named(self.adapters),
        })
    }
}

/// A plain object into Rust; what does not fit is an `InputError`.
pub fn arguments<T: for<'a> Deserialize<'a> + Default>(value: JsValue) -> Result<T, Error> {
    if value.is_undefined() || value.is_null() {
        return Ok(T::default());
    }
    serde_wasm_bindgen::from_value(value).map_err(|e| Error::input("options", e.to_string()))
}

/// Anything serializable to a plain object, maps as objects too.
pub fn to_js<T: Serialize>(value: &T) -> Result<JsValue, JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    Ok(value.serialize(&serializer)?)
}

/// An `Error` whose `name` is the class and whose `details` are the variant's fields.
pub fn throw(error: Error) -> JsValue {
    let object = js_sys::Error::new(&error.to_string());
    object.set_name(error.class());
    let details = to_js(&error).unwrap_or(JsValue::NULL);
    // Setting a property of a fresh error object cannot fail.
    let _ = Reflect::set(&object, &"details".into(), &details);
    object.into()
}

/// The bytes of an `ArrayBuffer` or `Uint8Array`, where they are.
pub fn bytes(value: &JsValue) -> Option<Uint8Array> {
    match value.dyn_ref::<ArrayBuffer>() {
        Some(buffer) => Some(Uint8Array::new(buffer)),
        None => value.dyn_ref::<Uint8Array>().cloned(),
    }
}

/// A token step: see `Step` in `www/lib/wasm.d.ts`.
pub fn token(
    id: u32,
    text: &str,
    logprobs: Option<&Logprobs>,
    tokenizer: Option<&Tokenizer>,
) -> serde_json::Value {
    let Some(Logprobs { logprob, top }) = logprobs else {
        return json!({ "type": "token", "id": id, "text": text });
    };
    // Embedding tables are often padded; what the tokenizer does not know has no text.
    let piece = |id: u32| tokenizer.and_then(|t| t.piece(id).ok()).unwrap_or_default();
    let other = |(id, logprob): &(u32, f32)| json!({ "id": id, "text": piece(*id), "logprob": logprob });
    let top: Vec<_> = top.iter().map(other).collect();
    json!({ "type": "token", "id": id, "text": text, "logprob": logprob, "top": top })
}

/// A `GenerateResult`.
pub fn result(output: &Output, seed: u64) -> Result<JsValue, JsValue> {
    let (usage, times) = (output.usage, output.timings);
    let per_second = |n: usize, ms: f64| if ms > 0.0 { n as f64 * 1e3 / ms } else { 0.0 };
    let object = to_js(&json!({
        "text": output.text,
        "finishReason": output.finish_reason.name(),
        "stopText": output.stop,
        "usage": {
            "promptTokens": usage.prompt,
            "cachedTokens": usage.cached,
            "completionTokens": usage.completion,
            "totalTokens": usage.prompt + usage.completion,
            "draftedTokens": usage.drafted,
            "acceptedTokens": usage.accepted,
        },
        "timings": {
            "firstTokenMs": times.first_token_ms,
            "decodeMs": times.decode_ms,
            "encodeMs": times.encode_ms,
            "maskMs": times.mask_ms,
            "totalMs": times.total_ms,
            "promptTokensPerSecond": per_second(usage.prompt - usage.cached, times.first_token_ms),
            "tokensPerSecond": per_second(usage.completion.saturating_sub(1), times.decode_ms),
        },
        "seed": seed,
    }))?;
    let tokens = js_sys::Uint32Array::from(&output.tokens[..]);
    Reflect::set(&object, &"tokens".into(), &tokens)?;
    Ok(object)
}

/// Metadata as a plain object. Arrays are taken whole: what is shown of a model has none that are long.
pub fn metadata(metadata: &Metadata) -> Result<JsValue, JsValue> {
    let object = Object::new();
    for (key, value) in &metadata.values {
        Reflect::set(&object, &key.into(), &shown(value))?;
    }
    Ok(object.into())
}

fn shown(value: &Value) -> JsValue {
    fn list<T>(items: impl IntoIterator<Item = T>, item: impl Fn(T) -> JsValue) -> JsValue {
        items.into_iter().map(item).collect::<Array>().into()
    }
    match value {
        Value::Uint(x) => (*x as f64).into(),
        Value::Int(x) => (*x as f64).into(),
        Value::Float(x) => (*x).into(),
        Value::Bool(x) => (*x).into(),
        Value::String(x) => x.into(),
        Value::Bytes(x) => list(x, |x| (*x).into()),
        Value::Uints(x) => list(x, |x| (*x as f64).into()),
        Value::Ints(x) => list(x, |x| (*x as f64).into()),
        Value::Floats(x) => list(x, |x| f64::from(*x).into()),
        Value::Bools(x) => list(x, |x| (*x).into()),
        Value::Strings(x) => list(x.iter(), JsValue::from),
        Value::Arrays(x) => list(x, shown),
    }
}
