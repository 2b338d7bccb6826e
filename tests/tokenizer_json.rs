//! Tokenizers read out of `tokenizer.json` files, against what the Python package `tokenizers` makes of random texts.
//! `tests/data/make_tokenizers.py` made the cases; with `INTAB_TOKENIZERS` set to a folder of more of them, those are
//! compared.

use std::{
    fs,
    path::{Path, PathBuf},
};

use intab::text::{Encoding, StreamDecoder, Tokenizer, TokenizerFiles};
use serde_json::Value;

fn folder() -> PathBuf {
    std::env::var_os("INTAB_TOKENIZERS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokenizers"), PathBuf::from)
}

/// What the reference makes of a text, or of ids alone.
struct Case {
    text: Option<String>,
    second: Option<String>,
    ids: Vec<u32>,
    type_ids: Vec<u32>,
    offsets: Vec<(usize, usize)>,
    words: Vec<Option<u32>>,
    plain: String,
    whole: String,
}

impl Case {
    fn new(value: &Value) -> Self {
        let numbers = |i: usize| value[i].as_array().unwrap().iter().map(|n| n.as_i64().unwrap());
        let unsigned = |i: usize| numbers(i).map(|n| n as u32).collect::<Vec<_>>();
        let text = |i: usize| value[i].as_str().map(str::to_owned);
        Case {
            text: text(0),
            second: text(1),
            ids: unsigned(2),
            type_ids: unsigned(3),
            offsets: unsigned(4).chunks(2).map(|pair| (pair[0] as usize, pair[1] as usize)).collect(),
            words: numbers(5).map(|n| u32::try_from(n).ok()).collect(),
            plain: text(6).unwrap(),
            whole: text(7).unwrap(),
        }
    }
}

/// Streams ids, and says so if part of a character came out.
fn streamed(tokenizer: &Tokenizer, ids: &[u32], skip_special: bool) -> String {
    let mut decoder = StreamDecoder::new(tokenizer, skip_special);
    let mut text: String = ids.iter().map(|id| decoder.push(tokenizer, *id).unwrap()).collect();
    text += &decoder.finish();
    text
}

/// What differs, if anything.
fn difference(tokenizer: &Tokenizer, case: &Case) -> Option<String> {
    let mut found = Vec::new();
    if let Some(text) = &case.text {
        let Encoding { ids, type_ids, offsets, words, .. } =
            tokenizer.encode_pair(text, case.second.as_deref(), true).unwrap();
        if ids != case.ids {
            found.push(format!("ids {ids:?}\n     not {:?}", case.ids));
        } else {
            if offsets != case.offsets {
                found.push(format!("offsets {offsets:?}\n         not {:?}", case.offsets));
            }
            if type_ids != case.type_ids || words != case.words {
                found.push(format!(
                    "types {type_ids:?}, words {words:?}\n   not {:?}, {:?}",
                    case.type_ids, case.words
                ));
            }
        }
        if case.second.is_none() && tokenizer.encode(text, true, true).unwrap() != case.ids {
            found.push("encode does not agree with encode_pair".into());
        }
    }
    for (skip_special, expected) in [(true, &case.plain), (false, &case.whole)] {
        let text = tokenizer.decode(&case.ids, skip_special).unwrap();
        if text != *expected {
            found.push(format!("decodes to {text:?}\n        not {expected:?}"));
        }
        if streamed(tokenizer, &case.ids, skip_special) != text {
            found.push("streams another text than it decodes to".into());
        }
    }
    (!found.is_empty()).then(|| format!("{:?} {:?}: {}", case.text, case.second, found.join("\n")))
}

#[test]
fn ids_places_and_texts_are_those_of_the_reference() {
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".cases.json"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no cases in {}", folder().display());
    let mut wrong = 0;
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().replace(".cases.json", "");
        let json = fs::read(path.with_file_name(format!("{name}.json"))).unwrap();
        let start = std::time::Instant::now();
        let tokenizer = Tokenizer::from_json(&json, &TokenizerFiles::default()).unwrap();
        let read = start.elapsed();
        let cases: Vec<Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let differences: Vec<String> =
            cases.iter().filter_map(|case| difference(&tokenizer, &Case::new(case))).collect();
        println!(
            "{name}: {} cases, {} differ; read in {read:?}, {:?}",
            cases.len(),
            differences.len(),
            start.elapsed()
        );
        differences.iter().take(6).for_each(|difference| println!("{difference}"));
        wrong += differences.len();
    }
    assert_eq!(wrong, 0, "texts that differ from the reference");
}
