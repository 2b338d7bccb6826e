//! What a `tokenizer.json` and the files beside it may say, on small ones made here: roles, framing, truncation, and
//! what is refused.

use intab::{
    Error,
    text::{TokenKind, Tokenizer, TokenizerFiles},
};
use serde_json::{Value, json};

fn added(content: &str, special: bool) -> Value {
    json!({"id": 0, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": special})
}

/// WordPiece over a few words, framed as BERT.
fn bert() -> Value {
    let special = |id: &str, type_id: u32| json!({"SpecialToken": {"id": id, "type_id": type_id}});
    let text = |id: &str, type_id: u32| json!({"Sequence": {"id": id, "type_id": type_id}});
    json!({
        "version": "1.0", "truncation": {"max_length": 3}, "padding": null,
        "added_tokens": [added("[PAD]", true), added("[UNK]", true), added("[CLS]", true), added("[SEP]", true), added("[MASK]", true)],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [special("[CLS]", 0), text("A", 0), special("[SEP]", 0)],
            "pair": [special("[CLS]", 0), text("A", 0), special("[SEP]", 0), text("B", 1), special("[SEP]", 1)],
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}},
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "cafe": 5, "##s": 6, "the": 7, ",": 8},
        },
    })
}

/// BPE over characters: `a b c ab`, then `<s>` and `</s>`.
fn bpe() -> Value {
    json!({
        "version": "1.0", "added_tokens": [added("<s>", true), added("</s>", true)],
        "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": {"type": "Fuse"},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3}, "merges": [["a", "b"]]},
    })
}

fn with(mut file: Value, pointer: &str, value: Value) -> Value {
    *file.pointer_mut(pointer).unwrap() = value;
    file
}

fn read_beside(file: &Value, config: Value, special_tokens_map: Value) -> Tokenizer {
    Tokenizer::from_json(file.to_string().as_bytes(), &TokenizerFiles { config, special_tokens_map }).unwrap()
}

fn read(file: &Value) -> Tokenizer {
    read_beside(file, Value::Null, Value::Null)
}

fn error(file: &Value) -> Error {
    Tokenizer::from_json(file.to_string().as_bytes(), &TokenizerFiles::default()).unwrap_err()
}

#[test]
fn places_are_those_of_the_original_text() {
    let encoding = read(&bert()).encode_pair("The  Cafés,", Some("CAFE\u{301}"), true).unwrap();
    assert_eq!(encoding.ids, [2, 7, 5, 6, 8, 3, 5, 3]);
    assert_eq!(encoding.offsets, [(0, 0), (0, 3), (5, 10), (10, 11), (11, 12), (0, 0), (0, 4), (0, 0)]);
    assert_eq!(encoding.type_ids, [0, 0, 0, 0, 0, 0, 1, 1]);
    assert_eq!(encoding.sequences, [None, Some(0), Some(0), Some(0), Some(0), None, Some(1), None]);
    assert_eq!(encoding.words, [None, Some(0), Some(1), Some(1), Some(2), None, Some(0), None]);
    assert_eq!((encoding.len(), encoding.is_empty()), (8, false));
}

#[test]
fn special_tokens_are_parsed_for_an_encoder_and_on_demand() {
    let tokenizer = read(&bert());
    assert_eq!(tokenizer.encode_pair("the [MASK]", None, false).unwrap().ids, [7, 4]);
    assert_eq!(tokenizer.encode("the [MASK]", true, true).unwrap(), [2, 7, 4, 3]);
    assert!(!tokenizer.encode("the [MASK]", false, false).unwrap().contains(&4));
    assert_eq!(tokenizer.decode(&[2, 7, 5, 6, 8, 3], true).unwrap(), "the cafes,");
    assert_eq!((tokenizer.piece(6).unwrap(), tokenizer.piece(7).unwrap()), ("s".into(), " the".into()));
}

#[test]
fn truncation_cuts_the_longer_text_and_keeps_the_frame() {
    let tokenizer = read(&bert());
    assert_eq!((tokenizer.n_special(false), tokenizer.n_special(true)), (2, 3));
    assert_eq!(tokenizer.encode_truncated("the the the", None, 4).unwrap().ids, [2, 7, 7, 3]);
    assert_eq!(tokenizer.encode_truncated("the the the", Some("cafe"), 6).unwrap().ids, [2, 7, 7, 3, 5, 3]);
    let error = tokenizer.encode_truncated("the", Some("the"), 2).unwrap_err();
    assert!(matches!(error, Error::Input { what: "max_len", .. }));
    assert_eq!(
        tokenizer.encode("the the the the", true, true).unwrap().len(),
        6,
        "the file's own truncation is not used"
    );
}

#[test]
fn roles_come_from_the_configuration_then_from_the_map() {
    let config =
        json!({"cls_token": "[CLS]", "mask_token": {"content": "[MASK]", "lstrip": true}, "eos_token": null});
    let map = json!({"cls_token": "[PAD]", "sep_token": {"content": "[SEP]"}, "bos_token": "[GONE]"});
    let tokenizer = read_beside(&bert(), config, map);
    assert_eq!((tokenizer.cls(), tokenizer.sep(), tokenizer.mask()), (Some(2), Some(3), Some(4)));
    assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.padding()), (None, None, None));
    assert_eq!(tokenizer.unknown(), Some(1), "the model names it");
    let alone = read(&bert());
    assert_eq!((alone.cls(), alone.sep(), alone.padding()), (Some(2), Some(3), Some(0)), "the usual names");
    assert_eq!(
        (alone.kind(1), alone.kind(2), alone.kind(5)),
        (Ok(TokenKind::Unknown), Ok(TokenKind::Control), Ok(TokenKind::Normal))
    );
}

#[test]
fn bos_and_eos_are_added_as_configured_where_the_file_frames_nothing() {
    let config =
        json!({"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": true, "add_eos_token": true});
    let tokenizer = read_beside(&bpe(), config.clone(), Value::Null);
    assert_eq!(tokenizer.encode("abc", true, false).unwrap(), [4, 3, 2, 5]);
    assert_eq!(tokenizer.encode_pair("a", Some("b"), true).unwrap().ids, [4, 0, 5, 4, 1, 5]);
    assert!(tokenizer.adds_bos() && tokenizer.adds_eos());
    assert!(tokenizer.is_end(5) && !tokenizer.is_end(4));
    let framed = with(
        bpe(),
        "/post_processor",
        json!({"type": "BertProcessing", "sep": ["</s>", 5], "cls": ["<s>", 4]}),
    );
    let plain = json!({"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": false});
    assert_eq!(read_beside(&framed, plain, Value::Null).encode("a", true, false).unwrap(), [4, 0, 5]);
    assert_eq!(read(&bpe()).encode("abc", true, false).unwrap(), [3, 2]);
}

#[test]
fn the_configuration_may_add_tokens() {
    let token = json!({"content": "<new>", "lstrip": false, "normalized": false, "rstrip": true, "single_word": false, "special": false});
    let config = json!({"added_tokens_decoder": {"6": token, "4": added("<s>", false)}, "pad_token": "c"});
    let tokenizer = read_beside(&bpe(), config, Value::Null);
    assert_eq!(tokenizer.encode("a<new>  b<s>", false, true).unwrap(), [0, 6, 1, 4]);
    assert_eq!((tokenizer.vocab_size(), tokenizer.kind(6)), (7, Ok(TokenKind::UserDefined)));
    assert!(tokenizer.is_special(4), "what the tokenizer.json says of a token counts");
    assert!(tokenizer.is_special(2), "a token with a role is special");
}

#[test]
fn old_files_do_not_name_their_model() {
    let mut file = bert();
    file["model"].as_object_mut().unwrap().remove("type");
    assert_eq!(read(&file).encode("the cafe", false, false).unwrap(), [7, 5]);
    let strings = with(bpe(), "/model/merges", json!(["a b"]));
    let mut strings = with(strings, "/model/type", Value::Null);
    assert_eq!(read(&strings).encode("ab", false, false).unwrap(), [3]);
    strings["model"] = json!({"vocab": [["<unk>", 0.0], ["a", -1.0]], "unk_id": 0});
    assert_eq!(read(&strings).encode("aé", false, false).unwrap(), [1, 0]);
}

#[test]
fn characters_without_a_token_are_unknown_or_left_out() {
    assert_eq!(read(&bpe()).encode("béab", false, false).unwrap(), [1, 3]);
    let mut file = bpe();
    file["model"]["unk_token"] = json!("c");
    assert_eq!(read(&file).encode("aééb", false, false).unwrap(), [0, 2, 2, 1]);
    file["model"]["fuse_unk"] = json!(true);
    assert_eq!(read(&file).encode("aééb", false, false).unwrap(), [0, 2, 1]);
    file["model"]["unk_token"] = json!("<gone>");
    let error = read(&file).encode("é", false, false).unwrap_err();
    assert!(matches!(&error, Error::Tokenizer { problem } if problem.contains("<gone>")), "{error}");
}

#[test]
fn parts_that_are_not_known_are_named() {
    let named = |file: Value, part: &str, name: &str| match error(&file) {
        Error::Unsupported { what, found, .. } => assert_eq!((what, found.as_str()), (part, name)),
        other => panic!("{other}"),
    };
    named(with(bpe(), "/version", json!("2.0")), "version of tokenizer.json", "2.0");
    named(with(bpe(), "/normalizer", json!({"type": "Romanize"})), "normalizer", "Romanize");
    named(
        with(bpe(), "/pre_tokenizer", json!({"type": "UnicodeScripts"})),
        "pre-tokenizer",
        "UnicodeScripts",
    );
    named(with(bpe(), "/post_processor", json!({"type": "Frame"})), "post-processor", "Frame");
    named(
        with(bpe(), "/decoder", json!({"type": "Sequence", "decoders": [{"type": "Rot13"}]})),
        "decoder",
        "Rot13",
    );
    named(with(bpe(), "/model/type", json!("Markov")), "tokenizer model", "Markov");
    let split =
        json!({"type": "Split", "pattern": {"Regex": r"(a)\1"}, "behavior": "Isolated", "invert": false});
    named(with(bpe(), "/pre_tokenizer", split), "regular expression", r"(a)\1");
    let twice = json!({"type": "BertProcessing", "sep": ["</s>", 5], "cls": ["<s>", 4]});
    let twice = json!({"type": "Sequence", "processors": [twice, twice]});
    named(with(bpe(), "/post_processor", twice), "second post-processor", "BertProcessing");
}

#[test]
fn what_is_wrong_says_where() {
    let at = |file: Value, place: &str| match error(&file) {
        Error::Format { file, field, problem, .. } => {
            assert_eq!(file, "tokenizer.json");
            assert!(field.ends_with(place) || problem.contains(place), "{field}: {problem}, not {place}");
        }
        other => panic!("{other}"),
    };
    at(json!({}), "model");
    at(json!([]), "struct File");
    at(with(bpe(), "/model/vocab", json!({"a": 4_000_000})), "model.vocab");
    at(with(bpe(), "/model/vocab", json!({"a": 0, "b": 0, "ab": 1, "c": 2})), "model.vocab");
    at(with(bpe(), "/model/vocab", json!({"a": -1})), "-1");
    at(with(bpe(), "/model/vocab", json!([["a", 0.0]])), "model.vocab");
    at(with(bpe(), "/model/merges", json!([["a", "z"]])), "model.merges");
    at(with(bpe(), "/model/merges", json!([["a"]])), "two tokens");
    at(with(bpe(), "/model/merges", json!(["ab"])), "ab");
    at(with(bpe(), "/model/merges", Value::Null), "model.merges");
    at(with(bert(), "/model/unk_token", Value::Null), "model.unk_token");
    at(with(bert(), "/normalizer/lowercase", json!("yes")), "normalizer.lowercase");
    at(
        with(bert(), "/post_processor/single/0", json!({"SpecialToken": {"id": "[X]", "type_id": 0}})),
        "special_tokens.[X].ids",
    );
    let length = json!({"type": "Sequence", "pretokenizers": [{"type": "FixedLength", "length": 0}]});
    at(with(bpe(), "/pre_tokenizer", length), "pre_tokenizer.pretokenizers[0].length");
    let charsmap = json!({"type": "Precompiled", "precompiled_charsmap": "*"});
    at(with(bpe(), "/normalizer", charsmap), "normalizer.precompiled_charsmap");
    let unigram = json!({"type": "Unigram", "unk_id": 7, "vocab": [["a", 0.0]]});
    at(with(bpe(), "/model", unigram), "model.unk_id");
}

#[test]
fn replacements_that_explode_are_an_error_of_the_text() {
    let double = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
    let flood = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "x".repeat(1 << 20)});
    for steps in [vec![double; 40], vec![flood]] {
        let tokenizer = read(&with(bpe(), "/normalizer", json!({"type": "Sequence", "normalizers": steps})));
        let error = tokenizer.encode("aaaaaaaa", false, false).unwrap_err();
        assert!(
            matches!(&error, Error::Tokenizer { problem } if problem.contains("of a text of 8")),
            "{error}"
        );
    }
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_panic() {
    let whole = bert().to_string();
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..3000 {
        let mut bytes = whole.clone().into_bytes();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            match random.u8(..3) {
                0 => bytes[at] = random.u8(..),
                1 => bytes.truncate(at.max(1)),
                _ => _ = bytes.remove(at),
            }
        }
        if let Ok(tokenizer) = Tokenizer::from_json(&bytes, &TokenizerFiles::default()) {
            let _ = tokenizer.encode_pair("The Cafés, [MASK] \u{1F600}", Some(""), true);
            let _ = tokenizer.decode(&[0, 5, 6, 7], false);
        }
    }
}
