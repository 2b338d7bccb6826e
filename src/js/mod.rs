//! The only `wasm-bindgen` surface: what the worker in `www/lib` calls. Everything here is thin; types that cross
//! are plain objects, documented for JavaScript in `www/lib/wasm.d.ts`.

mod adapters;
mod constraint;
mod convert;
mod crew;
mod load;
mod model;
mod sessions;
mod source;
mod tasks;

use wasm_bindgen::prelude::*;

/// Runs when the module is instantiated: a panic then prints where it happened.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

/// Memory of this module and of its GPU buffers: `{wasmBytes, gpuBytes, gpuBuffers}`. (Not called `memory`: the
/// module already exports its memory under that name.)
#[wasm_bindgen(js_name = memoryUse)]
pub fn memory_use() -> Result<JsValue, JsValue> {
    let pages = core::arch::wasm32::memory_size(0);
    let gpu = crate::backend::gpu::live_buffers();
    let object = js_sys::Object::new();
    let set = |key: &str, value: f64| js_sys::Reflect::set(&object, &key.into(), &value.into());
    set("wasmBytes", pages as f64 * 65_536.0)?;
    set("gpuBytes", gpu.bytes as f64)?;
    set("gpuBuffers", gpu.buffers as f64)?;
    Ok(object.into())
}
