//! Our tokenizers against the crate `tokenizers`, on fresh random texts each time. `tests/tokenizer_json.rs` has a few fixed
//! texts and what the Python package says of them, with places and words.

mod random;

use std::{
    fs,
    path::{Path, PathBuf},
};

use intab::text::{Tokenizer, TokenizerFiles};
use random::Random;
use tokenizers::Tokenizer as Oracle;

const TEXTS: usize = 2_000;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokenizers");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_tokenizer = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.ends_with(".json") && !name.ends_with(".cases.json")
    };
    let mut paths: Vec<PathBuf> = paths.filter(is_tokenizer).collect();
    paths.sort();
    paths
}

/// One tokenizer, read by the reference and by us.
struct Pair {
    theirs: Oracle,
    ours: Tokenizer,
    specials: Vec<String>,
}

impl Pair {
    fn read(path: &Path) -> Pair {
        let bytes = fs::read(path).unwrap();
        let mut theirs = Oracle::from_bytes(&bytes).unwrap();
        theirs.with_truncation(None).unwrap().with_padding(None);
        let ours = Tokenizer::from_json(&bytes, &TokenizerFiles::default()).unwrap();
        let specials = theirs.get_added_tokens_decoder().into_values().map(|token| token.content).collect();
        Pair { theirs, ours, specials }
    }

    /// What differs, if anything: ids with what goes around a text and without, and the texts that come back. (Special
    /// tokens taken as plain text are another matter: Unigram of the reference finds `<pad>` in its vocabulary all the
    /// same, while no text of a user may become one here.)
    fn difference(&self, text: &str) -> Option<String> {
        [true, false].into_iter().find_map(|add| {
            let theirs = self.theirs.encode(text, add).unwrap().get_ids().to_vec();
            let ours = self.ours.encode(text, add, true).unwrap();
            match ours == theirs {
                false => Some(format!("{text:?}, special {add}: {ours:?}\n not {theirs:?}")),
                true => self.decoded(&ours).map(|difference| format!("{text:?}: {difference}")),
            }
        })
    }

    fn decoded(&self, ids: &[u32]) -> Option<String> {
        [true, false].into_iter().find_map(|skip| {
            let (ours, theirs) =
                (self.ours.decode(ids, skip).unwrap(), self.theirs.decode(ids, skip).unwrap());
            (ours != theirs).then(|| format!("{ids:?} without special {skip}: {ours:?}\n not {theirs:?}"))
        })
    }
}

#[test]
fn fresh_texts_give_the_ids_and_the_texts_of_the_reference() {
    let mut random = Random::fresh();
    let files = files();
    assert!(files.len() >= 17, "{files:?}");
    let mut wrong = 0;
    for path in files {
        let pair = Pair::read(&path);
        let n_ids = pair.theirs.get_vocab_size(true);
        let mut found = Vec::new();
        for _ in 0..TEXTS {
            found.extend(pair.difference(&random.text(&pair.specials)));
            // Ids that no text gives decode to the same text as well.
            let ids: Vec<u32> = (0..random.below(12)).map(|_| random.below(n_ids) as u32).collect();
            found.extend(pair.decoded(&ids));
        }
        println!("{}: {} of {TEXTS} differ", path.display(), found.len());
        found.iter().take(5).for_each(|difference| println!("{difference}"));
        wrong += found.len();
    }
    assert_eq!(wrong, 0, "texts that differ from the reference");
}
