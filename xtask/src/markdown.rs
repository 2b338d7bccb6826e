//! The Markdown renderer of `<intab-chat>`: a module of `www` and the libraries that it needs → one file in `www/pkg`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};

use crate::{esbuild, npm};

/// What is bundled.
const ENTRY: &str = "www/markdown/markdown.js";

/// The name of what comes of it, in the output folder of the build.
const OUTPUT: &str = "markdown.js";

/// What it is made from, besides the packages that the lock file names.
const INPUTS: [&str; 3] = [ENTRY, "www/package.json", "www/package-lock.json"];

/// The licences of what becomes a part of it, as the packages have them.
const LICENCES: [(&str, &str); 2] = [("marked", "LICENSE"), ("DOMPurify", "LICENSE")];

/// The bundle's place.
pub fn output(out_dir: &Path) -> PathBuf {
    out_dir.join(OUTPUT)
}

/// Makes the bundle, unless it is newer than all that it is made from.
pub fn build(root: &Path, out_dir: &Path) -> Result<()> {
    let output = output(out_dir);
    if is_current(&output, INPUTS.iter().map(|input| root.join(input)))? {
        return Ok(());
    }
    let folder =
        npm::ensure(root, npm::PACKAGE).map_err(|problem| anyhow!("{OUTPUT} cannot be made: {problem}"))?;
    std::fs::create_dir_all(out_dir).with_context(|| format!("making {}", out_dir.display()))?;
    let form = ["--bundle", "--minify", "--format=esm", "--platform=browser", "--target=es2022"];
    let rest = ["--charset=utf8", "--legal-comments=none"];
    let bundle = esbuild::run(root, &[&[ENTRY], &form[..], &rest].concat())?;
    let bundle = String::from_utf8(bundle).context("the bundled Markdown renderer is not UTF-8")?;
    let text = format!("{}{bundle}", licences(&folder)?);
    std::fs::write(&output, text).with_context(|| format!("writing {}", output.display()))
}

/// A comment with the licences' texts.
fn licences(folder: &Path) -> Result<String> {
    let mut comment = String::from("/*\nThis file has parts of the following libraries.\n");
    for (library, file) in LICENCES {
        let path = folder.join("node_modules").join(library.to_lowercase()).join(file);
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        comment += &format!("\n--- {library} ---\n\n{}\n", text.trim().replace("*/", "* /"));
    }
    comment += "*/\n";
    Ok(comment)
}

/// Whether a file is there and as new as all that it is made from.
fn is_current(output: &Path, inputs: impl IntoIterator<Item = PathBuf>) -> Result<bool> {
    let Ok(made) = modified(output) else { return Ok(false) };
    for input in inputs {
        let changed = modified(&input).with_context(|| format!("reading {}", input.display()))?;
        if changed > made {
            return Ok(false);
        }
    }
    Ok(true)
}

fn modified(path: &Path) -> std::io::Result<SystemTime> {
    path.metadata()?.modified()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("intab-markdown-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn what_is_older_than_a_part_of_it_is_made_again() {
        let folder = folder("age");
        let write = |name: &str, seconds: u64| {
            let file = std::fs::File::create(folder.join(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
            folder.join(name)
        };
        let inputs = || [folder.join("a"), folder.join("b")];
        let output = folder.join("out");
        write("a", 100);
        write("b", 200);
        assert!(!is_current(&output, inputs()).unwrap(), "it is not there");
        write("out", 150);
        assert!(!is_current(&output, inputs()).unwrap(), "b is newer");
        write("out", 200);
        assert!(is_current(&output, inputs()).unwrap());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn each_library_has_its_licence_and_none_ends_the_comment() {
        let folder = folder("licences");
        for (library, file) in LICENCES {
            let package = folder.join("node_modules").join(library.to_lowercase());
            std::fs::create_dir_all(&package).unwrap();
            std::fs::write(package.join(file), format!("Terms of {library} */")).unwrap();
        }
        let comment = licences(&folder).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        for (library, _) in LICENCES {
            assert!(comment.contains(&format!("Terms of {library} * /")), "{comment}");
        }
        assert_eq!(comment.matches("*/").count(), 1);
    }
}
