//! A model's way from what the page names to a device.

use std::{cell::RefCell, rc::Rc};

use js_sys::Function;
use serde_json::json;
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;

use super::{
    convert::{self, LoadArguments},
    crew,
    model::Model,
    source::Files,
};
use crate::{
    backend::{Kind, cpu::team::Hire},
    error::Result,
    format::Keeper,
    run::{self, LoadOptions, Progress},
};

pub(super) async fn estimate(
    source: JsValue,
    options: JsValue,
    signal: AbortSignal,
    keeper: Keeper,
) -> Result<serde_json::Value> {
    let arguments: LoadArguments = convert::arguments(options)?;
    let files = Files::new(keeper, None, &signal, Rc::new(|_, _| ()));
    let checkpoint = files.open(&source).await?;
    let options = LoadOptions {
        context_length: arguments.context_length,
        quantize: arguments.quantize()?,
        kv_cache: arguments.kv_cache()?,
        aborted: Some(Rc::new(move || signal.aborted())),
        ..LoadOptions::default()
    };
    let mut estimates = serde_json::Map::new();
    for kind in [Kind::Cpu, Kind::Gpu] {
        let told = run::estimate(&checkpoint, &options, kind).await?;
        let run::Estimate { weights, cache, tables, activations } = told;
        let object = json!({
            "weights": weights, "cache": cache, "tables": tables, "activations": activations, "total": told.total(),
        });
        estimates.insert(kind.name().into(), object);
    }
    Ok(estimates.into())
}

/// What tells a page how far a load is.
pub(super) fn told(on_progress: Function) -> Rc<dyn Fn(Progress)> {
    Rc::new(move |Progress { stage, loaded, total }| {
        let (loaded, total) = (JsValue::from(loaded as f64), JsValue::from(total as f64));
        // A page whose progress callback throws still gets its model.
        let _ = on_progress.call3(&JsValue::NULL, &stage.into(), &loaded, &total);
    })
}

pub(super) async fn load(
    source: JsValue,
    options: JsValue,
    on_progress: Function,
    signal: AbortSignal,
    hire: Function,
    keeper: Keeper,
) -> Result<Model> {
    let arguments: LoadArguments = convert::arguments(options)?;
    let prefer = arguments.prefer()?;
    let tell = told(on_progress);
    let download = {
        let tell = tell.clone();
        move |loaded, total| tell(Progress { stage: "download", loaded, total })
    };
    let files = Files::new(keeper, arguments.integrity()?, &signal, Rc::new(download));
    let checkpoint = files.open(&source).await?;
    let keep = {
        let tell = tell.clone();
        move |loaded, total| tell(Progress { stage: "storage", loaded, total })
    };
    let options = LoadOptions {
        prefer,
        context_length: arguments.context_length,
        quantize: arguments.quantize()?,
        default_limits: arguments.default_limits,
        kv_cache: arguments.kv_cache()?,
        fusion: run::Fusion::default(),
        threads: arguments.threads,
        max_batch: arguments.max_batch,
        hire: Some(Hire {
            cores: arguments.cores.unwrap_or(1),
            start: Rc::new(move |n| Box::pin(crew::start(hire.clone(), n))),
        }),
        autotune: arguments.autotune(),
        tuning: arguments.tuning,
        progress: Some(tell),
        aborted: Some(Rc::new(move || signal.aborted())),
    };
    let mut engine = run::load(&checkpoint, &options).await?;
    if let Err(error) = files.finish(&keep).await {
        engine.unload();
        return Err(error);
    }
    Ok(Model { engine: Rc::new(RefCell::new(engine)) })
}
