//! What JavaScript sees of this module: see `www/lib/grammar-module.d.ts`.

use js_sys::{Object, Reflect};
use wasm_bindgen::prelude::*;

use crate::{Completion, Error, Structure};

/// The structures of one model's vocabulary.
#[wasm_bindgen]
pub struct Grammars {
    inner: crate::Grammars,
    n_vocab: usize,
}

/// A text under way.
#[wasm_bindgen]
pub struct Constraint {
    inner: crate::Constraint,
    allowed: Vec<u32>,
}

#[wasm_bindgen]
impl Grammars {
    /// Of tokens whose bytes lie one behind the other, with the end of each.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8], ends: &[u32]) -> Result<Grammars, JsValue> {
        let starts = [0].into_iter().chain(ends.iter().copied());
        let tokens =
            starts.zip(ends).map(|(start, end)| bytes.get(start as usize..*end as usize).unwrap_or_default());
        let inner = crate::Grammars::new(tokens).map_err(throw)?;
        Ok(Grammars { inner, n_vocab: ends.len() })
    }

    /// A text that is to be held to a structure: `kind` is `"jsonSchema"`, `"regex"` or `"lark"`. `prefix` is what stands there
    /// already of it.
    pub fn constraint(&self, kind: &str, text: &str, prefix: &str) -> Result<Constraint, JsValue> {
        let structure = match kind {
            "jsonSchema" => Structure::JsonSchema(text),
            "regex" => Structure::Regex(text),
            "lark" => Structure::Lark(text),
            other => return Err(throw(Error::input("constraint", format!("`{other}` is none")))),
        };
        let mut inner = self.inner.constraint(&structure).map_err(throw)?;
        inner.begin(prefix).map_err(throw)?;
        Ok(Constraint { inner, allowed: vec![0; self.n_vocab.div_ceil(32)] })
    }
}

#[wasm_bindgen]
impl Constraint {
    /// Finds out what may come next; gives 0 where something must follow, 1 where the text may end, 2 where it is over.
    pub fn look(&mut self) -> Result<u32, JsValue> {
        self.allowed.fill(0);
        Ok(match self.inner.allow(&mut self.allowed).map_err(throw)? {
            Completion::Open => 0,
            Completion::MayEnd => 1,
            Completion::Over => 2,
        })
    }

    /// What was found: bit `i % 32` of word `i / 32` for token `i`. It lies in this module's memory until the next call.
    pub fn allowed(&self) -> js_sys::Uint32Array {
        // SAFETY: whoever asks copies the words at once, before another call can move them.
        unsafe { js_sys::Uint32Array::view(&self.allowed) }
    }

    /// Takes the token that came.
    pub fn accept(&mut self, id: u32) -> Result<(), JsValue> {
        self.inner.accept(id).map_err(throw)
    }
}

/// An `Error` whose `name` is the class and whose `details` are the variant's fields, as in `src/js`.
fn throw(error: Error) -> JsValue {
    // JavaScript calls the schema by its option's name.
    let message = error.to_string().replace("json_schema", "jsonSchema");
    let (class, fields) = match error {
        Error::Input { what, problem } => {
            ("InputError", vec![("what", what.to_owned()), ("problem", problem)])
        }
        Error::Unsupported { what, found, hint } => {
            ("UnsupportedError", vec![("what", what.to_owned()), ("found", found), ("hint", hint)])
        }
    };
    let details = Object::new();
    for (name, value) in fields {
        let value = value.replace("json_schema", "jsonSchema");
        // Setting a property of a fresh object cannot fail.
        let _ = Reflect::set(&details, &name.into(), &value.into());
    }
    let object = js_sys::Error::new(&message);
    object.set_name(class);
    let _ = Reflect::set(&object, &"details".into(), &details);
    object.into()
}
