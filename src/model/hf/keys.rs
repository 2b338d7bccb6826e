//! Typed access to `config.json`: a key that is missing or null takes the default of transformers' class, and an error
//! names the key.

use serde_json::{Map, Value as Json};

use crate::{
    error::{Error, Result},
    plan::Function,
};

/// No model comes near; what is larger is a damaged file.
const LARGEST: usize = 1 << 24;

/// An object of `config.json`, or all of it. Keys are looked up by several names, of which the first that is there counts.
pub(super) struct Keys<'a> {
    file: String,
    /// What stands before the names of keys in messages: nothing, or the keys of the outer objects.
    path: String,
    object: &'a Map<String, Json>,
}

impl<'a> Keys<'a> {
    /// # Errors
    /// [`Error::Format`] if `json` is no object.
    pub fn new(file: String, json: &'a Json) -> Result<Keys<'a>> {
        match json.as_object() {
            Some(object) => Ok(Keys { file, path: String::new(), object }),
            None => Err(Error::format(file, "JSON", 0, "it is not an object")),
        }
    }

    /// An [`Error::Format`] about a key.
    pub fn bad(&self, name: &str, problem: impl Into<String>) -> Error {
        Error::format(&self.file, format!("{}{name}", self.path), 0, problem)
    }

    /// How messages name another file of the same folder.
    pub fn file_beside(&self, name: &str) -> String {
        match self.file.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{name}"),
            None => name.to_owned(),
        }
    }

    /// The first of these keys that is there and not null, with its name.
    fn find<'b>(&self, names: &[&'b str]) -> Option<(&'b str, &'a Json)> {
        names.iter().find_map(|name| Some((*name, self.get(name)?)))
    }

    /// By which of these names the config has a key; the first where it has none.
    pub fn name_of<'b>(&self, names: &[&'b str]) -> &'b str {
        self.find(names).map_or(names[0], |(name, _)| name)
    }

    /// The value of a key, unless it is null.
    pub fn get(&self, name: &str) -> Option<&'a Json> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Whether a key is there with the value null, which for some keys says something else than a missing key.
    pub fn is_null(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(Json::is_null)
    }

    /// A size: at least 1, and small enough to multiply without overflow.
    pub fn opt_size(&self, names: &[&str]) -> Result<Option<usize>> {
        match self.opt_count(names)? {
            Some(0) => {
                let name = self.name_of(names);
                Err(self.bad(name, format!("0 is not between 1 and {LARGEST}")))
            }
            size => Ok(size),
        }
    }

    pub fn size(&self, names: &[&str], default: usize) -> Result<usize> {
        Ok(self.opt_size(names)?.unwrap_or(default))
    }

    /// A size that null takes away, where a missing key has a default.
    pub fn nullable_size(&self, name: &str, default: Option<usize>) -> Result<Option<usize>> {
        match self.is_null(name) {
            true => Ok(None),
            false => Ok(self.opt_size(&[name])?.or(default)),
        }
    }

    /// A size that may be 0.
    pub fn opt_count(&self, names: &[&str]) -> Result<Option<usize>> {
        let Some((name, value)) = self.find(names) else { return Ok(None) };
        // Python may have written a whole number as a float.
        let number = value
            .as_u64()
            .or_else(|| value.as_f64().filter(|x| x.fract() == 0.0 && *x >= 0.0).map(|x| x as u64));
        match number.and_then(|n| usize::try_from(n).ok()).filter(|n| *n < LARGEST) {
            Some(n) => Ok(Some(n)),
            None => Err(self.bad(name, format!("{} is not a number from 0 to {LARGEST}", shown(value)))),
        }
    }

    /// The product of two sizes, if it is one too.
    pub fn product(&self, name: &str, a: usize, b: usize) -> Result<usize> {
        let product = a.checked_mul(b).filter(|n| *n < LARGEST);
        product.ok_or_else(|| self.bad(name, format!("{a} times {b} is not below {LARGEST}")))
    }

    pub fn opt_number(&self, names: &[&str]) -> Result<Option<f32>> {
        let Some((name, value)) = self.find(names) else { return Ok(None) };
        match value.as_f64().map(|x| x as f32).filter(|x| x.is_finite()) {
            Some(x) => Ok(Some(x)),
            None => Err(self.bad(name, format!("{} is not a finite number", shown(value)))),
        }
    }

    pub fn number(&self, names: &[&str], default: f32) -> Result<f32> {
        Ok(self.opt_number(names)?.unwrap_or(default))
    }

    /// A number above 0.
    pub fn positive(&self, names: &[&str], default: f32) -> Result<f32> {
        Ok(self.opt_positive(names)?.unwrap_or(default))
    }

    pub fn opt_positive(&self, names: &[&str]) -> Result<Option<f32>> {
        let number = self.opt_number(names)?;
        match number {
            Some(x) if x <= 0.0 => {
                let name = self.name_of(names);
                Err(self.bad(name, format!("{x} is not above 0")))
            }
            _ => Ok(number),
        }
    }

    /// A list of numbers above 0.
    pub fn opt_positives(&self, name: &str) -> Result<Option<Vec<f32>>> {
        let Some(list) = self.opt_list(name)? else { return Ok(None) };
        let number = |value: &Json| value.as_f64().map(|x| x as f32).filter(|x| x.is_finite() && *x > 0.0);
        let numbers: Option<Vec<f32>> = list.iter().map(number).collect();
        numbers.map(Some).ok_or_else(|| self.bad(name, "an element is not a number above 0"))
    }

    pub fn opt_flag(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Bool(flag)) => Ok(Some(*flag)),
            Some(value) => Err(self.bad(name, format!("{} is not true or false", shown(value)))),
        }
    }

    pub fn flag(&self, name: &str, default: bool) -> Result<bool> {
        Ok(self.opt_flag(name)?.unwrap_or(default))
    }

    pub fn opt_text(&self, names: &[&str]) -> Result<Option<&'a str>> {
        let Some((name, value)) = self.find(names) else { return Ok(None) };
        match value.as_str() {
            Some(text) => Ok(Some(text)),
            None => Err(self.bad(name, format!("{} is not a text", shown(value)))),
        }
    }

    pub fn opt_list(&self, name: &str) -> Result<Option<&'a Vec<Json>>> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Array(list)) => Ok(Some(list)),
            Some(value) => Err(self.bad(name, format!("{} is not a list", shown(value)))),
        }
    }

    pub fn opt_object(&self, name: &str) -> Result<Option<Keys<'a>>> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Object(object)) => {
                let path = format!("{}{name}.", self.path);
                Ok(Some(Keys { file: self.file.clone(), path, object }))
            }
            Some(value) => Err(self.bad(name, format!("{} is not an object", shown(value)))),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.object.is_empty()
    }

    pub fn entries(&self) -> impl Iterator<Item = (&'a String, &'a Json)> {
        self.object.iter()
    }

    /// An activation by transformers' name.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for one that is not run.
    pub fn activation(&self, names: &[&str], default: Function) -> Result<Function> {
        let Some(name) = self.opt_text(names)? else { return Ok(default) };
        Function::named(name).ok_or_else(|| {
            let hint = "silu, gelu and its approximations, quick_gelu, relu, relu2, tanh and sigmoid are run";
            Error::unsupported("activation", name, hint)
        })
    }

    /// Refuses a feature that is not run, where it is on.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the key is there and true.
    pub fn refuse(&self, name: &'static str, hint: &str) -> Result<()> {
        match self.flag(name, false)? {
            true => Err(Error::unsupported("feature", name, hint)),
            false => Ok(()),
        }
    }
}

/// A value for a message.
fn shown(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(40) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with<T>(json: Json, read: impl Fn(&Keys) -> Result<T>) -> Result<T> {
        read(&Keys::new("config.json".into(), &json)?)
    }

    #[test]
    fn missing_and_null_keys_take_the_default() {
        let json = json!({ "a": null, "b": 3, "c": null, "d": 4.0 });
        assert_eq!(with(json.clone(), |keys| keys.size(&["a", "x"], 7)).unwrap(), 7);
        assert_eq!(with(json.clone(), |keys| keys.size(&["a", "b"], 7)).unwrap(), 3);
        assert_eq!(with(json.clone(), |keys| keys.size(&["d"], 7)).unwrap(), 4);
        assert_eq!(with(json.clone(), |keys| keys.nullable_size("c", Some(2))).unwrap(), None);
        assert_eq!(with(json, |keys| keys.nullable_size("x", Some(2))).unwrap(), Some(2));
    }

    #[test]
    fn nonsense_names_the_file_and_the_key() {
        for value in
            [json!(0), json!(-1), json!(1 << 24), json!(0.5), json!("many"), json!([1]), json!(1e300)]
        {
            let error =
                with(json!({ "num_attention_heads": value }), |keys| keys.size(&["num_attention_heads"], 1));
            let text = error.unwrap_err().to_string();
            assert!(text.starts_with("config.json: num_attention_heads: "), "{text}");
        }
        let json = json!({ "rope_scaling": { "factor": "big" } });
        let error = with(json, |keys| keys.opt_object("rope_scaling")?.unwrap().opt_positive(&["factor"]))
            .unwrap_err();
        assert_eq!(error.to_string(), "config.json: rope_scaling.factor: \"big\" is not a finite number");
    }

    #[test]
    fn an_unknown_activation_is_refused_by_name() {
        let error =
            with(json!({ "hidden_act": "mish" }), |keys| keys.activation(&["hidden_act"], Function::Gelu));
        assert!(error.unwrap_err().to_string().starts_with("unsupported activation `mish`"));
    }
}
