//! Bytes in an HTML page. The page is UTF-16, so that a code unit holds two of them: of all encodings of HTML that browsers still
//! read it is the one that keeps nearly every unit as it is, and its byte order mark goes before whatever a server says
//! (WHATWG HTML, 13.2.3.2). It costs 3 % where base64 in UTF-8 costs 33 %.
//!
//! Units that a parser does not keep are written as [`ESCAPE`] and the unit with its highest bit turned: the surrogates,
//! which have to come in pairs; U+0000; U+000D, which becomes a line feed; `<`, which may begin a tag; and `ESCAPE` itself.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::{Compression, write::DeflateEncoder};

/// As in `www/bundle/contents.js`.
const ESCAPE: u16 = 0x5C;
const TURNED: u16 = 0x8000;

/// Bytes of a content that become one element. The page holds few of them at a time, and no text comes near the length that
/// browsers allow (in V8, 2^29 units).
const CHUNK: usize = 4 << 20;

/// A chunk that does not get smaller by this part of it is not worth the time that it takes to be inflated.
const WORTH: usize = 50;

/// Bytes of a chunk that are deflated to see whether the rest would be worth it.
const SAMPLE: usize = 256 << 10;

/// What the page gets as a file.
pub struct Content {
    pub name: String,
    pub len: u64,
    from: From,
}

enum From {
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl Content {
    pub fn of_bytes(name: &str, bytes: Vec<u8>) -> Content {
        Content { name: name.to_owned(), len: bytes.len() as u64, from: From::Bytes(bytes) }
    }

    pub fn of_file(name: &str, path: &Path) -> Result<Content> {
        let len = std::fs::metadata(path).with_context(|| format!("reading {}", path.display()))?.len();
        Ok(Content { name: name.to_owned(), len, from: From::File(path.to_owned()) })
    }

    /// How many elements it becomes.
    pub fn chunks(&self) -> u64 {
        self.len.div_ceil(CHUNK as u64)
    }
}

/// Writes a page in UTF-16, little-endian.
pub struct Writer<W>(W);

impl<W: Write> Writer<W> {
    pub fn new(mut out: W) -> Result<Self> {
        out.write_all(&[0xFF, 0xFE]).context("writing the page")?;
        Ok(Writer(out))
    }

    pub fn text(&mut self, text: &str) -> Result<()> {
        self.units(text.encode_utf16())
    }

    /// Elements with the content's bytes, each followed by the script that takes it.
    pub fn content(&mut self, index: usize, content: &Content) -> Result<()> {
        match &content.from {
            From::Bytes(bytes) => bytes.chunks(CHUNK).try_for_each(|chunk| self.chunk(index, chunk)),
            From::File(path) => {
                let reading = || format!("reading {}", path.display());
                let mut file = File::open(path).with_context(reading)?.take(content.len);
                loop {
                    let mut chunk = Vec::with_capacity(CHUNK);
                    file.by_ref().take(CHUNK as u64).read_to_end(&mut chunk).with_context(reading)?;
                    if chunk.is_empty() {
                        return Ok(());
                    }
                    self.chunk(index, &chunk)?;
                }
            }
        }
    }

    pub fn finish(self) -> Result<W> {
        Ok(self.0)
    }

    fn chunk(&mut self, index: usize, bytes: &[u8]) -> Result<()> {
        let deflated = deflated(bytes)?;
        let how = if deflated.is_some() { " data-deflated" } else { "" };
        let kept = deflated.as_deref().unwrap_or(bytes);
        let len = kept.len();
        self.text(&format!(
            "<script type=\"application/octet-stream\" data-of=\"{index}\" data-bytes=\"{len}\"{how}>"
        ))?;
        self.units(escaped(kept))?;
        self.text(&format!("</script><script>{}</script>\n", super::page::TAKE))
    }

    fn units(&mut self, units: impl Iterator<Item = u16>) -> Result<()> {
        let bytes: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
        self.0.write_all(&bytes).context("writing the page")
    }
}

/// The bytes deflated (RFC 1951), where that is worth it; whether it may be, a part of them tells sooner.
fn deflated(bytes: &[u8]) -> Result<Option<Vec<u8>>> {
    for part in [&bytes[..bytes.len().min(SAMPLE)], bytes] {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(part).context("compressing")?;
        let deflated = encoder.finish().context("compressing")?;
        if deflated.len() >= part.len() - part.len() / WORTH {
            return Ok(None);
        }
        if part.len() == bytes.len() {
            return Ok(Some(deflated));
        }
    }
    Ok(None)
}

/// The bytes as units of text, the last padded with a zero where their number is odd.
fn escaped(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.chunks(2).flat_map(|pair| {
        let unit = u16::from_le_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        let is_kept = !matches!(unit, 0 | 0x0D | 0x3C | ESCAPE | 0xD800..=0xDFFF);
        let (first, second) = if is_kept { (unit, None) } else { (ESCAPE, Some(unit ^ TURNED)) };
        std::iter::once(first).chain(second)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(units: &[u16]) -> Vec<u16> {
        let mut units = units.iter();
        let mut plain = Vec::new();
        while let Some(&unit) = units.next() {
            plain.push(if unit == ESCAPE { units.next().unwrap() ^ TURNED } else { unit });
        }
        plain
    }

    #[test]
    fn every_unit_comes_back_and_none_is_one_that_a_parser_changes() {
        let all: Vec<u16> = (0..=u16::MAX).collect();
        let bytes: Vec<u8> = all.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let written: Vec<u16> = escaped(&bytes).collect();
        assert!(String::from_utf16(&written).is_ok(), "a surrogate stands alone");
        assert!([0x00, 0x0D, 0x3C].iter().all(|unit| !written.contains(unit)));
        assert_eq!(unescaped(&written), all);
    }

    #[test]
    fn an_odd_byte_at_the_end_is_padded() {
        assert_eq!(unescaped(&escaped(&[1, 2, 3]).collect::<Vec<_>>()), [0x0201, 0x0003]);
    }

    #[test]
    fn random_bytes_take_a_thirtieth_more() {
        let mut state = 1u32;
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(1 << 20)
        .collect();
        let content = Content::of_bytes("random", bytes);
        let mut writer = Writer::new(Vec::new()).unwrap();
        writer.content(0, &content).unwrap();
        let page = writer.finish().unwrap();
        let cost = page.len() as f64 / content.len as f64;
        assert!((1.02..1.04).contains(&cost), "{cost}");
    }
}
