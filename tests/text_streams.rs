//! Text of tokens that come one by one, on small vocabularies.

#[path = "text/inputs.rs"]
mod inputs;
mod random;

use inputs::{HELLO, byte_level, sentencepiece};
use intab::text::StreamDecoder;
use random::Random;

#[test]
fn a_stream_says_what_the_whole_text_says_in_whole_characters() {
    let mut random = Random(3);
    for tokenizer in [byte_level(&["ð Ł", "Ġ ð"]).read(), sentencepiece(HELLO).read()] {
        for _ in 0..200 {
            let text = random.text(&[]).replace('▁', "_");
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
