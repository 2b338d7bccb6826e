//! A place with named files: a directory, a base address, files that a person chose.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    rc::Rc,
};

use super::{LocalFuture, Source};
use crate::error::{Error, Result};

/// What the chosen files are called in messages where they have no common directory.
const UNNAMED: &str = "the given files";

/// Where the files of a model are looked for by name. A path's parts are separated by `/`.
pub trait Place {
    /// A short name of it, for a model that has none.
    fn title(&self) -> String;

    /// How messages name the file at `path`; with an empty path, the place.
    fn address(&self, path: &str) -> String;

    /// The file at `path`, or `None` where there is no such file.
    fn open<'a>(&'a self, path: &'a str) -> LocalFuture<'a, Result<Option<Rc<dyn Source>>>>;

    /// Whether there is a file at `path`, at less cost than opening it.
    fn has<'a>(&'a self, path: &'a str) -> LocalFuture<'a, Result<bool>>;
}

/// Files that are already at hand, such as those dropped on a page.
pub struct FileSet {
    /// The directory that paths are relative to, with a slash at its end; empty for the top.
    root: String,
    files: BTreeMap<String, Rc<dyn Source>>,
}

impl FileSet {
    /// The folder among `given`, files with their paths: the directory nearest to the top that has the first of `markers`
    /// in it; where none has, the second, and so on. `None` where no directory has any.
    ///
    /// # Errors
    /// [`Error::Input`] where two directories are equally near, or two files have one path.
    pub fn new(given: Vec<(String, Rc<dyn Source>)>, markers: &[&str]) -> Result<Option<FileSet>> {
        let mut files = BTreeMap::new();
        for (path, source) in given {
            match files.entry(path) {
                Entry::Vacant(entry) => entry.insert(source),
                Entry::Occupied(entry) => {
                    return Err(Error::input("source", format!("two files are called {}", entry.key())));
                }
            };
        }
        for marker in markers {
            let depth = |root: &&str| root.matches('/').count();
            let mut roots: Vec<&str> = files.keys().filter_map(|path| directory_of(path, marker)).collect();
            roots.sort_by_key(depth);
            match roots.as_slice() {
                [] => {}
                [first, second, ..] if depth(first) == depth(second) => {
                    let problem = format!("both {first} and {second} have a {marker}: choose one of them");
                    return Err(Error::input("source", problem));
                }
                [root, ..] => return Ok(Some(FileSet { root: root.to_string(), files })),
            }
        }
        Ok(None)
    }

    fn find(&self, path: &str) -> Option<&Rc<dyn Source>> {
        self.files.get(&format!("{}{path}", self.root))
    }
}

/// The directory of `path` with its slash, where the file in it is called `name`.
fn directory_of<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    path.strip_suffix(name).filter(|directory| directory.is_empty() || directory.ends_with('/'))
}

impl Place for FileSet {
    fn title(&self) -> String {
        let root = self.root.trim_end_matches('/');
        root.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(UNNAMED).to_string()
    }

    fn address(&self, path: &str) -> String {
        match (self.root.as_str(), path) {
            ("", "") => UNNAMED.to_string(),
            (root, "") => root.trim_end_matches('/').to_string(),
            (root, path) => format!("{root}{path}"),
        }
    }

    fn open<'a>(&'a self, path: &'a str) -> LocalFuture<'a, Result<Option<Rc<dyn Source>>>> {
        Box::pin(std::future::ready(Ok(self.find(path).cloned())))
    }

    fn has<'a>(&'a self, path: &'a str) -> LocalFuture<'a, Result<bool>> {
        Box::pin(std::future::ready(Ok(self.find(path).is_some())))
    }
}

/// Whether `path`, which a file of the place names, stays within the place and needs no encoding in a URL.
pub(super) fn is_inside(path: &str) -> bool {
    let is_plain = |c: char| !c.is_control() && !"\\:?#%*\"<>|".contains(c);
    path.split('/').all(|part| !part.is_empty() && part != "." && part != "..") && path.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::MemorySource;

    fn set(paths: &[&str]) -> Result<Option<FileSet>> {
        let source = |path: &&str| Rc::new(MemorySource::new(*path, Vec::new())) as Rc<dyn Source>;
        FileSet::new(
            paths.iter().map(|path| (path.to_string(), source(path))).collect(),
            &["b.json", "a.json"],
        )
    }

    #[test]
    fn the_marker_nearest_to_the_top_marks_the_folder() {
        let files = set(&["x/m/a.json", "x/m/sub/a.json", "x/m/w"]).unwrap().unwrap();
        assert_eq!((files.title().as_str(), files.address("w").as_str()), ("m", "x/m/w"));
        assert!(
            files.find("w").is_some() && files.find("sub/a.json").is_some() && files.find("x/m/w").is_none()
        );
        let files = set(&["a.json", "sub/a.json"]).unwrap().unwrap();
        assert_eq!((files.title().as_str(), files.address("")), (UNNAMED, UNNAMED.to_string()));
    }

    #[test]
    fn the_first_marker_counts_before_the_others() {
        let files = set(&["top/b.json", "a.json"]).unwrap().unwrap();
        assert_eq!(files.title(), "top");
    }

    #[test]
    fn without_a_marker_there_is_no_folder_and_two_are_one_too_many() {
        assert!(set(&["not-a.json", "w"]).unwrap().is_none());
        let error = set(&["x/a.json", "y/a.json"]).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("both x/ and y/ have a a.json"), "{error}");
        let error = set(&["a.json", "w", "w"]).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("two files are called w"), "{error}");
    }

    #[test]
    fn a_path_that_leads_out_of_its_place_is_noticed() {
        for path in ["w", "model-00001-of-00002.safetensors", "1_Pooling/config.json", "a b", "é"] {
            assert!(is_inside(path), "{path}");
        }
        for path in [
            "",
            "/w",
            "w/",
            "a//b",
            "../w",
            "a/../../w",
            "./w",
            "..\\w",
            "c:w",
            "https://x/w",
            "w?x",
            "w#x",
            "%2e%2e/w",
        ] {
            assert!(!is_inside(path), "{path}");
        }
    }
}
