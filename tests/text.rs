//! Tokenizers, streaming and stops on small vocabularies made here.

use std::collections::BTreeMap;

use intab::{
    Error,
    format::metadata::{Metadata, Value},
    text::{StreamDecoder, TokenKind, Tokenizer},
};

/// Metadata under `tokenizer.ggml.`.
struct File(Metadata);

impl File {
    fn new(model: &str, tokens: &[(&str, u64)]) -> Self {
        let metadata =
            Metadata { file: "made.gguf".into(), values: BTreeMap::new(), offsets: BTreeMap::new() };
        File(metadata)
            .with("model", Value::String(model.into()))
            .with("tokens", Value::Strings(tokens.iter().map(|(text, _)| text).collect()))
            .with("token_type", Value::Uints(tokens.iter().map(|(_, kind)| *kind).collect()))
    }

    fn with(mut self, key: &str, value: Value) -> Self {
        self.0.values.insert(format!("tokenizer.ggml.{key}"), value);
        self
    }

    fn without(mut self, key: &str) -> Self {
        self.0.values.remove(&format!("tokenizer.ggml.{key}"));
        self
    }

    fn read(&self) -> Tokenizer {
        Tokenizer::from_metadata(&self.0).unwrap()
    }

    fn error(&self) -> Error {
        Tokenizer::from_metadata(&self.0).unwrap_err()
    }
}

const NORMAL: u64 = 1;
const UNKNOWN: u64 = 2;
const CONTROL: u64 = 3;
const USER_DEFINED: u64 = 4;
const BYTE: u64 = 6;

/// The 256 bytes in GPT-2's alphabet, in order.
fn alphabet() -> Vec<String> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut next = 256;
    let spell = |byte: u8| {
        let code = if printable(byte) { u32::from(byte) } else { next };
        next += u32::from(!printable(byte));
        char::from_u32(code).unwrap().to_string()
    };
    (0..=255).map(spell).collect()
}

/// Bytes 0..=255, then `<|im_start|>` 256, `<|im_end|>` 257, `<think>` 258, then what `merges` make.
fn byte_level(merges: &[&str]) -> File {
    let made: Vec<String> = merges.iter().map(|merge| merge.replace(' ', "")).collect();
    let alphabet = alphabet();
    let mut tokens: Vec<(&str, u64)> = alphabet.iter().map(|text| (text.as_str(), NORMAL)).collect();
    tokens.extend([("<|im_start|>", CONTROL), ("<|im_end|>", CONTROL), ("<think>", USER_DEFINED)]);
    tokens.extend(made.iter().map(|text| (text.as_str(), NORMAL)));
    File::new("gpt2", &tokens)
        .with("pre", Value::String("gpt-2".into()))
        .with("merges", Value::Strings(merges.iter().collect()))
        .with("bos_token_id", Value::Uint(256))
        .with("eos_token_id", Value::Uint(257))
}

/// `<unk>` 0, `<s>` 1, `</s>` 2, bytes from 3, then pieces from 259, each with a score lower than the one before.
fn sentencepiece(pieces: &[&str]) -> File {
    let bytes: Vec<String> = (0..=255u8).map(|byte| format!("<0x{byte:02X}>")).collect();
    let mut tokens = vec![("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)];
    tokens.extend(bytes.iter().map(|text| (text.as_str(), BYTE)));
    tokens.extend(pieces.iter().map(|text| (*text, NORMAL)));
    let scores = (0..tokens.len()).map(|id| 258.0 - id as f32).collect();
    File::new("llama", &tokens)
        .with("scores", Value::Floats(scores))
        .with("bos_token_id", Value::Uint(1))
        .with("eos_token_id", Value::Uint(2))
        .with("unknown_token_id", Value::Uint(0))
}

/// Pieces that spell "hello world".
const HELLO: &[&str] = &["he", "ll", "llo", "hello", "▁hello", "▁w", "▁", "h", "e", "l", "o", "w"];

/// A small generator, so that each run of a test sees the same texts.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// Mostly ASCII and white space, with every plane of Unicode mixed in.
    fn text(&mut self, n: u64) -> String {
        let scalar = |random: &mut Self| match random.below(6) {
            0 => char::from_u32(random.below(0x11_0000) as u32).unwrap_or('\u{fffd}'),
            1 => char::from_u32(0x1F300 + random.below(0x300) as u32).unwrap_or(' '),
            2 => char::from_u32(0x300 + random.below(0x70) as u32).unwrap_or(' '),
            3 => [' ', '\n', '\t', '\r', '\u{a0}', '\u{3000}'][random.below(6) as usize],
            _ => char::from_u32(32 + random.below(95) as u32).unwrap_or(' '),
        };
        (0..n).map(|_| scalar(self)).collect()
    }
}

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
        for round in 0..60 {
            let text = random.text(round);
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
        .chain((0..60).map(|n| random.text(n)))
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
fn a_stream_says_what_the_whole_text_says_in_whole_characters() {
    let mut random = Random(3);
    for tokenizer in [byte_level(&["ð Ł", "Ġ ð"]).read(), sentencepiece(HELLO).read()] {
        for round in 0..200 {
            let text = random.text(1 + round % 40).replace('▁', "_");
            let ids = tokenizer.encode(&text, true, false).unwrap();
            let mut decoder = StreamDecoder::new(&tokenizer, true);
            let pieces: Vec<String> = ids.iter().map(|id| decoder.push(&tokenizer, *id).unwrap()).collect();
            assert_eq!(pieces.concat() + &decoder.finish(), text);
            let broken = pieces.concat().matches('\u{fffd}').count();
            assert_eq!(broken, text.matches('\u{fffd}').count(), "part of a character came out: {pieces:?}");
        }
    }
}

#[test]
fn ids_that_are_no_text_stream_as_they_decode() {
    let tokenizer = byte_level(&["ð Ł"]).read();
    let mut random = Random(4);
    for _ in 0..500 {
        let ids: Vec<u32> = (0..random.below(12)).map(|_| (128 + random.below(128)) as u32).collect();
        let bytes: Vec<u8> =
            ids.iter().flat_map(|id| tokenizer.token_bytes(*id).unwrap().into_owned()).collect();
        let mut decoder = StreamDecoder::new(&tokenizer, true);
        let mut text: String = ids.iter().map(|id| decoder.push(&tokenizer, *id).unwrap()).collect();
        text += &decoder.finish();
        assert_eq!(text, String::from_utf8_lossy(&bytes), "{bytes:x?}");
        assert_eq!(text, tokenizer.decode(&ids, true).unwrap());
    }
}

#[test]
fn the_first_space_goes_but_not_in_what_follows_a_prompt() {
    let tokenizer = sentencepiece(HELLO).read();
    let hello = tokenizer.token_id("▁hello").unwrap();
    let stream = |prompt: &[u32]| {
        let mut decoder = StreamDecoder::after(&tokenizer, prompt).unwrap();
        decoder.push(&tokenizer, hello).unwrap() + &decoder.push(&tokenizer, hello).unwrap()
    };
    assert_eq!(stream(&[]), "hello hello");
    assert_eq!(stream(&[1]), "hello hello", "after BOS");
    assert_eq!(stream(&[1, hello]), " hello hello");
    assert_eq!(stream(&[1, hello, 2]), "hello hello", "after a special token");
    assert_eq!(tokenizer.decode(&[1, hello, hello], true).unwrap(), "hello hello");
}

#[test]
fn a_character_that_the_prompt_leaves_unfinished_is_completed() {
    let tokenizer = byte_level(&[]).read();
    let (prompt, rest) = ("a😀".as_bytes().split_at(3), [0x80u32]);
    let prompt: Vec<u32> = prompt.0.iter().chain(&prompt.1[..1]).map(|byte| u32::from(*byte)).collect();
    let mut decoder = StreamDecoder::after(&tokenizer, &prompt).unwrap();
    assert_eq!(decoder.push(&tokenizer, rest[0]).unwrap(), "😀");
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
