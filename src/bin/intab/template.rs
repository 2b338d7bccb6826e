//! `intab template`: a chat template over a conversation.

use std::path::{Path, PathBuf};

use clap::Args;
use intab::{Error, format, text::ChatTemplate};
use serde_json::{Map, Value, json};

use super::output::{Failure, Result, print};

#[derive(Args)]
pub struct TemplateArgs {
    /// The model whose template it is, or a file that holds the template alone (.jinja)
    model: PathBuf,
    /// Print {"text": "…"}
    #[arg(long)]
    json: bool,
}

/// Renders the conversation on stdin: a JSON object of the template's variables.
pub async fn template(args: &TemplateArgs) -> Result<()> {
    let template = open(&args.model).await?;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes)
        .map_err(|e| Failure::Stdin(e.to_string()))?;
    let variables: Map<String, Value> = serde_json::from_slice(&bytes)
        .map_err(|e| Failure::Stdin(format!("it is no JSON object of the template's variables: {e}")))?;
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let text = template.render(variables, since.as_secs() as i64)?;
    print(&if args.json { json!({ "text": text }).to_string() } else { text })
}

async fn open(path: &Path) -> Result<ChatTemplate> {
    let is_template = path.extension().is_some_and(|e| e == "jinja" || e == "jinja2" || e == "txt");
    if is_template {
        let source = std::fs::read_to_string(path).map_err(|error| Error::Source {
            source_name: path.display().to_string(),
            problem: error.to_string(),
        })?;
        return Ok(ChatTemplate::new(&source)?);
    }
    let checkpoint = format::open_path(path).await?;
    let problem = || Error::Template { problem: "this model's files have none".into() };
    Ok(ChatTemplate::of(&checkpoint)?.ok_or_else(problem)?)
}
