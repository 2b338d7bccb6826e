//! A constraint of the other module, `intab-grammar`, as a generation asks it.

use js_sys::Uint32Array;
use wasm_bindgen::prelude::*;

use crate::{
    error::{Error, Result},
    run::{Completion, Constraint},
};

#[wasm_bindgen]
extern "C" {
    /// See `Held` in `www/lib/wasm.d.ts`.
    pub type Held;

    #[wasm_bindgen(method, catch)]
    fn look(this: &Held) -> Result<u32, JsValue>;

    #[wasm_bindgen(method)]
    fn allowed(this: &Held) -> Uint32Array;

    #[wasm_bindgen(method, catch)]
    fn accept(this: &Held, id: u32) -> Result<(), JsValue>;
}

impl Constraint for Held {
    fn allow(&mut self, words: &mut [u32]) -> Result<Completion> {
        let completion = match self.look().map_err(typed)? {
            0 => Completion::Open,
            1 => Completion::MayEnd,
            _ => return Ok(Completion::Over),
        };
        self.allowed().copy_to(words);
        Ok(completion)
    }

    fn accept(&mut self, id: u32) -> Result<()> {
        Held::accept(self, id).map_err(typed)
    }
}

/// What the other module threw. A trap of it goes on as what it is.
fn typed(thrown: JsValue) -> Error {
    let Some(error) = thrown.dyn_ref::<js_sys::Error>() else { wasm_bindgen::throw_val(thrown) };
    let message = String::from(error.message());
    match String::from(error.name()).as_str() {
        "InputError" => Error::input("constraint", message),
        "UnsupportedError" => Error::unsupported("constraint", "structure", message),
        _ => wasm_bindgen::throw_val(thrown),
    }
}
