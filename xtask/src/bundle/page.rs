//! The page around the contents: code, style, words, and the Content-Security-Policy that lets these alone run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::embed::Content;
use crate::settings::Settings as Build;
use crate::{esbuild, wasm};

/// The script behind each element of contents; `www/bundle/contents.js` defines it.
pub const TAKE: &str = "intabTake()";

/// Where scripts think that they are; nothing is ever requested from there.
const NOWHERE: &str = "--define:import.meta.url=\"https://intab.invalid/lib/worker.js\"";

const TEMPLATE: &str = include_str!("../../../www/bundle/page.html");

/// What the page's script reads from it.
#[derive(Serialize)]
pub struct Settings<'a> {
    title: &'a str,
    system: Option<&'a str>,
    contents: Vec<Named<'a>>,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    chunks: u64,
}

impl<'a> Settings<'a> {
    pub fn new(title: &'a str, system: Option<&'a str>, contents: &'a [Content]) -> Self {
        let contents =
            contents.iter().map(|content| Named { name: &content.name, chunks: content.chunks() }).collect();
        Settings { title, system, contents }
    }
}

/// What a page is made of, minified.
pub struct Code {
    script: String,
    style: String,
    icon: Vec<u8>,
    pub worker: Vec<u8>,
    pub wasm: PathBuf,
}

impl Code {
    pub fn build(root: &Path) -> Result<Code> {
        let bundle = |entry: &str, more: &[&str]| {
            let mut arguments = vec![entry, "--bundle", "--minify"];
            arguments.extend(more);
            esbuild::run(root, &arguments)
        };
        // A page from a disk may run no modules but its own, and those not before all of it is there.
        let script = ["--format=iife", "--target=es2022", NOWHERE];
        let text =
            |bytes: Vec<u8>| String::from_utf8(bytes).context("esbuild wrote something else than UTF-8");
        let icon = root.join("www/app/icon.svg");
        let built = Build::read(root)?;
        let [[wasm, _], _] = wasm::outputs(&root.join(&built.out_dir), &built);
        Ok(Code {
            script: text(bundle("www/bundle/page.js", &script)?)?.trim().to_owned(),
            style: text(bundle("www/bundle/page.css", &[])?)?.trim().to_owned(),
            icon: std::fs::read(&icon).with_context(|| format!("reading {}", icon.display()))?,
            worker: bundle("www/bundle/worker.js", &script)?,
            wasm,
        })
    }

    /// What comes before the contents, and what after.
    pub fn around(&self, title: &str, settings: &Settings) -> Result<(String, String)> {
        // These would end a script or change how its end is read (WHATWG HTML, 4.12.1.3).
        for mark in ["</script", "<script", "<!--"] {
            let is_free = !self.script.to_ascii_lowercase().contains(mark);
            ensure!(is_free, "the page's script has {mark} in it: write that text in another way");
        }
        ensure!(!self.style.to_ascii_lowercase().contains("</style"), "the page's style has </style in it");
        let icon = format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(&self.icon));
        let json = serde_json::to_string(settings).context("writing the settings")?.replace('<', "\\u003c");
        let page = filled(
            TEMPLATE,
            &[
                ("policy", &self.policy()),
                ("title", &escaped(title)),
                ("icon", &icon),
                ("style", &self.style),
                ("script", &self.script),
                ("settings", &json),
                ("contents", "\0"),
            ],
        )?;
        let (head, tail) = page.split_once('\0').context("page.html has no place for the contents")?;
        Ok((head.to_owned(), tail.to_owned()))
    }

    /// These scripts and this style alone, WebAssembly, workers from what the page makes, and no request of any kind.
    fn policy(&self) -> String {
        let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)));
        format!(
            "default-src 'none'; script-src {} {} 'wasm-unsafe-eval'; worker-src blob:; style-src {}; img-src data:; \
             base-uri 'none'; form-action 'none'",
            hash(&self.script),
            hash(TAKE),
            hash(&self.style)
        )
    }
}

/// The template with its `{{name}}`s replaced, in one go, so that a value is never looked into.
fn filled(template: &str, values: &[(&str, &str)]) -> Result<String> {
    let mut page = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").context("page.html has {{ without }}")?;
        let value = values.iter().find(|(known, _)| *known == name);
        page += before;
        page += value.with_context(|| format!("page.html asks for {name}, which there is not"))?.1;
        rest = after;
    }
    Ok(page + rest)
}

/// Text as HTML, in elements and in attributes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(script: &str) -> Code {
        let (script, style) = (script.to_owned(), "p{}".to_owned());
        Code { script, style, icon: Vec::new(), worker: Vec::new(), wasm: PathBuf::new() }
    }

    #[test]
    fn words_are_text_wherever_they_stand() {
        let words = "</script><b>\"Grüße\" & {{script}}";
        let settings = Settings::new(words, Some(words), &[]);
        let (head, _) = code("run()").around(words, &settings).unwrap();
        assert!(head.contains("<title>&lt;/script&gt;&lt;b&gt;&quot;Grüße&quot; &amp; {{script}}</title>"));
        assert!(head.contains(r#"\u003c/script>\u003cb>\"Grüße\" & {{script}}"#), "{head}");
        assert_eq!(head.matches("<b>").count(), 0);
    }

    #[test]
    fn a_script_that_would_end_too_early_is_refused() {
        for script in ["x='</SCRIPT>'", "x='<!--'", "x='<script'"] {
            assert!(code(script).around("", &Settings::new("", None, &[])).is_err(), "{script}");
        }
    }

    #[test]
    fn the_policy_lets_nothing_be_requested() {
        let policy = code("run()").policy();
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("connect-src"), "{policy}");
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{policy}");
    }
}
