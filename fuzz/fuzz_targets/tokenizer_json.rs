//! Any bytes as a `tokenizer.json`: an error, or a tokenizer that turns texts into ids below its size, and those into text.
#![no_main]

use intab::text::{Tokenizer, TokenizerFiles};
use libfuzzer_sys::fuzz_target;

const TEXTS: [&str; 4] = ["Once upon a time, 12345 mice's  \n\n\tcheese.", "<s> é́ ﬁ 日本語 🤗\u{200d}x</s>", "", "▁ Ġ##"];

fuzz_target!(|bytes: &[u8]| {
    let Ok(tokenizer) = Tokenizer::from_json(bytes, &TokenizerFiles::default()) else { return };
    for text in TEXTS {
        if let Ok(ids) = tokenizer.encode(text, true, true) {
            let _ = tokenizer.decode(&ids, true);
        }
    }
});
