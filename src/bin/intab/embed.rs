//! `intab embed`: a text as one row of numbers.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use intab::{
    model::Pool,
    run::{EmbedOptions, Text},
};
use serde_json::json;

use super::{
    DeviceArgs,
    arguments::{self, Ids},
    output::{Result, print},
};

#[derive(Args)]
pub struct EmbedArgs {
    /// The model: a GGUF file, any part of a split one, or a Hugging Face folder
    model: PathBuf,
    /// The text
    #[arg(
        short,
        long,
        value_name = "TEXT",
        conflicts_with = "ids",
        required_unless_present = "ids",
        allow_hyphen_values = true
    )]
    prompt: Option<String>,
    /// Token ids, as 1,2,3, instead of a text; nothing is added to them
    #[arg(long, value_parser = arguments::ids, allow_hyphen_values = true)]
    ids: Option<Ids>,
    /// The segment of each token, as 0,0,1
    #[arg(long, value_parser = arguments::ids, requires = "ids", allow_hyphen_values = true)]
    token_types: Option<Ids>,
    /// Which hidden states count [default: as the model's files say]
    #[arg(long, value_enum)]
    pooling: Option<PoolingArg>,
    /// Give the embedding the length 1
    #[arg(long)]
    normalize: bool,
    /// Keep the first N numbers, for models trained for it
    #[arg(long, value_name = "N", value_parser = arguments::whole::<usize>, allow_negative_numbers = true)]
    dimensions: Option<usize>,
    /// Print {"embedding": […]}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum PoolingArg {
    /// The mean of all
    Mean,
    /// The first token's
    Cls,
    /// The last token's
    Last,
}

pub async fn embed(args: &EmbedArgs) -> Result<()> {
    let given = args.ids.as_ref().map(|Ids(ids)| ids.as_slice());
    let mut engine = args.device.load(&args.model, given).await?;
    let ids = match (given, &args.prompt) {
        (Some(ids), _) => ids.to_vec(),
        (None, prompt) => engine.tokenizer()?.encode(prompt.as_deref().unwrap_or_default(), true, true)?,
    };
    let types = args.token_types.as_ref().map(|Ids(types)| types.as_slice());
    let pooling = args.pooling.map(|pooling| match pooling {
        PoolingArg::Mean => Pool::Mean,
        PoolingArg::Cls => Pool::First,
        PoolingArg::Last => Pool::Last,
    });
    let options = EmbedOptions { pooling, normalize: Some(args.normalize), dimensions: args.dimensions };
    let embedding = engine.embed(&[Text { ids: &ids, types }], options).await?.concat();
    if args.json {
        return print(&json!({ "embedding": embedding }).to_string());
    }
    print(&embedding.iter().map(f32::to_string).collect::<Vec<_>>().join(" "))
}
