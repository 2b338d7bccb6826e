//! Tokens back to text as they come, by the decoders of a `tokenizer.json`. Each step takes tokens one at a time and
//! keeps what it needs of those before; so a text that streams is the text that the whole decodes to.

use std::sync::Arc;

use super::{alphabet, pattern::Pattern, regex::Part, vocab::byte_of};
use crate::error::{Error, Result};

/// One step, by its name in a `tokenizer.json`.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Tokens are written in the byte alphabet.
    ByteLevel,
    /// `<0xNN>` is a byte.
    ByteFallback,
    /// `replacement` is a space, but not in the first token if the encoder put it there.
    Metaspace {
        replacement: char,
        prepends: bool,
    },
    /// A space before every token that does not continue a word.
    WordPiece {
        prefix: String,
        cleans: bool,
    },
    /// The end of a word is a space, but for the last.
    BpeSuffix(String),
    /// Equal neighbours are one, the padding is nothing.
    Ctc {
        pad: String,
        delimiter: String,
        cleans: bool,
    },
    Replace {
        pattern: Pattern,
        content: String,
    },
    /// At most so many of a character off the start and off the end of each token.
    Strip(Strip),
    /// The same of the whole text.
    StripText(Strip),
    /// All tokens become one.
    Fuse,
    /// Where there is no decoder: a space between tokens.
    Join,
}

/// What is stripped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Strip {
    pub content: char,
    pub start: usize,
    pub stop: usize,
}

/// Makes steps out of a file's decoders. Where only stripping follows a text that was made one, it need not be held
/// back to the end.
///
/// # Errors
/// [`Error::Unsupported`] for a regular expression that is searched for in the whole text.
pub(super) fn compile(decoders: Vec<Step>) -> Result<Arc<[Step]>> {
    let mut steps = Vec::with_capacity(decoders.len());
    for step in decoders {
        let fuses = matches!(step, Step::ByteLevel);
        steps.push(step);
        steps.extend(fuses.then_some(Step::Fuse));
    }
    let is_tail = |step: &Step| matches!(step, Step::Fuse | Step::Strip(_));
    let tail = steps.iter().rposition(|step| !is_tail(step)).map_or(0, |last| last + 1);
    if let Some(fuse) = steps[tail..].iter().position(|step| matches!(step, Step::Fuse)) {
        let after = steps.split_off(tail + fuse);
        steps.extend(after.into_iter().filter_map(|step| match step {
            Step::Strip(strip) => Some(Step::StripText(strip)),
            _ => None,
        }));
    }
    let held = |step: &Step| matches!(step, Step::Fuse | Step::ByteFallback | Step::BpeSuffix(_));
    let mut after = steps.iter().skip_while(|step| !held(step));
    if after.any(|step| matches!(step, Step::Replace { pattern: Pattern::Regex(_), .. })) {
        let hint = "a regular expression can only be searched for in single tokens";
        return Err(Error::unsupported("decoder", "Replace", hint));
    }
    Ok(steps.into())
}

/// What a step remembers.
#[derive(Debug, Clone, Default)]
struct Memory {
    /// No token came yet.
    began: bool,
    /// Bytes of an unfinished character, or of a run of byte tokens.
    bytes: Vec<u8>,
    /// Text that depends on what comes next.
    held: String,
    /// Characters that were cut from the start.
    cut: usize,
}

/// The state of a text under way.
#[derive(Debug, Clone)]
pub(super) struct Decoding {
    steps: Arc<[Step]>,
    memories: Vec<Memory>,
}

impl Decoding {
    pub fn new(steps: Arc<[Step]>) -> Self {
        Decoding { memories: vec![Memory::default(); steps.len()], steps }
    }

    /// The text that a token adds.
    ///
    /// # Errors
    /// [`crate::Error::Tokenizer`] if a pattern takes too long.
    pub fn push(&mut self, token: &str) -> Result<String> {
        let mut text = String::new();
        feed(&self.steps, &mut self.memories, Some(token), &mut text)?;
        Ok(text)
    }

    /// What depended on a token that does not come.
    pub fn finish(&mut self) -> String {
        let mut text = String::new();
        // Only texts are searched for in what is left at the end (see `compile`), which cannot fail.
        feed(&self.steps, &mut self.memories, None, &mut text).unwrap_or_default();
        text
    }
}

/// Sends a token, or the end, through all steps.
fn feed(steps: &[Step], memories: &mut [Memory], token: Option<&str>, text: &mut String) -> Result<()> {
    let (Some((step, steps)), Some((memory, memories))) = (steps.split_first(), memories.split_first_mut())
    else {
        text.push_str(token.unwrap_or_default());
        return Ok(());
    };
    let mut out = Vec::new();
    match token {
        Some(token) => step.take(memory, token, &mut out)?,
        None => step.end(memory, &mut out),
    }
    out.iter().try_for_each(|token| feed(steps, memories, Some(token), text))?;
    if token.is_none() { feed(steps, memories, None, text) } else { Ok(()) }
}

impl Step {
    /// Takes a token and gives those that it can tell by now.
    fn take(&self, memory: &mut Memory, token: &str, out: &mut Vec<String>) -> Result<()> {
        let first = !std::mem::replace(&mut memory.began, true);
        match self {
            Step::ByteLevel => {
                memory.bytes.extend(alphabet::bytes_of(token).unwrap_or_else(|| token.into()));
                let whole = memory.bytes.len() - unfinished_len(&memory.bytes);
                out.push(String::from_utf8_lossy(&memory.bytes[..whole]).into_owned());
                memory.bytes.drain(..whole);
            }
            Step::ByteFallback => match byte_of(token) {
                Some(byte) => memory.bytes.push(byte),
                None => {
                    out.extend(run_of_bytes(memory));
                    out.push(token.to_owned());
                }
            },
            Step::Metaspace { replacement, prepends } => {
                let kept = token.chars().filter(|c| !(first && *prepends && c == replacement));
                out.push(kept.map(|c| if c == *replacement { ' ' } else { c }).collect());
            }
            Step::WordPiece { prefix, cleans } => {
                let text = match token.strip_prefix(prefix.as_str()) {
                    _ if first => token.to_owned(),
                    Some(rest) => rest.to_owned(),
                    None => format!(" {token}"),
                };
                out.push(if *cleans { cleaned(&text) } else { text });
            }
            Step::BpeSuffix(suffix) => {
                let before = std::mem::replace(&mut memory.held, token.to_owned());
                out.extend((!first).then(|| before.replace(suffix.as_str(), " ")));
            }
            Step::Ctc { pad, delimiter, cleans } => {
                let before = std::mem::replace(&mut memory.held, token.to_owned());
                if first || before != token {
                    let text = token.replace(pad.as_str(), "");
                    let text = if *cleans { cleaned(&text).replace(delimiter.as_str(), " ") } else { text };
                    out.extend(Some(text).filter(|text| !text.is_empty()));
                }
            }
            Step::Replace { pattern, content } => {
                let parts = pattern.parts(token)?;
                let text = |part: &Part| if part.is_match { content } else { &token[part.start..part.end] };
                out.push(parts.iter().map(text).collect());
            }
            Step::Strip(Strip { content, start, stop }) => {
                let mut text = token;
                (0..*start).for_each(|_| text = text.strip_prefix(*content).unwrap_or(text));
                (0..*stop).for_each(|_| text = text.strip_suffix(*content).unwrap_or(text));
                out.push(text.to_owned());
            }
            Step::StripText(strip) => out.push(strip.of_text(memory, token)),
            Step::Fuse => memory.held += token,
            Step::Join => out.push(if first { token.to_owned() } else { format!(" {token}") }),
        }
        Ok(())
    }

    /// Gives what is left when no token comes any more.
    fn end(&self, memory: &mut Memory, out: &mut Vec<String>) {
        match self {
            Step::ByteLevel if !memory.bytes.is_empty() => {
                out.push(String::from_utf8_lossy(&std::mem::take(&mut memory.bytes)).into_owned());
            }
            Step::ByteFallback => out.extend(run_of_bytes(memory)),
            Step::BpeSuffix(suffix) if memory.began => {
                out.push(std::mem::take(&mut memory.held).replace(suffix.as_str(), ""));
            }
            Step::Fuse => out.push(std::mem::take(&mut memory.held)),
            _ => {}
        }
    }
}

impl Strip {
    /// What is left of a text of which `token` is the next part; what may still be the end is held.
    fn of_text(&self, memory: &mut Memory, token: &str) -> String {
        let mut rest = token;
        while memory.cut < self.start && !rest.is_empty() {
            match rest.strip_prefix(self.content) {
                Some(after) => {
                    rest = after;
                    memory.cut += 1;
                }
                None => memory.cut = self.start,
            }
        }
        let mut text = std::mem::take(&mut memory.held) + rest;
        let kept = text.trim_end_matches(self.content).len();
        let n_end = text[kept..].chars().count().min(self.stop);
        text.truncate(text.len() - n_end * self.content.len_utf8());
        memory.held.extend(std::iter::repeat_n(self.content, n_end));
        text
    }
}

/// The text of a run of byte tokens: if all together are none, a mark for each.
fn run_of_bytes(memory: &mut Memory) -> Option<String> {
    let bytes = std::mem::take(&mut memory.bytes);
    let n = bytes.len();
    (n > 0).then(|| String::from_utf8(bytes).unwrap_or_else(|_| "\u{FFFD}".repeat(n)))
}

/// How many bytes at the end begin a character that more bytes could complete.
pub(super) fn unfinished_len(bytes: &[u8]) -> usize {
    let start = bytes.len().saturating_sub(3);
    let lead = (start..bytes.len()).rev().find(|at| bytes[*at] & 0xC0 != 0x80);
    let Some(tail) = lead.map(|at| &bytes[at..]) else { return 0 };
    match std::str::from_utf8(tail) {
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => tail.len(),
        _ => 0,
    }
}

/// Takes back the spaces that tokenizing put around English punctuation.
fn cleaned(text: &str) -> String {
    const SPACED: [(&str, &str); 11] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" do not", " don't"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    let clean = |text: String, (spaced, clean): &(&str, &str)| {
        if text.contains(spaced) { text.replace(spaced, clean) } else { text }
    };
    SPACED.iter().fold(text.to_owned(), clean)
}

/// The step, if there is one, for which a token's text depends on others than the text's first, or is not what [`token_bytes`]
/// tells.
pub(super) fn looks_around(steps: &[Step]) -> Option<&'static str> {
    steps.iter().find_map(|step| match step {
        Step::WordPiece { cleans: true, .. } => Some("WordPiece"),
        Step::BpeSuffix(_) => Some("BPEDecoder"),
        Step::Ctc { .. } => Some("CTC"),
        Step::Replace { pattern: Pattern::Regex(_), .. } => Some("Replace"),
        Step::Strip(_) | Step::StripText(Strip { stop: 1.., .. }) => Some("Strip"),
        Step::Join => Some("none"),
        _ => None,
    })
}

/// The bytes that a token stands for by itself, for display.
pub(super) fn token_bytes(steps: &[Step], token: &str) -> Vec<u8> {
    let mut bytes = token.as_bytes().to_vec();
    let as_text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    for step in steps {
        match step {
            Step::ByteLevel => bytes = alphabet::bytes_of(token).unwrap_or(bytes),
            Step::ByteFallback if byte_of(token).is_some() => return byte_of(token).into_iter().collect(),
            Step::Metaspace { replacement, .. } => bytes = as_text(bytes).replace(*replacement, " ").into(),
            Step::WordPiece { prefix, .. } => {
                bytes = token
                    .strip_prefix(prefix.as_str())
                    .map_or_else(|| format!(" {token}"), str::to_owned)
                    .into();
            }
            Step::BpeSuffix(suffix) => bytes = as_text(bytes).replace(suffix.as_str(), " ").into(),
            Step::Replace { pattern: Pattern::Text(searched), content } => {
                bytes = as_text(bytes).replace(searched.as_str(), content).into();
            }
            _ => {}
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::regex::Regex;

    fn text(decoders: Vec<Step>, tokens: &[&str]) -> Vec<String> {
        let mut decoding = Decoding::new(compile(decoders).unwrap());
        let mut pieces: Vec<String> = tokens.iter().map(|token| decoding.push(token).unwrap()).collect();
        pieces.push(decoding.finish());
        pieces
    }

    fn llama() -> Vec<Step> {
        vec![
            Step::Replace { pattern: Pattern::Text("▁".into()), content: " ".into() },
            Step::ByteFallback,
            Step::Fuse,
            Step::Strip(Strip { content: ' ', start: 1, stop: 0 }),
        ]
    }

    #[test]
    fn only_what_may_become_a_character_is_unfinished() {
        assert_eq!(unfinished_len("aé日😀".as_bytes()), 0);
        assert_eq!(unfinished_len(b"a\xF0\x9F\x98"), 3);
        assert_eq!(unfinished_len(b"a\xE6\x97"), 2);
        assert_eq!(unfinished_len(b"a\xC3"), 1);
        assert_eq!(unfinished_len(b"\xE6\x97a"), 0);
        assert_eq!(unfinished_len(b"\x97\x97\x97"), 0);
        assert_eq!(unfinished_len(b"\xFF"), 0);
        assert_eq!(unfinished_len(b"\xED\xA0"), 0, "half a surrogate is no character");
    }

    #[test]
    fn the_first_space_goes_and_bytes_wait_for_each_other() {
        let pieces = text(llama(), &["▁", "▁a", "<0xC3>", "<0xA9>", "b", "<0xC3>", "▁"]);
        assert_eq!(pieces, ["", " a", "", "", "éb", "", "\u{FFFD} ", ""]);
    }

    #[test]
    fn words_are_joined_by_the_next_word() {
        let wordpiece = vec![Step::WordPiece { prefix: "##".into(), cleans: true }];
        assert_eq!(text(wordpiece, &["hello", "##s", "world", "!"]), ["hello", "s", " world", "!", ""]);
        let suffix = vec![Step::BpeSuffix("</w>".into())];
        assert_eq!(text(suffix, &["he", "llo</w>", "you</w>"]), ["", "he", "llo ", "you"]);
        let metaspace = vec![Step::Metaspace { replacement: '▁', prepends: true }];
        assert_eq!(text(metaspace, &["▁a", "▁b"]), ["a", " b", ""]);
        assert_eq!(text(vec![Step::Join], &["a", "b"]), ["a", " b", ""]);
    }

    #[test]
    fn byte_level_tokens_come_out_in_whole_characters() {
        assert_eq!(text(vec![Step::ByteLevel], &["Ã", "©Ġ", "Ã"]), ["", "é ", "", "\u{FFFD}"]);
        assert_eq!(text(vec![Step::ByteLevel], &["<a b>"]), ["<a b>", ""]);
    }

    #[test]
    fn what_follows_the_whole_text_waits_for_it() {
        let replace = Step::Replace { pattern: Pattern::Text("ab".into()), content: "x".into() };
        assert_eq!(text(vec![Step::Fuse, replace], &["a", "b"]), ["", "", "x"]);
        let strip = Step::Strip(Strip { content: ' ', start: 0, stop: 1 });
        assert_eq!(text(vec![Step::Fuse, strip], &["a ", " ", "b "]), ["a", " ", " b", ""]);
    }

    #[test]
    fn an_expression_over_the_whole_text_is_refused() {
        let replace =
            Step::Replace { pattern: Pattern::Regex(Regex::new("a+").unwrap()), content: String::new() };
        assert_eq!(text(vec![replace.clone()], &["aab", "a"]).concat(), "b");
        assert!(matches!(
            compile(vec![Step::Fuse, replace]),
            Err(Error::Unsupported { what: "decoder", .. })
        ));
    }

    #[test]
    fn repeated_speech_tokens_are_one() {
        let ctc = || vec![Step::Ctc { pad: "<pad>".into(), delimiter: "|".into(), cleans: true }];
        assert_eq!(text(ctc(), &["h", "h", "<pad>", "i", "|", "|"]).concat(), "hi ");
    }
}
