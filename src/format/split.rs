//! Models that come as several GGUF files, `name-00001-of-00003.gguf` and so on: their names, and their parts made one.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    rc::Rc,
};

use super::{Checkpoint, Source, gguf::Part};
use crate::error::{Error, Result};

const COUNT: &str = "split.count";
const NUMBER: &str = "split.no";
const TENSORS: &str = "split.tensors.count";
pub(super) const EXTENSION: &str = ".gguf";

/// The names of all parts of the model that `name`, a path or URL, is a part of, in order; `None` where it does not
/// look like a part. A URL's query and fragment are kept.
pub fn siblings(name: &str) -> Option<Vec<String>> {
    let (stem, count, tail) = numbering(name)?;
    Some((1..=count).map(|number| format!("{stem}-{number:05}-of-{count:05}{tail}")).collect())
}

/// Takes `stem-00001-of-00003.gguf?tail` apart: stem, number of parts, and everything from the extension on.
fn numbering(name: &str) -> Option<(&str, u32, &str)> {
    let is_part = |(at, _): &(usize, &str)| {
        let rest = &name[at + EXTENSION.len()..];
        rest.is_empty() || rest.starts_with(['?', '#'])
    };
    name.rmatch_indices(EXTENSION).filter(is_part).find_map(|(at, _)| {
        let (rest, count) = five_digits(&name[..at])?;
        let (rest, number) = five_digits(rest.strip_suffix("-of-")?)?;
        let stem = rest.strip_suffix('-')?;
        (1..=count).contains(&number).then_some((stem, count, &name[at..]))
    })
}

/// Five digits at the end of `text`, and what is before them.
fn five_digits(text: &str) -> Option<(&str, u32)> {
    let (rest, digits) = text.split_at_checked(text.len().checked_sub(5)?)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok().map(|n| (rest, n)))?
}

/// Makes one checkpoint of the parts, given in any order. A single whole file is one part.
///
/// # Errors
/// [`Error::Format`] where parts are missing, come twice, belong to different models or hold other tensors than
/// the first part promises.
pub(super) fn merge(sources: Vec<Rc<dyn Source>>, parts: Vec<Part>) -> Result<Checkpoint> {
    let single = parts.len() == 1;
    let mut seats: Vec<Option<Part>> = Vec::new();
    for (part, source) in parts.into_iter().zip(&sources) {
        let count = match part.metadata.opt_usize(COUNT)? {
            None | Some(0 | 1) if single => 1,
            None | Some(0) => {
                return Err(part.metadata.error(COUNT, "this file is not a part of a split model"));
            }
            Some(count) if count != sources.len() => return Err(wrong_count(&part, &sources, count)?),
            Some(count) => count,
        };
        let number = if count == 1 { 0 } else { part.metadata.usize(NUMBER)? };
        // Every part says the same count by now, so this happens once.
        seats.resize_with(count, || None);
        match seats.get_mut(number) {
            None => {
                let problem = format!("part {number}, but there are {count} and they count from 0");
                return Err(part.metadata.error(NUMBER, problem));
            }
            Some(Some(other)) => {
                let problem = format!(
                    "part {} is there twice: {} and {}",
                    number + 1,
                    other.metadata.file,
                    source.name()
                );
                return Err(part.metadata.error(NUMBER, problem));
            }
            Some(seat) => *seat = Some(part),
        }
    }
    join(sources, seats.into_iter().flatten())
}

/// The message for a model of `count` parts of which another number was given.
fn wrong_count(part: &Part, sources: &[Rc<dyn Source>], count: usize) -> Result<Error> {
    let given = sources.len();
    let name = &part.metadata.file;
    let mut problem =
        format!("the model has {count} parts, but {given} {} given", if given == 1 { "was" } else { "were" });
    let is_missing = |part: &String| sources.iter().all(|source| source.name() != *part);
    let missing: Vec<_> = siblings(name).into_iter().flatten().filter(is_missing).collect();
    match missing.as_slice() {
        [] => {}
        [first] => problem += &format!(": {first} is missing"),
        [first, rest @ ..] => problem += &format!(": {first} and {} more are missing", rest.len()),
    }
    Ok(part.metadata.error(COUNT, problem))
}

/// Gathers the tensors of all parts under the first part's metadata.
fn join(sources: Vec<Rc<dyn Source>>, mut parts: impl Iterator<Item = Part>) -> Result<Checkpoint> {
    let Some(Part { metadata, mut tensors }) = parts.next() else {
        return Err(Error::input("sources", "there is no file to open"));
    };
    for part in parts {
        for (name, info) in part.tensors {
            match tensors.entry(name) {
                Entry::Vacant(entry) => entry.insert(info),
                Entry::Occupied(entry) => {
                    let other = sources[entry.get().source].name();
                    let problem = format!("another part, {other}, has this tensor too");
                    return Err(Error::format(part.metadata.file, entry.key(), info.offset, problem));
                }
            };
        }
    }
    if let Some(promised) = metadata.opt_usize(TENSORS)?
        && promised != tensors.len()
    {
        let problem = format!("{promised} tensors promised, but the parts hold {}", tensors.len());
        return Err(metadata.error(TENSORS, problem));
    }
    Ok(Checkpoint { metadata, tensors, foreign: BTreeMap::new(), sources, folder: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_all_parts_follow_from_any_of_them() {
        let all = ["a/m-00001-of-00003.gguf", "a/m-00002-of-00003.gguf", "a/m-00003-of-00003.gguf"];
        for name in all {
            assert_eq!(siblings(name).unwrap(), all);
        }
    }

    #[test]
    fn a_query_stays_with_every_part() {
        let names = siblings("https://x.example/m-00001-of-00002.gguf?download=true#top").unwrap();
        assert_eq!(names[1], "https://x.example/m-00002-of-00002.gguf?download=true#top");
    }

    #[test]
    fn names_that_are_no_part_have_no_siblings() {
        for name in [
            "m.gguf",
            "m-00000-of-00002.gguf",
            "m-00003-of-00002.gguf",
            "m-00001-of-00000.gguf",
            "m-1-of-2.gguf",
            "00001-of-00002.gguf",
            "m-00001-of-00002.bin",
            "m-00001-of-00002.gguf.part",
            "é-of-00002.gguf",
            "m-0000１-of-00002.gguf",
        ] {
            assert_eq!(siblings(name), None, "{name}");
        }
    }
}
