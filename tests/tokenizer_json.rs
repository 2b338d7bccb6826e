//! Tokenizers read out of `tokenizer.json` files and out of GGUF metadata, against what the Python packages `tokenizers`
//! and `sentencepiece` make of random texts. `tests/data/make_tokenizers.py` made the cases; with `INTAB_TOKENIZERS` set
//! to a folder of more of them, those are compared.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use intab::{
    format::open_path,
    text::{Encoding, StreamDecoder, Tokenizer, TokenizerFiles},
};
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
    /// The text without special tokens, and with them; nothing where the reference was not asked.
    plain: Option<String>,
    whole: Option<String>,
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
            plain: text(6),
            whole: text(7),
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
        let Some(expected) = expected else { continue };
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

/// Reads every file that ends so and has cases, and prints and counts the cases that differ.
fn compare(
    end: &str,
    read: impl Fn(&Path) -> Tokenizer,
    difference: impl Fn(&Tokenizer, &Case) -> Option<String>,
) {
    let folder = folder();
    let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".cases.json").map(str::to_owned)).collect();
    names.retain(|name| folder.join(format!("{name}{end}")).exists());
    names.sort();
    let mut wrong = 0;
    for name in &names {
        let start = Instant::now();
        let tokenizer = read(&folder.join(format!("{name}{end}")));
        let read = start.elapsed();
        let cases = fs::read(folder.join(format!("{name}.cases.json"))).unwrap();
        let cases: Vec<Value> = serde_json::from_slice(&cases).unwrap();
        let start = Instant::now();
        let found: Vec<String> =
            cases.iter().filter_map(|case| difference(&tokenizer, &Case::new(case))).collect();
        println!(
            "{name}{end}: {} of {} differ; read in {read:?}, {:?}",
            found.len(),
            cases.len(),
            start.elapsed()
        );
        found.iter().take(6).for_each(|difference| println!("{difference}"));
        wrong += found.len();
    }
    assert!(
        !names.is_empty() || std::env::var_os("INTAB_TOKENIZERS").is_some(),
        "no cases in {}",
        folder.display()
    );
    assert_eq!(wrong, 0, "texts that differ from the reference");
}

#[test]
fn ids_places_and_texts_are_those_of_the_reference() {
    let read =
        |path: &Path| Tokenizer::from_json(&fs::read(path).unwrap(), &TokenizerFiles::default()).unwrap();
    compare(".json", read, difference);
}

#[test]
fn the_same_tokenizers_as_metadata_give_the_same_ids_and_places() {
    let read = |path: &Path| {
        let checkpoint = pollster::block_on(open_path(path)).unwrap();
        Tokenizer::from_metadata(&checkpoint.metadata).unwrap()
    };
    compare(".gguf", read, |tokenizer, case| {
        let text = case.text.as_ref()?;
        // SentencePiece's own cases have ids only, and nothing around them.
        let (ids, places) = if case.whole.is_none() {
            (tokenizer.encode(text, false, false).unwrap(), case.offsets.clone())
        } else {
            let encoding = tokenizer.encode_pair(text, case.second.as_deref(), true).unwrap();
            (encoding.ids, encoding.offsets)
        };
        let same = ids == case.ids && places == case.offsets;
        (!same)
            .then(|| format!("{text:?} {:?}: ids {ids:?}\n not {:?}\n at {places:?}", case.second, case.ids))
    });
}
