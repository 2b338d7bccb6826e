//! Tokenizers on small vocabularies made here.

#[path = "text/inputs.rs"]
mod inputs;
mod random;

use inputs::{File, HELLO, NORMAL, UNKNOWN, USER_DEFINED, byte_level, sentencepiece};
use intab::{
    Error,
    format::metadata::Value,
    text::{StreamDecoder, TokenKind},
};
use random::Random;

#[test]
fn merges_go_by_rank_within_words() {
    let tokenizer = byte_level(&["l l", "h e", "he ll", "hell o", "Ġ w"]).read();
    let ids = tokenizer.encode("hello wow hell", false, false).unwrap();
    let pieces: Vec<String> = ids.iter().map(|id| tokenizer.piece(*id).unwrap()).collect();
    assert_eq!(pieces, ["hello", " w", "o", "w", " ", "hell"]);
}

#[test]
fn a_word_that_is_a_token_stays_whole_where_the_pre_tokenizer_says_so() {
    // No merge leads to "abc" from a·b·c: "b c" goes first, and a·bc is no merge.
    let merges = &["b c", "a b", "ab c"];
    let whole = byte_level(merges).with("pre", Value::String("llama-bpe".into())).read();
    let merged = byte_level(merges).read();
    let abc = whole.token_id("abc").unwrap();
    assert_eq!(whole.encode("abc", false, false).unwrap(), [abc]);
    assert_eq!(merged.encode("abc", false, false).unwrap(), [97, merged.token_id("bc").unwrap()]);
}

#[test]
fn every_text_survives_byte_level_bpe() {
    let mut random = Random(1);
    for pre in [
        "gpt-2",
        "llama-bpe",
        "qwen2",
        "smollm",
        "deepseek-v3",
        "deepseek-llm",
        "deepseek-coder",
        "tekken",
        "bloom",
    ] {
        let tokenizer =
            byte_level(&["e r", "Ġ t", "i n", "Ġt h", "ã ģ"]).with("pre", Value::String(pre.into())).read();
        for _ in 0..60 {
            let text = random.text(&[]);
            let ids = tokenizer.encode(&text, false, false).unwrap();
            assert_eq!(tokenizer.decode(&ids, true).unwrap(), text, "{pre}");
        }
    }
}

#[test]
fn sentencepiece_merges_the_best_score_first() {
    let tokenizer = sentencepiece(HELLO).read();
    let ids = tokenizer.encode("hello wow", false, false).unwrap();
    let pieces: Vec<String> = ids.iter().map(|id| tokenizer.piece(*id).unwrap()).collect();
    assert_eq!(pieces, [" hello", " w", "o", "w"]);
}

#[test]
fn equal_scores_merge_from_the_left() {
    let file = sentencepiece(&["ab", "bc", "a", "b", "c"]).with("add_space_prefix", Value::Bool(false));
    let n = file.read().vocab_size();
    let tokenizer = file.with("scores", Value::Floats(vec![0.0; n])).read();
    let ids = tokenizer.encode("abc", false, false).unwrap();
    assert_eq!(ids, [tokenizer.token_id("ab").unwrap(), tokenizer.token_id("c").unwrap()]);
}

#[test]
fn what_no_piece_spells_falls_back_to_bytes() {
    let tokenizer = sentencepiece(HELLO).with("add_space_prefix", Value::Bool(false)).read();
    let ids = tokenizer.encode("hé", false, false).unwrap();
    assert_eq!(ids, [tokenizer.token_id("h").unwrap(), 3 + 0xC3, 3 + 0xA9]);
    assert_eq!(tokenizer.decode(&ids, true).unwrap(), "hé");
}

#[test]
fn without_byte_tokens_it_is_the_unknown_token() {
    let tokens = [("<unk>", UNKNOWN), ("a", NORMAL)];
    let file = File::new("llama", &tokens)
        .with("scores", Value::Floats(vec![0.0, -1.0]))
        .with("add_space_prefix", Value::Bool(false));
    assert_eq!(file.read().encode("aé", false, false).unwrap(), [1, 0, 0]);
}

#[test]
fn a_text_keeps_its_spaces_through_sentencepiece() {
    let tokenizer = sentencepiece(HELLO).read();
    let mut random = Random(2);
    for text in ["", " ", "  ", " hello", "hello  world ", "\n hello"]
        .map(String::from)
        .into_iter()
        .chain((0..60).map(|_| random.text(&[])))
    {
        // U+2581 is how the vocabulary writes a space, so no text can keep it.
        let text = text.replace('▁', "_");
        let ids = tokenizer.encode(&text, true, false).unwrap();
        assert_eq!(tokenizer.decode(&ids, true).unwrap(), text);
    }
}

#[test]
fn extra_white_space_goes_where_the_file_says_so() {
    let tokenizer = sentencepiece(HELLO).with("remove_extra_whitespaces", Value::Bool(true)).read();
    let plain = tokenizer.encode("hello w", false, false).unwrap();
    assert_eq!(tokenizer.encode("  hello   w ", false, false).unwrap(), plain);
}

#[test]
fn bos_and_eos_follow_the_file() {
    let spm = sentencepiece(HELLO);
    assert_eq!(spm.read().encode("", true, false).unwrap(), [1], "SentencePiece begins with BOS by default");
    let both = spm.with("add_bos_token", Value::Bool(false)).with("add_eos_token", Value::Bool(true)).read();
    assert_eq!(both.encode("", true, false).unwrap(), [2]);
    assert_eq!((both.adds_bos(), both.adds_eos()), (false, true));
    let bpe = byte_level(&[]).read();
    assert_eq!(bpe.encode("a", true, false).unwrap(), [97], "byte-level BPE does not");
    let llama3 = byte_level(&[]).with("pre", Value::String("llama-bpe".into())).read();
    assert_eq!(llama3.encode("a", true, false).unwrap(), [256, 97], "unless it is Llama 3's");
}

#[test]
fn special_tokens_are_parsed_only_on_demand() {
    let tokenizer = byte_level(&[]).read();
    let text = "<|im_start|>a<|im_end|>";
    assert_eq!(tokenizer.encode(text, false, true).unwrap(), [256, 97, 257]);
    let plain = tokenizer.encode(text, false, false).unwrap();
    assert_eq!(plain.len(), text.len());
    assert!(plain.iter().all(|id| !tokenizer.is_special(*id)));
    assert_eq!(tokenizer.decode(&plain, true).unwrap(), text);
}

#[test]
fn plain_text_never_becomes_a_control_token_by_merging() {
    let tokenizer = sentencepiece(&["▁", "<", "/", "s", ">", "</", "</s", "s>"])
        .with("add_space_prefix", Value::Bool(false))
        .read();
    let ids = tokenizer.encode("</s>", false, false).unwrap();
    assert!(!ids.contains(&2), "{ids:?}");
    assert_eq!(tokenizer.decode(&ids, true).unwrap(), "</s>");
}

#[test]
fn user_defined_tokens_are_always_matched_the_longest_first() {
    let tokenizer = byte_level(&[]).read();
    assert_eq!(tokenizer.encode("é<think>x", false, false).unwrap(), [0xC3, 0xA9, 258, 120]);
    let tokens = [("a", NORMAL), ("##", USER_DEFINED), ("###", USER_DEFINED)];
    let longest = File::new("llama", &tokens)
        .with("scores", Value::Floats(vec![0.0; 3]))
        .with("add_space_prefix", Value::Bool(false))
        .read();
    assert_eq!(longest.encode("a#####", false, false).unwrap(), [0, 2, 1]);
}

#[test]
fn control_tokens_are_shown_or_skipped() {
    let tokenizer = byte_level(&[]).read();
    let ids = [256, 97, 258, 257];
    assert_eq!(tokenizer.decode(&ids, false).unwrap(), "<|im_start|>a<think><|im_end|>");
    assert_eq!(tokenizer.decode(&ids, true).unwrap(), "a<think>");
    assert_eq!(tokenizer.piece(257).unwrap(), "<|im_end|>");
    assert_eq!(tokenizer.kind(258), Ok(TokenKind::UserDefined));
}

#[test]
fn answers_end_at_eos_and_at_the_usual_names() {
    let tokenizer =
        byte_level(&[]).with("eos_token_id", Value::Uint(256)).with("eom_token_id", Value::Uint(65)).read();
    assert_eq!(tokenizer.ends(), [65, 256, 257]);
    assert!(tokenizer.is_end(257) && !tokenizer.is_end(97));
    assert_eq!(tokenizer.eot(), Some(65));
}

#[test]
fn ids_outside_the_vocabulary_are_named() {
    let tokenizer = byte_level(&[]).read();
    for result in [
        tokenizer.decode(&[97, 999], true),
        tokenizer.piece(999),
        StreamDecoder::after(&tokenizer, &[999]).map(|_| String::new()),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(&error, Error::Input { problem, .. } if problem.contains("999")), "{error}");
    }
}

#[test]
fn files_without_a_tokenizer_say_so() {
    let file = byte_level(&[]);
    assert!(matches!(file.without("tokens").error(), Error::Tokenizer { .. }));
    assert!(matches!(File::new("gpt2", &[]).error(), Error::Tokenizer { .. }));
    let error = byte_level(&[]).without("model").error();
    assert!(matches!(error, Error::Format { field, .. } if field == "tokenizer.ggml.model"));
}

#[test]
fn unknown_kinds_and_pre_tokenizers_are_named() {
    let kind = byte_level(&[]).with("model", Value::String("rwkv".into())).error();
    assert!(matches!(kind, Error::Unsupported { what: "tokenizer", found, .. } if found == "rwkv"));
    let pre = byte_level(&[]).with("pre", Value::String("nobody-knows".into())).error();
    assert!(
        matches!(pre, Error::Unsupported { what: "pre-tokenizer", found, .. } if found == "nobody-knows")
    );
}

#[test]
fn lists_that_do_not_fit_name_their_key() {
    let format = |file: File, key: &str, words: &str| match file.error() {
        Error::Format { field, problem, .. } => {
            assert_eq!(field, format!("tokenizer.ggml.{key}"));
            assert!(problem.contains(words), "{problem}");
        }
        other => panic!("{other}"),
    };
    format(byte_level(&[]).with("bos_token_id", Value::Uint(259)), "bos_token_id", "259");
    format(byte_level(&[]).with("eos_token_id", Value::Int(-1)), "eos_token_id", "-1");
    format(byte_level(&[]).with("token_type", Value::Uints(vec![1])), "token_type", "1 types for 259 tokens");
    format(byte_level(&[]).with("token_type", Value::Uints(vec![9; 259])), "token_type", "9");
    format(byte_level(&[]).without("merges"), "merges", "missing");
    format(byte_level(&[]).with("merges", Value::Strings(["ab"].iter().collect())), "merges", "no space");
    format(byte_level(&[]).with("merges", Value::Strings(["a zz"].iter().collect())), "merges", "\"zz\"");
    format(byte_level(&[]).with("merges", Value::Strings(["a b"].iter().collect())), "merges", "\"ab\"");
    format(sentencepiece(HELLO).with("scores", Value::Floats(vec![0.0])), "scores", "1 scores");
    format(sentencepiece(HELLO).without("scores"), "scores", "missing");
    format(byte_level(&[]).with("tokens", Value::Uint(3)), "tokens", "array of strings");
}

#[test]
fn a_byte_without_a_token_is_an_error_of_the_text() {
    let file = File::new("gpt2", &[("a", NORMAL)]).with("merges", Value::Strings(Default::default()));
    let error = file.read().encode("ab", false, false).unwrap_err();
    assert!(matches!(&error, Error::Tokenizer { problem } if problem.contains("0x62")), "{error}");
}

#[test]
fn a_long_run_of_one_letter_is_no_trap() {
    let text = "a".repeat(200_000);
    let spaces = " ".repeat(200_000) + "1";
    let spm = sentencepiece(&["▁", "a", "aa", "aaaa"]).read();
    assert_eq!(spm.encode(&text, false, false).unwrap().len(), 50_001);
    for pre in ["gpt-2", "deepseek-llm", "bloom", "deepseek-v3"] {
        let bpe = byte_level(&["a a", "aa aa"]).with("pre", Value::String(pre.into())).read();
        assert_eq!(bpe.encode(&text, false, false).unwrap().len(), 50_000);
        assert_eq!(bpe.encode(&spaces, false, false).unwrap().len(), 200_001);
    }
}
