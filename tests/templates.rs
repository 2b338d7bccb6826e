//! Chat templates of real models, against what `transformers` renders.

use std::{fs, path::PathBuf};

use intab::{Error, text::ChatTemplate};
use serde_json::{Map, Value};

/// 26 July 2024, which is what `strftime_now` told when the references were made.
const NOW: i64 = 1_721_952_000;

#[test]
fn real_templates_render_as_in_transformers() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/templates"));
    if !folder.exists() {
        println!("skipped: {} is not here", folder.display());
        return;
    }
    let (mut passed, mut failed) = (0, Vec::new());
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "jinja") {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let template = ChatTemplate::new(&fs::read_to_string(&path).unwrap()).unwrap();
        let reference: Value =
            serde_json::from_str(&fs::read_to_string(path.with_extension("json")).unwrap()).unwrap();
        for (case, expected) in reference["cases"].as_object().unwrap() {
            let mut variables: Map<String, Value> = expected.as_object().unwrap().clone();
            variables.retain(|key, _| key != "rendered" && key != "error");
            for key in ["bos_token", "eos_token", "date_string", "strftime_now"] {
                variables.insert(key.into(), reference[key].clone());
            }
            let rendered = template.render(variables, NOW);
            let agrees = match &expected["rendered"] {
                Value::String(text) => rendered.as_ref() == Ok(text),
                _ => refusal_agrees(&rendered, expected["error"].as_str().unwrap()),
            };
            if agrees {
                passed += 1;
            } else {
                failed.push(format!("{name} {case}:\n{rendered:?}\n{expected}"));
            }
        }
    }
    assert!(failed.is_empty(), "{passed} agree, these do not:\n{}", failed.join("\n"));
    assert!(passed >= 84, "{passed} cases");
}

/// A template's own words must come through; Python's words about Python's types need not.
fn refusal_agrees(rendered: &Result<String, Error>, expected: &str) -> bool {
    match rendered {
        Err(Error::Template { problem }) => {
            problem.contains(expected) || expected.contains("is not JSON serializable")
        }
        _ => false,
    }
}
