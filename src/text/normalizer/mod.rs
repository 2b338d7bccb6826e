//! What happens to a text before it is cut: Unicode normalization, case, accents, white space.

mod charsmap;
mod spaces;

use unicode_segmentation::UnicodeSegmentation as _;

pub(super) use self::{
    charsmap::Charsmap,
    spaces::{SPACE, Spaces},
};
use super::{
    aligned::Aligned,
    alphabet,
    pattern::Pattern,
    unicode::{is_cleaned, is_combining_mark, is_nonspacing_mark, nfc, nfd, nfkc, nfkd},
};
use crate::error::{Error, Result};

/// One step, by its name in a `tokenizer.json`.
#[derive(Debug, Clone)]
pub(super) enum Normalizer {
    Bert {
        cleans: bool,
        spaces_ideographs: bool,
        strips_accents: bool,
        lowercases: bool,
    },
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
    Nmt,
    Lowercase,
    StripAccents,
    Strip {
        left: bool,
        right: bool,
    },
    Precompiled(Charsmap),
    Replace {
        pattern: Pattern,
        content: String,
    },
    Prepend(String),
    ByteLevel,
    /// What SentencePiece does, all at once, for GGUF files.
    Spaces(Spaces),
}

/// Applies all steps, one after the other.
///
/// # Errors
/// [`Error::Tokenizer`] if a pattern takes too long on the text, or if replacements make a text out of all proportion.
pub(super) fn normalize(steps: &[Normalizer], text: &mut Aligned) -> Result<()> {
    let limit = Limit { from: text.text().len() };
    steps.iter().try_for_each(|step| {
        step.apply(text, limit)?;
        limit.check(text.text().len())
    })
}

/// How long a text may become, so that a file with hostile replacements cannot exhaust the memory.
#[derive(Debug, Clone, Copy)]
struct Limit {
    from: usize,
}

impl Limit {
    fn check(self, bytes: usize) -> Result<()> {
        if bytes <= 64 * self.from + (1 << 20) {
            return Ok(());
        }
        let problem =
            format!("the replacements of the file make more than {bytes} bytes of a text of {}", self.from);
        Err(Error::Tokenizer { problem })
    }
}

impl Normalizer {
    fn apply(&self, text: &mut Aligned, limit: Limit) -> Result<()> {
        match self {
            Normalizer::Bert { cleans, spaces_ideographs, strips_accents, lowercases } => {
                if *cleans {
                    text.retain(|c| !is_cleaned(c));
                    text.map(|c| if c.is_whitespace() { ' ' } else { c });
                }
                if *spaces_ideographs {
                    space_ideographs(text);
                }
                if *strips_accents {
                    into_form(text, nfd);
                    text.retain(|c| !is_nonspacing_mark(c));
                }
                if *lowercases {
                    lowercase(text);
                }
            }
            Normalizer::Nfc => into_form(text, nfc),
            Normalizer::Nfd => into_form(text, nfd),
            Normalizer::Nfkc => into_form(text, nfkc),
            Normalizer::Nfkd => into_form(text, nfkd),
            Normalizer::Nmt => {
                text.retain(|c| !is_nmt_control(c));
                text.map(|c| if is_nmt_space(c) { ' ' } else { c });
            }
            Normalizer::Lowercase => lowercase(text),
            Normalizer::StripAccents => text.retain(|c| !is_combining_mark(c)),
            Normalizer::Strip { left, right } => strip(text, *left, *right),
            Normalizer::Precompiled(map) => precompiled(text, map, limit)?,
            Normalizer::Replace { pattern, content } => {
                let parts = pattern.parts(text.text())?;
                let matches = parts.iter().filter(|part| part.is_match).map(|part| (part.start, part.end));
                let matches: Vec<_> = matches.collect();
                limit.check(matches.len().saturating_mul(content.len()))?;
                text.replace(&matches, content);
            }
            Normalizer::Prepend(prefix) => text.prepend(prefix),
            Normalizer::ByteLevel => text.flat_map(|c, out| {
                c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| out(alphabet::CHARS[byte as usize]));
            }),
            Normalizer::Spaces(spaces) => spaces.apply(text, |bytes| limit.check(bytes))?,
        }
        Ok(())
    }
}

/// The blocks of ideographs that BERT takes for words of their own.
fn is_ideograph(c: char) -> bool {
    matches!(
        c as u32,
        0x4E00..=0x9FFF
            | 0x3400..=0x4DBF
            | 0x20000..=0x2A6DF
            | 0x2A700..=0x2B73F
            | 0x2B740..=0x2B81F
            | 0x2B920..=0x2CEAF
            | 0xF900..=0xFAFF
            | 0x2F800..=0x2FA1F
    )
}

fn space_ideographs(text: &mut Aligned) {
    if text.text().chars().any(is_ideograph) {
        text.flat_map(|c, out| {
            if is_ideograph(c) {
                [' ', c, ' '].into_iter().for_each(out);
            } else {
                out(c);
            }
        });
    }
}

fn lowercase(text: &mut Aligned) {
    text.flat_map(|c, out| c.to_lowercase().for_each(out));
}

/// One of Unicode's normalization forms; ASCII is in all of them.
fn into_form(text: &mut Aligned, form: fn(&str) -> Vec<(char, isize)>) {
    if !text.text().is_ascii() {
        let new = form(text.text());
        text.rewrite(new, 0);
    }
}

/// What `Nmt` leaves out: control characters that are no white space.
fn is_nmt_control(c: char) -> bool {
    matches!(c as u32, 0x1..=0x8 | 0xB | 0xE..=0x1F | 0x7F | 0x8F | 0x9F)
}

fn is_nmt_space(c: char) -> bool {
    let code = c as u32;
    matches!(
        code,
        0x9 | 0xA | 0xC | 0xD | 0x1680 | 0x200B..=0x200F | 0x2028 | 0x2029 | 0x2581 | 0xFEFF | 0xFFFD
    )
}

fn strip(text: &mut Aligned, left: bool, right: bool) {
    let whole = text.text();
    let start = if left { whole.len() - whole.trim_start().len() } else { 0 };
    let end = if right { whole[start..].trim_end().len() + start } else { whole.len() };
    if start > 0 || end < whole.len() {
        text.rebuild(&[(start, end)], |built, text, range| built.copy(text, range));
    }
}

/// Replaces grapheme clusters, or else characters, as the reference does: a cluster of less than six bytes by what its
/// shortest beginning becomes.
fn precompiled(text: &mut Aligned, map: &Charsmap, limit: Limit) -> Result<()> {
    let mut new: Vec<(char, isize)> = Vec::with_capacity(text.text().len());
    let mut changed = false;
    let mut replace = |old: &str, by: &str| {
        let from = new.len();
        limit.check(from + by.len())?;
        new.extend(by.chars().map(|c| (c, 0)));
        let added = (new.len() - from) as isize - old.chars().count() as isize;
        if added > 0 {
            new.iter_mut().rev().take(added as usize).for_each(|(_, change)| *change = 1);
        } else if let Some((_, change)) = new.last_mut() {
            *change += added;
        }
        Ok(())
    };
    for cluster in text.text().graphemes(true) {
        if cluster.len() < 6
            && let Some(by) = map.of_whole(cluster)
        {
            changed = true;
            replace(cluster, by)?;
            continue;
        }
        for c in cluster.chars() {
            let mut bytes = [0; 4];
            let c = &*c.encode_utf8(&mut bytes);
            let by = map.of_whole(c);
            changed |= by.is_some();
            replace(c, by.unwrap_or(c))?;
        }
    }
    if changed {
        text.rewrite(new, 0);
    }
    Ok(())
}
