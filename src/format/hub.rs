//! Addresses on the Hugging Face hub: `hf:owner/name[@revision][/path]`, and pages that a person would copy.

use crate::error::{Error, Result};

const SCHEME: &str = "hf:";
const SITE: &str = "https://huggingface.co/";
const DEFAULT_REVISION: &str = "main";
/// What the site puts between a repository's name and a revision: on the page of a folder, and on that of a file.
const VIEWS: [&str; 2] = ["tree", "blob"];

/// A place in a repository of the hub.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OnHub {
    /// The URL of a file, or of a folder with a slash at its end.
    pub url: String,
    /// The repository's name without its owner's.
    pub name: String,
}

/// Where `text` leads if it names something on the hub; `None` for any other address.
///
/// # Errors
/// [`Error::Input`] where it begins with `hf:` and does not go on as it should.
pub(super) fn resolve(text: &str) -> Result<Option<OnHub>> {
    if let Some(rest) = text.strip_prefix(SCHEME) {
        let problem =
            format!("{text:?} is not hf:owner/name, hf:owner/name@revision or hf:owner/name/file.gguf");
        return short(rest).map(Some).ok_or_else(|| Error::input("source", problem));
    }
    Ok(text.strip_prefix(SITE).and_then(page))
}

/// Reads `owner/name[@revision][/path]`.
fn short(text: &str) -> Option<OnHub> {
    let (owner, rest) = text.split_once('/')?;
    let (name, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, revision) = name.split_once('@').unwrap_or((name, DEFAULT_REVISION));
    place(owner, name, revision, path)
}

/// Reads `owner/name`, `owner/name/tree/revision/path` and the like. What looks otherwise is another page of the site.
fn page(text: &str) -> Option<OnHub> {
    let text = text.split(['?', '#']).next()?.trim_end_matches('/');
    let (owner, rest) = text.split_once('/')?;
    let Some((name, rest)) = rest.split_once('/') else {
        return place(owner, rest, DEFAULT_REVISION, "");
    };
    let (view, rest) = rest.split_once('/')?;
    let (revision, path) = rest.split_once('/').unwrap_or((rest, ""));
    VIEWS.contains(&view).then(|| place(owner, name, revision, path))?
}

fn place(owner: &str, name: &str, revision: &str, path: &str) -> Option<OnHub> {
    // The hub's own alphabet for names.
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    // A branch such as refs/pr/1 is written refs%2Fpr%2F1.
    let is_revision = !revision.is_empty()
        && revision.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.%+".contains(&b))
        && !revision.starts_with('.');
    // A path without a file's ending is a directory of the repository.
    let is_file = path.rsplit('/').next().is_some_and(|last| last.contains('.'));
    let path = path.trim_matches('/');
    let is_path = path.is_empty() || super::place::is_inside(path);
    if !(is_name(owner) && is_name(name) && is_revision && is_path) {
        return None;
    }
    let base = format!("{SITE}{owner}/{name}/resolve/{revision}/");
    let url = if path.is_empty() || is_file { format!("{base}{path}") } else { format!("{base}{path}/") };
    Some(OnHub { url, name: name.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Option<String> {
        resolve(text).unwrap().map(|found| found.url)
    }

    const REPOSITORY: &str = "https://huggingface.co/owner/some-name_1.5/resolve/";

    #[test]
    fn a_repository_is_a_folder_at_its_main_revision() {
        assert_eq!(url("hf:owner/some-name_1.5").unwrap(), format!("{REPOSITORY}main/"));
        assert_eq!(url("hf:owner/some-name_1.5/").unwrap(), format!("{REPOSITORY}main/"));
        assert_eq!(
            url("hf:owner/some-name_1.5@refs%2Fpr%2F1").unwrap(),
            format!("{REPOSITORY}refs%2Fpr%2F1/")
        );
        assert_eq!(url("hf:owner/some-name_1.5@v2/sub").unwrap(), format!("{REPOSITORY}v2/sub/"));
        assert_eq!(url("hf:owner/some-name_1.5/v1.0/").unwrap(), format!("{REPOSITORY}main/v1.0/"));
    }

    #[test]
    fn a_path_in_a_repository_is_a_file() {
        assert_eq!(url("hf:owner/some-name_1.5/a/m.gguf").unwrap(), format!("{REPOSITORY}main/a/m.gguf"));
        assert_eq!(url("hf:owner/some-name_1.5@abc/m.gguf").unwrap(), format!("{REPOSITORY}abc/m.gguf"));
    }

    #[test]
    fn the_address_of_a_page_leads_to_the_same() {
        let site = "https://huggingface.co/owner/some-name_1.5";
        assert_eq!(url(site).unwrap(), format!("{REPOSITORY}main/"));
        assert_eq!(url(&format!("{site}/tree/v1/")).unwrap(), format!("{REPOSITORY}v1/"));
        assert_eq!(url(&format!("{site}/blob/main/m.gguf")).unwrap(), format!("{REPOSITORY}main/m.gguf"));
        // The address of the file itself is good as it is.
        assert_eq!(url(&format!("{site}/resolve/main/m.gguf?download=true")), None);
        assert_eq!(url("https://huggingface.co/docs/safetensors/index"), None);
        assert_eq!(url("https://x.example/owner/name"), None);
    }

    #[test]
    fn an_incomplete_address_is_refused() {
        for text in [
            "hf:",
            "hf:name",
            "hf:owner/",
            "hf:/name",
            "hf:owner/name@",
            "hf:owner/na me",
            "hf:owner/name/../x",
            "hf:owner/name?x",
        ] {
            let error = resolve(text).unwrap_err();
            assert!(matches!(&error, Error::Input { what: "source", .. }), "{text}: {error}");
        }
    }
}
