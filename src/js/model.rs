//! `Model` and `Generation` as the worker sees them.
#![expect(
    clippy::await_holding_refcell_ref,
    reason = "the RefCell is the model's lock: a call that comes meanwhile gets an error from try_borrow_mut"
)]

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use js_sys::{Float32Array, Function, Uint8Array, Uint32Array};
use serde_json::json;
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;

use super::{
    adapters,
    constraint::Held,
    convert::{self, GenerateArguments, throw},
    load::{estimate, load, told},
    source::Files,
};
use crate::{
    backend::Precision,
    error::{Error, Result},
    format::Keeper,
    run::{self, AdapterId, Engine, Event, Progress, Text},
};

/// A loaded model.
#[wasm_bindgen]
pub struct Model {
    pub(super) engine: Rc<RefCell<Engine>>,
}

/// A generation under way.
#[wasm_bindgen]
pub struct Generation {
    engine: Rc<RefCell<Engine>>,
    inner: RefCell<run::Generation>,
    aborted: Cell<bool>,
    seed: u64,
}

/// What a generation goes on with besides the model.
enum With {
    Nothing,
    Draft(run::Draft),
    Constraint(Box<dyn run::Constraint>),
}

/// The engine for the length of one call, or an error where another call still has it.
pub(super) fn lock(engine: &RefCell<Engine>) -> Result<std::cell::RefMut<'_, Engine>> {
    engine.try_borrow_mut().map_err(|_| Error::input("model", "it is busy with another call"))
}

#[wasm_bindgen]
impl Model {
    /// Loads a model from a `WireSource`: see `www/lib/types.js`. `hire` promises a `Crew` of
    /// so many.
    pub async fn load(
        source: JsValue,
        options: JsValue,
        on_progress: Function,
        signal: AbortSignal,
        hire: Function,
        keeper: Keeper,
    ) -> Result<Model, JsValue> {
        load(source, options, on_progress, signal, hire, keeper).await.map_err(throw)
    }

    /// What a load would take on each kind of device: see `MemoryEstimate` in `www/lib/types.js`.
    pub async fn estimate(
        source: JsValue,
        options: JsValue,
        signal: AbortSignal,
        keeper: Keeper,
    ) -> Result<JsValue, JsValue> {
        estimate(source, options, signal, keeper)
            .await
            .map_err(throw)
            .and_then(|estimates| convert::to_js(&estimates))
    }

    /// A `ModelInfo`.
    pub fn info(&self) -> Result<JsValue, JsValue> {
        let engine = lock(&self.engine).map_err(throw)?;
        let facts = engine.facts();
        let config = &facts.config;
        let stack = config.last_stack();
        let object = convert::to_js(&json!({
            "name": facts.name,
            "architecture": config.architecture,
            "kind": match (&config.encoder, &config.decoder) {
                (Some(_), Some(_)) => "encoder-decoder",
                (Some(_), None) => "encoder",
                _ => "decoder",
            },
            "task": config.task(),
            "labels": config.labels,
            "nOut": config.n_out(),
            "backend": facts.backend.name(),
            "backendReason": facts.backend_reason,
            "device": facts.device,
            "features": facts.features,
            "tuning": facts.tuning,
            "parameters": facts.n_parameters,
            "bytes": engine.counters().bytes,
            "fileBytes": facts.weight_bytes,
            "bytesPerToken": facts.bytes_per_token,
            "dispatchesPerToken": facts.dispatches_per_token,
            "types": facts.types,
            "nLayers": stack.layers.len(),
            "nEmbd": stack.n_embd,
            "nHeads": stack.attention.n_heads,
            "nKvHeads": stack.attention.n_kv_heads,
            "nVocab": config.n_vocab,
            "contextLength": facts.n_ctx,
            "maxBatch": engine.max_batch(),
            "trainedContextLength": config.n_ctx_train,
            "languages": engine.languages().collect::<Vec<_>>(),
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
        let ids =
            engine.tokenizer().map_err(throw)?.encode(text, add_special, parse_special).map_err(throw)?;
        Ok(Uint32Array::from(&ids[..]))
    }

    /// Ids to text.
    pub fn detokenize(&self, ids: &[u32], skip_special: bool) -> Result<String, JsValue> {
        let engine = lock(&self.engine).map_err(throw)?;
        engine.tokenizer().map_err(throw)?.decode(ids, skip_special).map_err(throw)
    }

    /// Messages to a prompt, by the file's template.
    #[wasm_bindgen(js_name = chatPrompt)]
    pub fn chat_prompt(&self, messages: JsValue, options: JsValue) -> Result<String, JsValue> {
        let engine = lock(&self.engine).map_err(throw)?;
        let read = |value| -> Result<serde_json::Value> {
            let problem = |e: serde_wasm_bindgen::Error| Error::input("messages", e.to_string());
            serde_wasm_bindgen::from_value(value).map_err(problem)
        };
        let render =
            || engine.template()?.render_chat(engine.tokenizer()?, &read(messages)?, &read(options)?);
        render().map_err(throw)
    }

    /// What the head puts out for every position: row-major `[n, nOut]`. `types` are an encoder's token types, or undefined;
    /// `decoder_ids` what an encoder-decoder's answer begins with, or undefined.
    pub async fn logits(
        &self,
        ids: Vec<u32>,
        types: Option<Vec<u32>>,
        decoder_ids: Option<Vec<u32>>,
        fast: bool,
        adapters: JsValue,
    ) -> Result<Float32Array, JsValue> {
        let mut engine = self.adapted(adapters)?;
        engine.set_precision(if fast { Precision::Fast } else { Precision::Exact });
        let logits = logits(&mut engine, &ids, types.as_deref(), decoder_ids.as_deref()).await;
        engine.set_precision(Precision::Exact);
        Ok(Float32Array::from(&logits.map_err(throw)?[..]))
    }

    /// A task of an encoder: see `TaskRequest` in `www/lib/wasm.d.ts`.
    pub async fn task(&self, request: JsValue, adapters: JsValue) -> Result<JsValue, JsValue> {
        let mut engine = self.adapted(adapters)?;
        super::tasks::run(&mut engine, request).await.map_err(throw)
    }

    /// Loads an adapter from a `WireSource`: gives an `AdapterInfo` with its number.
    #[wasm_bindgen(js_name = loadAdapter)]
    pub async fn load_adapter(
        &self,
        source: JsValue,
        name: Option<String>,
        on_progress: Function,
        signal: AbortSignal,
        keeper: Keeper,
    ) -> Result<JsValue, JsValue> {
        let tell = told(on_progress);
        let download = {
            let tell = tell.clone();
            move |loaded, total| tell(Progress { stage: "download", loaded, total })
        };
        let files = Files::new(keeper, None, &signal, Rc::new(download));
        let adapter = files.open_adapter(&source).await.map_err(throw)?;
        let mut engine = lock(&self.engine).map_err(throw)?;
        let options = adapters::options(signal, tell);
        adapters::load(&mut engine, &files, adapter, name, options).await.map_err(throw)
    }

    /// Gives an adapter's memory back.
    #[wasm_bindgen(js_name = unloadAdapter)]
    pub fn unload_adapter(&self, id: u32) -> Result<(), JsValue> {
        lock(&self.engine).and_then(|mut engine| engine.unload_adapter(AdapterId::of(id))).map_err(throw)
    }

    /// Whether a generation with these options would join those under way: see [`Engine::may_join`].
    #[wasm_bindgen(js_name = mayJoin)]
    pub fn may_join(&self, options: JsValue) -> Result<bool, JsValue> {
        let may = || {
            let engine = lock(&self.engine)?;
            let arguments: GenerateArguments = convert::arguments(options)?;
            Ok(engine.may_join(&arguments.options(engine.defaults())?))
        };
        may().map_err(throw)
    }

    /// Begins a generation after a text or ids.
    pub async fn generate(&self, prompt: JsValue, options: JsValue) -> Result<Generation, JsValue> {
        self.begin(prompt, options, With::Nothing).map_err(throw)
    }

    /// The same with drafts of a smaller model.
    #[wasm_bindgen(js_name = generateWithDraft)]
    pub fn generate_with_draft(
        &self,
        prompt: JsValue,
        options: JsValue,
        draft: &Model,
    ) -> Result<Generation, JsValue> {
        self.begin(prompt, options, With::Draft(draft.engine.clone())).map_err(throw)
    }

    /// The same with a text that is held to a structure.
    #[wasm_bindgen(js_name = generateConstrained)]
    pub fn generate_constrained(
        &self,
        prompt: JsValue,
        options: JsValue,
        constraint: Held,
    ) -> Result<Generation, JsValue> {
        self.begin(prompt, options, With::Constraint(Box::new(constraint))).map_err(throw)
    }

    /// What each token stands for: `{bytes, ends}`, see `www/lib/wasm.d.ts`.
    #[wasm_bindgen(js_name = tokenBytes)]
    pub fn token_bytes(&self) -> Result<JsValue, JsValue> {
        let all = lock(&self.engine).and_then(|engine| engine.token_bytes()).map_err(throw)?;
        let object = js_sys::Object::new();
        js_sys::Reflect::set(&object, &"bytes".into(), &Uint8Array::from(&all.bytes[..]))?;
        js_sys::Reflect::set(&object, &"ends".into(), &Uint32Array::from(&all.ends[..]))?;
        Ok(object.into())
    }

    /// Whether its device went away.
    #[wasm_bindgen(js_name = isLost)]
    pub fn is_lost(&self) -> Result<bool, JsValue> {
        lock(&self.engine).map(|engine| engine.is_lost()).map_err(throw)
    }

    /// Goes on with the device of `fresh`, which is the same model loaded again, and is used up.
    pub fn revive(&self, fresh: Model) -> Result<(), JsValue> {
        let fresh = Rc::into_inner(fresh.engine).ok_or_else(|| Error::input("model", "it is in use"));
        let revive = |fresh: RefCell<Engine>| lock(&self.engine)?.revive(fresh.into_inner());
        fresh.and_then(revive).map_err(throw)
    }

    /// Gives all memory back.
    pub fn unload(&self) -> Result<(), JsValue> {
        lock(&self.engine).map_err(throw)?.unload();
        Ok(())
    }
}

impl Model {
    /// The engine for one call with these adapters.
    fn adapted(&self, adapters: JsValue) -> Result<std::cell::RefMut<'_, Engine>, JsValue> {
        let mut engine = lock(&self.engine).map_err(throw)?;
        adapters::uses(adapters).and_then(|uses| engine.set_adapters(&uses)).map_err(throw)?;
        Ok(engine)
    }

    fn begin(&self, prompt: JsValue, options: JsValue, with: With) -> Result<Generation> {
        let mut engine = lock(&self.engine)?;
        let arguments: GenerateArguments = convert::arguments(options)?;
        let ids = match (prompt.as_string(), prompt.dyn_ref::<Uint32Array>()) {
            (Some(text), _) if text.is_empty() => {
                return Err(Error::input("prompt", "it is empty; give at least one character"));
            }
            (Some(text), _) => engine.tokenizer()?.encode(&text, true, arguments.parse_special)?,
            (_, Some(ids)) => ids.to_vec(),
            _ => return Err(Error::input("prompt", "it is neither a string nor a Uint32Array")),
        };
        let options = arguments.options(engine.defaults())?;
        let seed = options.seed;
        let generation = match with {
            With::Nothing => engine.generate(&ids, options)?,
            With::Draft(draft) => engine.generate_with_draft(&ids, options, draft)?,
            With::Constraint(constraint) => engine.generate_constrained(&ids, options, constraint)?,
        };
        let inner = RefCell::new(generation);
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
            Event::Token { id, text, logprobs } => {
                let engine = lock(&self.engine).map_err(throw)?;
                let step = convert::token(id, &text, logprobs.as_ref(), engine.tokenizer().ok());
                convert::to_js(&step)
            }
            Event::Search { length } => convert::to_js(&json!({ "type": "search", "length": length })),
            Event::Done { text, output } => {
                let object = convert::to_js(&json!({ "type": "done", "text": text }))?;
                js_sys::Reflect::set(&object, &"result".into(), &convert::result(&output, self.seed)?)?;
                Ok(object)
            }
        }
    }

    /// Goes on where the device was lost, after `Model.revive`.
    pub fn resume(&self) -> Result<(), JsValue> {
        let mut inner = self
            .inner
            .try_borrow_mut()
            .map_err(|_| throw(Error::input("generation", "its last step is not done")))?;
        let mut engine = lock(&self.engine).map_err(throw)?;
        inner.resume(&mut engine).map_err(throw)
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

async fn logits(
    engine: &mut Engine,
    ids: &[u32],
    types: Option<&[u32]>,
    decoder_ids: Option<&[u32]>,
) -> Result<Vec<f32>> {
    let config = &engine.facts().config;
    match (&config.encoder, &config.decoder, decoder_ids) {
        (Some(_), Some(_), Some(decoder_ids)) => {
            engine.read_source(ids).await?;
            engine.logits(decoder_ids).await
        }
        (Some(_), Some(_), None) => Err(Error::input("decoderIds", "an encoder-decoder needs them")),
        (_, _, Some(_)) => Err(Error::input("decoderIds", "this model has no second half to read them")),
        (_, _, None) => Ok(engine.outputs(&[Text { ids, types }]).await?.concat()),
    }
}
