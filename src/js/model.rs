//! `Model` and `Generation` as the worker sees them.
#![expect(
    clippy::await_holding_refcell_ref,
    reason = "the RefCell is the model's lock: a call that comes meanwhile gets an error from try_borrow_mut"
)]

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use js_sys::{Array, Float32Array, Function, Uint32Array};
use serde_json::json;
use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, Blob, File};

use super::convert::{self, GenerateArguments, LoadArguments, throw};
use crate::{
    error::{Error, Result},
    format::{self, BlobSource, BufferSource, HttpSource, Source, split},
    run::{self, Engine, Event, LoadOptions, Progress},
};

/// A loaded model.
#[wasm_bindgen]
pub struct Model {
    engine: Rc<RefCell<Engine>>,
}

/// A generation under way.
#[wasm_bindgen]
pub struct Generation {
    engine: Rc<RefCell<Engine>>,
    inner: RefCell<run::Generation>,
    aborted: Cell<bool>,
    seed: u64,
}

/// The engine for the length of one call, or an error where another call still has it.
fn lock(engine: &RefCell<Engine>) -> Result<std::cell::RefMut<'_, Engine>> {
    engine.try_borrow_mut().map_err(|_| Error::input("model", "it is busy with another call"))
}

#[wasm_bindgen]
impl Model {
    /// Loads a model from a URL, a `Blob`, an array of the parts of a split file, or bytes.
    pub async fn load(
        source: JsValue,
        options: JsValue,
        on_progress: Function,
        signal: AbortSignal,
    ) -> Result<Model, JsValue> {
        load(source, options, on_progress, signal).await.map_err(throw)
    }

    /// A `ModelInfo`.
    pub fn info(&self) -> Result<JsValue, JsValue> {
        let engine = lock(&self.engine).map_err(throw)?;
        let facts = engine.facts();
        let config = &facts.config;
        let object = convert::to_js(&json!({
            "name": facts.name,
            "architecture": config.architecture,
            "backend": facts.backend.name(),
            "backendReason": facts.backend_reason,
            "device": facts.device,
            "features": facts.features,
            "parameters": facts.n_parameters,
            "bytes": engine.counters().bytes,
            "fileBytes": facts.weight_bytes,
            "bytesPerToken": facts.bytes_per_token,
            "dispatchesPerToken": facts.dispatches_per_token,
            "types": facts.types,
            "nLayers": config.n_layers,
            "nEmbd": config.n_embd,
            "nHeads": config.attention.n_heads,
            "nKvHeads": config.attention.n_kv_heads,
            "nVocab": config.n_vocab,
            "contextLength": facts.n_ctx,
            "trainedContextLength": config.n_ctx_train,
            "hasChatTemplate": engine.template().is_ok(),
            "license": facts.metadata.opt_str("general.license").ok().flatten(),
        }))?;
        js_sys::Reflect::set(&object, &"metadata".into(), &convert::metadata(&facts.metadata)?)?;
        Ok(object)
    }

    /// Text to ids.
    pub fn tokenize(
        &self,
        text: &str,
        add_special: bool,
        parse_special: bool,
    ) -> Result<Uint32Array, JsValue> {
        let engine = lock(&self.engine).map_err(throw)?;
        let ids = engine.tokenizer().encode(text, add_special, parse_special).map_err(throw)?;
        Ok(Uint32Array::from(&ids[..]))
    }

    /// Ids to text.
    pub fn detokenize(&self, ids: &[u32], skip_special: bool) -> Result<String, JsValue> {
        let engine = lock(&self.engine).map_err(throw)?;
        engine.tokenizer().decode(ids, skip_special).map_err(throw)
    }

    /// One token's own text.
    pub fn piece(&self, id: u32) -> Result<String, JsValue> {
        let engine = lock(&self.engine).map_err(throw)?;
        engine.tokenizer().piece(id).map_err(throw)
    }

    /// Messages to a prompt, by the file's template.
    #[wasm_bindgen(js_name = chatPrompt)]
    pub fn chat_prompt(&self, messages: JsValue, options: JsValue) -> Result<String, JsValue> {
        let engine = lock(&self.engine).map_err(throw)?;
        let read = |value| -> Result<serde_json::Value> {
            let problem = |e: serde_wasm_bindgen::Error| Error::input("messages", e.to_string());
            serde_wasm_bindgen::from_value(value).map_err(problem)
        };
        let render = || engine.template()?.render_chat(engine.tokenizer(), &read(messages)?, &read(options)?);
        render().map_err(throw)
    }

    /// Logits of every position: row-major `[n, vocab]`.
    pub async fn logits(&self, ids: Vec<u32>) -> Result<Float32Array, JsValue> {
        let mut engine = lock(&self.engine).map_err(throw)?;
        let logits = engine.logits(&ids).await.map_err(throw)?;
        Ok(Float32Array::from(&logits[..]))
    }

    /// Begins a generation after a text or ids.
    pub async fn generate(&self, prompt: JsValue, options: JsValue) -> Result<Generation, JsValue> {
        self.begin(prompt, options).map_err(throw)
    }

    /// Gives all memory back.
    pub fn unload(&self) -> Result<(), JsValue> {
        lock(&self.engine).map_err(throw)?.unload();
        Ok(())
    }
}

impl Model {
    fn begin(&self, prompt: JsValue, options: JsValue) -> Result<Generation> {
        let mut engine = lock(&self.engine)?;
        let arguments: GenerateArguments = convert::arguments(options)?;
        let ids = match (prompt.as_string(), prompt.dyn_ref::<Uint32Array>()) {
            (Some(text), _) if text.is_empty() => {
                return Err(Error::input("prompt", "it is empty; give at least one character"));
            }
            (Some(text), _) => engine.tokenizer().encode(&text, true, arguments.parse_special)?,
            (_, Some(ids)) => ids.to_vec(),
            _ => return Err(Error::input("prompt", "it is neither a string nor a Uint32Array")),
        };
        let options = arguments.options();
        let seed = options.seed;
        let inner = RefCell::new(engine.generate(&ids, options)?);
        Ok(Generation { engine: self.engine.clone(), inner, aborted: Cell::new(false), seed })
    }
}

#[wasm_bindgen]
impl Generation {
    /// The next step: see `GenerationEvent` in `www/lib/wasm.d.ts`.
    pub async fn next(&self) -> Result<JsValue, JsValue> {
        let event = self.step().await.map_err(throw)?;
        match event {
            Event::Prefill { done, total } => {
                convert::to_js(&json!({ "type": "prefill", "done": done, "total": total }))
            }
            Event::Token { id, text } => convert::to_js(&json!({ "type": "token", "id": id, "text": text })),
            Event::Done { text, output } => {
                let object = convert::to_js(&json!({ "type": "done", "text": text }))?;
                js_sys::Reflect::set(&object, &"result".into(), &convert::result(&output, self.seed)?)?;
                Ok(object)
            }
        }
    }

    /// The next step is the last.
    pub fn abort(&self) {
        self.aborted.set(true);
    }
}

impl Generation {
    async fn step(&self) -> Result<Event> {
        let busy = |_| Error::input("generation", "its last step is not done");
        let mut inner = self.inner.try_borrow_mut().map_err(busy)?;
        if self.aborted.get() {
            inner.abort();
        }
        let mut engine = lock(&self.engine)?;
        inner.step(&mut engine).await
    }
}

async fn load(
    source: JsValue,
    options: JsValue,
    on_progress: Function,
    signal: AbortSignal,
) -> Result<Model> {
    let arguments: LoadArguments = convert::arguments(options)?;
    let prefer = arguments.prefer()?;
    let tell = Rc::new(move |progress: Progress| {
        let Progress { stage, loaded, total } = progress;
        // A page whose progress callback throws still gets its model.
        let _ =
            on_progress.call3(&JsValue::NULL, &stage.into(), &(loaded as f64).into(), &(total as f64).into());
    });
    let sources = sources(&source, &signal, tell.clone()).await?;
    let checkpoint = format::open(sources).await?;
    let options = LoadOptions {
        prefer,
        context_length: arguments.context_length,
        default_limits: arguments.default_limits,
        progress: Some(tell),
        aborted: Some(Rc::new(move || signal.aborted())),
    };
    let engine = run::load(&checkpoint, &options).await?;
    Ok(Model { engine: Rc::new(RefCell::new(engine)) })
}

/// The files behind what the page gave.
async fn sources(
    source: &JsValue,
    signal: &AbortSignal,
    tell: Rc<dyn Fn(Progress)>,
) -> Result<Vec<Rc<dyn Source>>> {
    if let Some(url) = source.as_string() {
        let urls = split::siblings(&url).unwrap_or_else(|| vec![url]);
        let mut sources = Vec::new();
        for url in urls {
            let tell = tell.clone();
            let progress = move |loaded, total| tell(Progress { stage: "download", loaded, total });
            sources.push(HttpSource::open(&url, Some(signal.clone()), Rc::new(progress)).await?);
        }
        return Ok(sources);
    }
    if let Some(bytes) = convert::bytes(source) {
        return Ok(vec![Rc::new(BufferSource::new("the given bytes", bytes))]);
    }
    let parts = if Array::is_array(source) { Array::from(source) } else { Array::of1(source) };
    let blob = |part: JsValue| -> Result<Rc<dyn Source>> {
        let problem = "it is not a URL, a Blob, an array of Blobs, or bytes";
        let blob: Blob = part.dyn_into().map_err(|_| Error::input("source", problem))?;
        let name = blob.dyn_ref::<File>().map_or_else(|| "the given blob".to_owned(), File::name);
        Ok(Rc::new(BlobSource::new(name, blob)))
    };
    parts.iter().map(blob).collect()
}
