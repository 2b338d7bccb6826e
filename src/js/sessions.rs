//! Sessions as the worker sees them: numbers of a model.
#![expect(
    clippy::await_holding_refcell_ref,
    reason = "the RefCell is the model's lock: a call that comes meanwhile gets an error from try_borrow_mut"
)]

use js_sys::{Reflect, Uint8Array, Uint32Array};
use wasm_bindgen::prelude::*;

use super::{
    convert::throw,
    model::{Model, lock},
};
use crate::run::Session;

#[wasm_bindgen]
impl Model {
    /// The number of a new session.
    #[wasm_bindgen(js_name = openSession)]
    pub fn open_session(&self) -> Result<f64, JsValue> {
        let session = lock(&self.engine).and_then(|mut engine| engine.open_session()).map_err(throw)?;
        Ok(session.number() as f64)
    }

    /// Gives the memory of a session back.
    #[wasm_bindgen(js_name = closeSession)]
    pub fn close_session(&self, session: f64) -> Result<(), JsValue> {
        lock(&self.engine).map_err(throw)?.close_session(Session::from_number(session as u64));
        Ok(())
    }

    /// A session whose text is `ids`, as bytes, with a note for whoever restores it.
    #[wasm_bindgen(js_name = saveSession)]
    pub async fn save_session(
        &self,
        session: f64,
        ids: Vec<u32>,
        note: String,
    ) -> Result<Uint8Array, JsValue> {
        let mut engine = lock(&self.engine).map_err(throw)?;
        let session = Session::from_number(session as u64);
        let bytes = engine.save_session(session, &ids, &note).await.map_err(throw)?;
        Ok(Uint8Array::from(&bytes[..]))
    }

    /// A session out of such bytes: `{session, ids, note}`.
    #[wasm_bindgen(js_name = restoreSession)]
    pub fn restore_session(&self, bytes: &[u8]) -> Result<JsValue, JsValue> {
        let (session, saved) =
            lock(&self.engine).and_then(|mut engine| engine.restore_session(bytes)).map_err(throw)?;
        let object = js_sys::Object::new();
        Reflect::set(&object, &"session".into(), &(session.number() as f64).into())?;
        Reflect::set(&object, &"ids".into(), &Uint32Array::from(&saved.tokens[..]))?;
        Reflect::set(&object, &"note".into(), &saved.note.into())?;
        Ok(object.into())
    }
}
