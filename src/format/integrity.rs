//! Whether a file is the one that was meant, by its SHA-256 (FIPS 180-4).

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    rc::Rc,
};

use sha2::{Digest, Sha256};

use super::{LocalFuture, Source};
use crate::error::{Error, Result};

/// Bytes read at a time of what nobody has read yet.
const READ: u64 = 4 << 20;

/// A SHA-256.
pub type Sha = [u8; 32];

/// Reads `sha256-` and 44 characters of base64, as the `integrity` attribute of web pages has it (W3C, *Subresource
/// Integrity*).
pub fn parse(text: &str) -> Option<Sha> {
    let digits = text.strip_prefix("sha256-")?.strip_suffix('=')?;
    let mut sha = [0; 32];
    let mut bits = 0_u32;
    let mut n_bits = 0;
    let mut at = 0;
    for digit in digits.bytes() {
        bits = bits << 6 | ALPHABET.iter().position(|&letter| letter == digit)? as u32;
        n_bits += 6;
        if n_bits >= 8 {
            n_bits -= 8;
            *sha.get_mut(at)? = (bits >> n_bits) as u8;
            at += 1;
        }
    }
    // 43 digits are 258 bits, the last two of which mean nothing.
    (at == 32 && bits & 3 == 0).then_some(sha)
}

/// The text that [`parse`] reads.
pub fn text(sha: &Sha) -> String {
    let mut text = "sha256-".to_string();
    for bytes in sha.chunks(3) {
        let word =
            bytes.iter().enumerate().fold(0_u32, |word, (i, &byte)| word | u32::from(byte) << (16 - 8 * i));
        let digits = (0..=bytes.len()).map(|i| ALPHABET[(word >> (18 - 6 * i) & 63) as usize] as char);
        text.extend(digits);
    }
    text.push('=');
    text
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A source whose bytes are hashed as they are read, as far as they come in order.
pub struct HashedSource {
    inner: Rc<dyn Source>,
    hashed: RefCell<Hashed>,
}

/// The hash of a file's first bytes.
#[derive(Default)]
struct Hashed {
    hash: Sha256,
    n: u64,
}

impl Hashed {
    /// Goes on with `bytes` of the file from `offset`, if they have the next one.
    fn take(&mut self, offset: u64, bytes: &[u8]) {
        let skipped = self.n.checked_sub(offset).and_then(|n| usize::try_from(n).ok());
        if let Some(new) = skipped.and_then(|n| bytes.get(n..)) {
            self.hash.update(new);
            self.n += new.len() as u64;
        }
    }
}

impl HashedSource {
    /// Hashes what is read of `inner`.
    pub fn new(inner: Rc<dyn Source>) -> Self {
        HashedSource { inner, hashed: RefCell::default() }
    }

    /// The hash of the whole file. What did not come in order is read for it.
    ///
    /// # Errors
    /// Those of the source.
    pub async fn finish(&self) -> Result<Sha> {
        loop {
            let n = self.hashed.borrow().n;
            let len = (self.inner.len() - n).min(READ);
            if len == 0 {
                return Ok(self.hashed.borrow().hash.clone().finalize().into());
            }
            self.read(n, len as usize).await?;
        }
    }

    /// Compares the file with what was meant.
    ///
    /// # Errors
    /// [`Error::Integrity`], and those of the source.
    pub async fn check(&self, expected: &Sha) -> Result<()> {
        let found = self.finish().await?;
        if found == *expected {
            return Ok(());
        }
        let source_name = self.name().to_string();
        Err(Error::Integrity { source_name, expected: text(expected), found: text(&found) })
    }
}

/// The hashes that a caller expects of a model's files.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// Of its one file with weights.
    One(Sha),
    /// Of files by the last parts of their names.
    Files(Vec<(String, Sha)>),
}

/// The files of a load whose hashes are to be checked.
#[derive(Default)]
pub struct Checks {
    expected: Option<Expected>,
    /// Where a caller named files: which of these were opened.
    met: RefCell<HashSet<String>>,
    opened: RefCell<Vec<(Rc<HashedSource>, Sha)>>,
    /// Files with weights, to tell whether one hash can be meant for all.
    n_weights: Cell<usize>,
}

impl Checks {
    /// Nothing is checked where nothing is expected.
    pub fn new(expected: Option<Expected>) -> Self {
        Checks { expected, ..Checks::default() }
    }

    /// A file is being opened; gives the hash that it must have, if one is expected.
    pub fn expect(&self, name: &str, holds_weights: bool) -> Option<Sha> {
        let name = &name[..name.find(['?', '#']).unwrap_or(name.len())];
        self.n_weights.update(|n| n + usize::from(holds_weights));
        match self.expected.as_ref()? {
            Expected::One(sha) => holds_weights.then_some(*sha),
            Expected::Files(files) => {
                let is_meant = |end: &str| {
                    name.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('/'))
                };
                let (end, sha) = files.iter().find(|(end, _)| is_meant(end))?;
                self.met.borrow_mut().insert(end.clone());
                Some(*sha)
            }
        }
    }

    /// The file, to be hashed as it is read.
    pub fn watch(&self, source: Rc<dyn Source>, expected: Sha) -> Rc<dyn Source> {
        let hashed = Rc::new(HashedSource::new(source));
        self.opened.borrow_mut().push((hashed.clone(), expected));
        hashed
    }

    /// Compares all files, the rest of which is read for it; gives their names and hashes.
    ///
    /// # Errors
    /// [`Error::Integrity`] for another file than the one meant; [`Error::Input`] where it is not clear which was meant.
    pub async fn finish(&self) -> Result<Vec<(String, Sha)>> {
        match &self.expected {
            Some(Expected::One(_)) if self.n_weights.get() > 1 => {
                let problem = format!(
                    "the model has {} files with weights: give the hash of each by its name",
                    self.n_weights.get()
                );
                return Err(Error::input("integrity", problem));
            }
            Some(Expected::Files(files)) => {
                let met = self.met.borrow();
                if let Some((name, _)) = files.iter().find(|(name, _)| !met.contains(name)) {
                    return Err(Error::input("integrity", format!("no file of the model is called {name}")));
                }
            }
            _ => {}
        }
        let opened = self.opened.take();
        for (source, expected) in &opened {
            source.check(expected).await?;
        }
        Ok(opened.into_iter().map(|(source, sha)| (source.name().to_string(), sha)).collect())
    }
}

impl Source for HashedSource {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            let bytes = self.inner.read(offset, len).await?;
            self.hashed.borrow_mut().take(offset, &bytes);
            Ok(bytes)
        })
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::format::MemorySource;

    /// Of "abc": FIPS 180-4's own example.
    const ABC: &str = "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";

    #[test]
    fn a_hash_is_read_and_written_as_web_pages_have_it() {
        let sha = parse(ABC).unwrap();
        assert_eq!(sha[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(text(&sha), ABC);
        for wrong in [
            "",
            "sha256-",
            &ABC[..50],
            &ABC.replace("sha256", "sha384"),
            &ABC.replace('+', "-"),
            &format!("{ABC}="),
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_hash_is_right_in_whatever_order_the_file_is_read() {
        let bytes: Vec<u8> =
            (0..9_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let whole: Sha = Sha256::digest(&bytes).into();
        let mut rng = fastrand::Rng::new();
        for _ in 0..3 {
            let source = HashedSource::new(Rc::new(MemorySource::new("m", bytes.clone())));
            for _ in 0..20 {
                let start = rng.usize(..bytes.len());
                block_on(source.read(start as u64, rng.usize(..=(bytes.len() - start).min(100_000))))
                    .unwrap();
                let n = source.hashed.borrow().n;
                block_on(source.read(n, 1000)).unwrap();
            }
            assert_eq!(block_on(source.finish()), Ok(whole));
        }
    }

    #[test]
    fn another_file_is_told_with_both_hashes() {
        let source = |text: &str| HashedSource::new(Rc::new(MemorySource::new("m", text.into())));
        let abc = parse(ABC).unwrap();
        assert_eq!(block_on(source("abc").check(&abc)), Ok(()));
        let error = block_on(source("abd").check(&abc)).unwrap_err().to_string();
        assert!(error.contains(ABC) && error.matches("sha256-").count() == 2, "{error}");
    }

    fn memory(name: &str, text: &str) -> Rc<dyn Source> {
        Rc::new(MemorySource::new(name, text.into()))
    }

    #[test]
    fn one_hash_is_for_the_one_file_with_weights() {
        let checks = Checks::new(Some(Expected::One(parse(ABC).unwrap())));
        assert_eq!(checks.expect("https://x.example/config.json", false), None);
        let sha = checks.expect("https://x.example/m.gguf?key=1", true).unwrap();
        checks.watch(memory("m", "abc"), sha);
        assert_eq!(block_on(checks.finish()), Ok(vec![("m".into(), sha)]));
        checks.expect("https://x.example/n.gguf", true);
        let error = block_on(checks.finish()).unwrap_err().to_string();
        assert!(error.contains("has 2 files"), "{error}");
    }

    #[test]
    fn files_are_meant_by_the_end_of_their_name() {
        let sha = parse(ABC).unwrap();
        let names = ["config.json", "1_Pooling/config.json", "w.bin"];
        let checks = Checks::new(Some(Expected::Files(names.map(|name| (name.to_string(), sha)).to_vec())));
        assert_eq!(checks.expect("https://x.example/m/config.json?key=1", false), Some(sha));
        assert_eq!(checks.expect("https://x.example/m/my-config.json", false), None);
        assert_eq!(checks.expect("w.bin", true), Some(sha));
        let error = block_on(checks.finish()).unwrap_err().to_string();
        assert!(error.contains("1_Pooling/config.json"), "{error}");
    }
}
