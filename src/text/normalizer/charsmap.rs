//! The `precompiled_charsmap` of SentencePiece models: what characters are replaced by before anything else (mostly
//! NFKC). A length, a double-array trie over bytes (Aoe 1989, in the layout of Darts-clone), then the replacements,
//! each ended by a zero byte.

use crate::error::{Error, Result};

/// A trie from byte strings to places in `replacements`.
#[derive(Debug, Clone)]
pub(in crate::text) struct Charsmap {
    units: Vec<u32>,
    replacements: String,
}

impl Charsmap {
    /// Reads the bytes as they stand in a model file.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if they are too few or no text.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        let problem = |what: &str| Error::Tokenizer { problem: format!("the precompiled charsmap {what}") };
        let (len, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| problem("has no length"))?;
        let len = u32::from_le_bytes(*len) as usize / 4 * 4;
        let (trie, replacements) =
            rest.split_at_checked(len).ok_or_else(|| problem("is shorter than its trie"))?;
        let unit = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let replacements =
            std::str::from_utf8(replacements).map_err(|_| problem("replaces by what is no text"))?;
        Ok(Charsmap {
            units: trie.chunks_exact(4).map(unit).collect(),
            replacements: replacements.to_owned(),
        })
    }

    /// Every beginning of `text` that the trie holds, the shortest first: its bytes and what replaces it.
    fn prefixes(&self, text: &[u8]) -> impl Iterator<Item = (usize, &str)> {
        let mut at = self.units.first().map(|root| offset(*root));
        let mut bytes = text.iter().take_while(|byte| **byte != 0).enumerate();
        std::iter::from_fn(move || {
            loop {
                let (i, &byte) = bytes.next()?;
                let node = at? ^ u32::from(byte);
                let unit = *self.units.get(node as usize)?;
                // A node's label, with the bit that a value has set, tells whose child it is.
                if unit & (1 << 31 | 0xFF) != u32::from(byte) {
                    at = None;
                    return None;
                }
                let next = node ^ offset(unit);
                at = Some(next);
                let has_value = unit >> 8 & 1 == 1;
                if has_value && let Some(replacement) = self.replacement(next) {
                    return Some((i + 1, replacement));
                }
            }
        })
    }

    fn replacement(&self, node: u32) -> Option<&str> {
        let at = self.units.get(node as usize)? & !(1 << 31);
        self.replacements.get(at as usize..)?.split('\0').next()
    }

    /// What replaces the longest beginning of `text` that has a replacement, and the bytes that it takes.
    pub fn longest(&self, text: &str) -> Option<(usize, &str)> {
        self.prefixes(text.as_bytes()).last()
    }

    /// What the reference tokenizers replace all of `text` by: the replacement of its shortest beginning.
    pub fn of_whole(&self, text: &str) -> Option<&str> {
        self.prefixes(text.as_bytes()).next().map(|(_, replacement)| replacement)
    }
}

/// How far a node's children lie from it.
fn offset(unit: u32) -> u32 {
    (unit >> 10) << ((unit & 1 << 9) >> 6)
}

#[cfg(test)]
mod tests {
    use super::Charsmap;

    /// A trie that replaces `A` by `a` and `AB` by `x`: the root at 0 has its children from 0x100 on, the node of
    /// `A` at 0x141 has `B` at 0x242 and its value at 0x200, that of `B` its value at 0x300.
    fn made() -> Vec<u8> {
        let mut units = vec![0u32; 0x400];
        let node =
            |label: u32, distance: u32, has_value: bool| label | u32::from(has_value) << 8 | distance << 10;
        units[0] = node(0, 0x100, false);
        units[0x141] = node(0x41, 0x141 ^ 0x200, true);
        units[0x200] = 1 << 31;
        units[0x242] = node(0x42, 0x242 ^ 0x300, true);
        units[0x300] = 1 << 31 | 2;
        let trie = units.iter().flat_map(|unit| unit.to_le_bytes());
        (4 * units.len() as u32).to_le_bytes().into_iter().chain(trie).chain(*b"a\0x\0").collect()
    }

    #[test]
    fn the_longest_beginning_is_replaced() {
        let map = Charsmap::new(&made()).unwrap();
        assert_eq!(map.longest("ABC"), Some((2, "x")));
        assert_eq!(map.longest("AC"), Some((1, "a")));
        assert_eq!((map.longest("B"), map.longest(""), map.longest("\0A")), (None, None, None));
        assert_eq!(map.of_whole("AB"), Some("a"));
    }

    #[test]
    fn bytes_that_lie_replace_nothing() {
        assert!(Charsmap::new(&[1, 2]).is_err());
        assert!(Charsmap::new(&[255, 255, 255, 127, 0]).is_err());
        let mut bytes = made();
        let len = bytes.len();
        bytes[len - 1] = 0xFF;
        assert!(Charsmap::new(&bytes).is_err());
        // Values and children beyond the end.
        for at in (4..made().len() - 4).step_by(4) {
            let mut bytes = made();
            bytes[at..at + 4].copy_from_slice(&[0x41, 0xFF, 0xFF, 0x7F]);
            let map = Charsmap::new(&bytes).unwrap();
            map.longest("ABABABAB");
        }
        assert_eq!(Charsmap::new(&[0, 0, 0, 0]).unwrap().longest("A"), None);
    }
}
