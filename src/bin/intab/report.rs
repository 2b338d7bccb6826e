//! Lines of figures, and how they compare with those of another time.

use std::path::Path;

use intab::Error;
use serde_json::{Map, Value, json};

use super::output::{Result, print};

/// What says which case a line is about: these are not compared.
const CASE: [&str; 10] = [
    "bench",
    "model",
    "types",
    "parameters",
    "backend",
    "depth",
    "kernel",
    "prompt_tokens",
    "new_tokens",
    "texts",
];

/// Prints lines, and beside each its ratios to the line of the same case in an older file.
pub struct Report {
    older: Vec<Value>,
}

impl Report {
    /// `older`: a file of such lines; those of other programs are passed over.
    pub fn new(older: Option<&Path>) -> Result<Report> {
        let Some(path) = older else { return Ok(Report { older: Vec::new() }) };
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::input("compare", format!("{}: {error}", path.display())))?;
        Ok(Report { older: text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect() })
    }

    /// Prints a line.
    pub fn print(&self, line: Value) -> Result<()> {
        print(&line.to_string())?;
        let is_same = |older: &&Value| CASE.iter().all(|key| older.get(key) == line.get(key));
        match self.older.iter().find(is_same) {
            Some(older) => print(&comparison(&line, older).to_string()),
            None => Ok(()),
        }
    }
}

/// The line's case, and for each of its figures how many times larger it is.
fn comparison(line: &Value, older: &Value) -> Value {
    let case = CASE.iter().filter(|key| **key != "bench").filter_map(|key| Some((*key, line.get(key)?)));
    let mut compared = Map::from_iter([("bench".to_owned(), json!("comparison"))]);
    compared.insert("of".into(), line["bench"].clone());
    compared.extend(case.map(|(key, value)| (key.to_owned(), value.clone())));
    compared.insert("ratios".into(), ratios(line, older));
    Value::Object(compared)
}

/// New to old, for every number that both have.
fn ratios(line: &Value, older: &Value) -> Value {
    let fields = line.as_object().into_iter().flatten().filter(|(key, _)| !CASE.contains(&key.as_str()));
    let ratio = |(key, new): (&String, &Value)| {
        let old = older.get(key)?;
        let ratio = match (new.as_f64(), old.as_f64()) {
            (Some(new), Some(old)) if old != 0.0 => json!(new / old),
            _ if new.is_object() && old.is_object() => ratios(new, old),
            _ => return None,
        };
        Some((key.clone(), ratio))
    };
    Value::Object(fields.filter_map(ratio).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_become_ratios_and_what_names_the_case_stays() {
        let old =
            json!({"bench": "native", "model": "a", "speed": 2.0, "at": {"8": 4, "9": 1}, "device": "x"});
        let new =
            json!({"bench": "native", "model": "a", "speed": 3.0, "at": {"8": 2}, "device": "y", "more": 1});
        let expected = json!({"bench": "comparison", "of": "native", "model": "a", "ratios": {"speed": 1.5, "at": {"8": 0.5}}});
        assert_eq!(comparison(&new, &old), expected);
    }
}
