//! What the backend asks of a browser's `GPUDevice` directly, past wgpu: its errors, and a feature that wgpu does not know.
//! wgpu 30 panics at a `GPUInternalError`, wherever it meets one.

use js_sys::Promise;
use wasm_bindgen::{JsCast, JsValue, prelude::*};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::{device::oneshot, fault::Fault};
use crate::format::LocalFuture;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = GPUDevice)]
    #[derive(Clone)]
    type GpuDevice;
    #[wasm_bindgen(method, getter)]
    fn features(this: &GpuDevice) -> js_sys::Set;
    #[wasm_bindgen(method, js_name = addEventListener)]
    fn add_event_listener(this: &GpuDevice, kind: &str, listener: &JsValue);
    #[wasm_bindgen(method, js_name = pushErrorScope)]
    fn push_error_scope(this: &GpuDevice, filter: &str);
    #[wasm_bindgen(method, js_name = popErrorScope)]
    fn pop_error_scope(this: &GpuDevice) -> Promise;

    #[wasm_bindgen(js_name = GPUUncapturedErrorEvent)]
    type GpuUncapturedErrorEvent;
    #[wasm_bindgen(method, getter)]
    fn error(this: &GpuUncapturedErrorEvent) -> GpuError;

    #[wasm_bindgen(js_name = GPUError)]
    type GpuError;
    #[wasm_bindgen(method, getter)]
    fn message(this: &GpuError) -> String;

    #[wasm_bindgen(js_name = GPUOutOfMemoryError)]
    type GpuOutOfMemoryError;
}

impl From<GpuError> for Fault {
    fn from(error: GpuError) -> Fault {
        match error.is_instance_of::<GpuOutOfMemoryError>() {
            true => Fault::OutOfMemory,
            false => Fault::Refused(error.message()),
        }
    }
}

fn raw(device: &wgpu::Device) -> GpuDevice {
    // Built for browsers, wgpu has no other kind of device.
    let device: &JsValue = device.as_webgpu().expect("a WebGPU device").as_ref();
    device.clone().unchecked_into()
}

/// Whether threads of a subgroup may work together; wgpu 30 does not tell.
pub fn has_subgroups(device: &wgpu::Device) -> bool {
    raw(device).features().has(&"subgroups".into())
}

/// Calls `report` for every error that no [`Scope`] catches.
pub fn on_uncaptured(device: &wgpu::Device, report: impl Fn(Fault) + 'static) {
    let listener = Closure::<dyn Fn(GpuUncapturedErrorEvent)>::new(move |event: GpuUncapturedErrorEvent| {
        report(event.error().into());
    });
    // The device owns the listener from here on.
    raw(device).add_event_listener("uncapturederror", &listener.into_js_value());
}

/// Catches the errors of what is called while it is open.
pub struct Scope(GpuDevice);

/// What a `GPUErrorFilter` can be.
const FILTERS: [&str; 3] = ["out-of-memory", "internal", "validation"];

impl Scope {
    /// Scopes nest: the last one opened must be closed first.
    pub fn open(device: &wgpu::Device) -> Scope {
        let device = raw(device);
        for filter in FILTERS {
            device.push_error_scope(filter);
        }
        Scope(device)
    }

    /// Calls `report` for what it caught, as soon as the browser tells; all of it has been reported when the future
    /// resolves.
    pub fn close(self, report: impl Fn(Fault) + 'static) -> LocalFuture<'static, ()> {
        let answers = FILTERS.map(|_| JsFuture::from(self.0.pop_error_scope()));
        let (done, wait) = oneshot();
        spawn_local(async move {
            for answer in answers {
                // It is null where nothing was caught, and rejects where the device is gone, which is told elsewhere.
                if let Ok(error) = answer.await
                    && !error.is_null()
                {
                    report(error.unchecked_into::<GpuError>().into());
                }
            }
            done(());
        });
        Box::pin(wait)
    }
}
