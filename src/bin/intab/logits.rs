//! `intab logits`: what a model's head puts out, whatever head it has.

use std::path::PathBuf;

use clap::Args;
use intab::{
    Error,
    model::{HeadOutput, Pool},
    run::{Engine, Text, pool},
};
use serde_json::json;

use super::{
    DeviceArgs,
    adapters::AdapterArgs,
    arguments::{self, Ids},
    device::PrecisionArg,
    output::{Result, print},
};

#[derive(Args)]
pub struct LogitsArgs {
    /// The model: a GGUF file, any part of a split one, or a Hugging Face folder
    model: PathBuf,
    /// Token ids, as 1,2,3; of an encoder-decoder, the encoder's
    #[arg(long, required = true, value_parser = arguments::ids, allow_hyphen_values = true)]
    ids: Ids,
    /// The segment of each token, as 0,0,1, for models that tell two texts apart
    #[arg(long, value_parser = arguments::ids, allow_hyphen_values = true)]
    token_types: Option<Ids>,
    /// The decoder's token ids, of an encoder-decoder
    #[arg(long, value_parser = arguments::ids, allow_hyphen_values = true)]
    decoder_ids: Option<Ids>,
    /// The last position only
    #[arg(long)]
    last: bool,
    /// Products with quantized weights by f32 numbers, or by integers where that is faster
    #[arg(long, value_enum, default_value_t = PrecisionArg::Exact)]
    precision: PrecisionArg,
    /// Print {"shape": [n, vocab], "logits": [[…]]}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    adapters: AdapterArgs,
    #[command(flatten)]
    device: DeviceArgs,
}

pub async fn logits(args: &LogitsArgs) -> Result<()> {
    let mut engine = args.device.load(&args.model, Some(&args.ids.0)).await?;
    engine.set_precision(args.precision.into());
    let uses = args.adapters.load(&mut engine).await?;
    engine.set_adapters(&uses)?;
    let config = engine.facts().config.clone();
    let types = args.token_types.as_ref().map(|Ids(types)| types.as_slice());
    let classifies = matches!(config.head.output, HeadOutput::Labels(_));
    let numbers = match (&config.encoder, &config.decoder, &args.decoder_ids) {
        (Some(_), Some(_), None) if !classifies => {
            return Err(Error::input(
                "decoder_ids",
                "an encoder-decoder needs them: what its answer begins with",
            )
            .into());
        }
        (Some(_), Some(_), Some(Ids(decoder_ids))) => {
            engine.read_source(&args.ids.0).await?;
            engine.logits(decoder_ids).await?
        }
        (_, _, Some(_)) => {
            return Err(Error::input("decoder_ids", "this model has no second half to read them").into());
        }
        (_, _, None) => engine.outputs(&[Text { ids: &args.ids.0, types }]).await?.concat(),
    };
    let n_out = config.n_out();
    match (config.head.output, config.head.pool) {
        (HeadOutput::Span, _) => {
            let column = |c: usize| numbers.iter().skip(c).step_by(2).copied().collect::<Vec<f32>>();
            let (start, end) = (column(0), column(1));
            print(&json!({ "shape": [start.len()], "start_logits": start, "end_logits": end }).to_string())
        }
        (HeadOutput::Labels(n), pooling) if pooling != Pool::Each => {
            // The mean was taken before the head: its row is that of any token.
            let pooling = if pooling == Pool::Mean { Pool::First } else { pooling };
            let row = pool(&numbers, n, pooling)?;
            let labels = &config.labels;
            if args.json {
                return print(&json!({ "shape": [n], "logits": row, "labels": labels }).to_string());
            }
            let name = |i: usize| labels.get(i).cloned().unwrap_or_else(|| i.to_string());
            row.iter().enumerate().try_for_each(|(i, x)| print(&format!("{}: {x:.4}", name(i))))
        }
        _ => rows(&engine, &numbers, n_out, args),
    }
}

/// A row for each position.
fn rows(engine: &Engine, numbers: &[f32], n_out: usize, args: &LogitsArgs) -> Result<()> {
    let n = numbers.len() / n_out;
    let rows: Vec<&[f32]> = numbers.chunks_exact(n_out).skip(if args.last { n - 1 } else { 0 }).collect();
    if args.json {
        // A model without a head puts out what a head would read.
        let hidden = engine.facts().config.head.output == HeadOutput::Hidden;
        let name = if hidden { "hidden_states" } else { "logits" };
        return print(&json!({ "shape": [rows.len(), n_out], name: rows }).to_string());
    }
    let over_vocabulary = engine.facts().config.head.output == HeadOutput::Vocabulary;
    for (i, row) in rows.iter().enumerate() {
        let mut best: Vec<usize> = (0..n_out).collect();
        best.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
        let position = if args.last { n - 1 } else { i };
        let shown = |i: &usize| match engine.tokenizer() {
            Ok(tokenizer) if over_vocabulary && *i < tokenizer.vocab_size() => {
                Ok(format!("{i} {:?} {:.4}", tokenizer.piece(*i as u32)?, row[*i]))
            }
            _ => Ok(format!("{i} {:.4}", row[*i])),
        };
        let shown = best.iter().take(5).map(shown).collect::<intab::Result<Vec<_>>>()?;
        print(&format!("{position}: {}", shown.join(", ")))?;
    }
    Ok(())
}
