//! From an adapter's files to numbers that fit the model.

use super::{AdapterOptions, Loaded, dora};
use crate::{
    error::{Error, Result},
    format::AdapterFiles,
    model::{Adapter, LowRank, OUTPUT, TOKEN_TABLE},
    plan::{Op, Storage, ValueInfo},
    run::Engine,
    text,
};

/// A weight of the model.
#[derive(Clone, Copy)]
pub(super) struct Weight<'a> {
    /// As the device knows it.
    pub info: &'a ValueInfo,
    /// Whether it is one of several matrices of experts.
    pub experts: bool,
}

/// Reads an adapter and checks it against the model's plans.
pub(super) async fn load(
    engine: &mut Engine,
    files: &AdapterFiles,
    options: &AdapterOptions,
) -> Result<Loaded> {
    let reached = |loaded, total| options.reached(loaded, total);
    let matches = |pattern: &str, name: &str| text::ends_in(pattern, name);
    let mut adapter =
        Adapter::read(files, &engine.adapters.modules, &engine.facts().config, &matches, &reached).await?;
    let file = &files.checkpoint.metadata.file;
    check(engine, file, &adapter)?;
    if !adapter.prompt.is_empty() {
        check_prompt(engine, &adapter)?;
        dora::subtract_first_row(engine, &mut adapter.prompt).await?;
    }
    let gains = dora::gains(engine, &mut adapter).await?;
    Ok(Loaded { adapter, gains })
}

/// # Errors
/// [`Error::Format`] naming the weight that does not fit.
fn check(engine: &Engine, file: &str, adapter: &Adapter) -> Result<()> {
    let bad = |name: &str, problem: String| Err(Error::format(file, name, 0, problem));
    let fits = |name: &str, low: &LowRank, n_in: usize, n_out: usize| {
        let (a, b) = (low.a.len() / low.rank, low.b.len() / low.rank);
        match (a, b) == (n_in, n_out) {
            true => Ok(()),
            false => bad(
                name,
                format!("the adapter's layer maps {a} numbers to {b}, the model's {n_in} to {n_out}"),
            ),
        }
    };
    for (name, low) in &adapter.layers {
        match weight(engine, name) {
            None => return bad(name, "the model computes nothing with this layer".into()),
            Some(Weight { experts: true, .. }) => {
                return Err(Error::unsupported("adapter module", name, "layers of experts are not adapted"));
            }
            Some(Weight { info, .. }) => fits(name, low, info.cols, info.rows)?,
        }
        if adapter.replaced.contains_key(name) {
            return bad(name, "the adapter both replaces this layer and adds to it".into());
        }
    }
    if let Some(low) = &adapter.embedding {
        match weight(engine, TOKEN_TABLE) {
            Some(Weight { info, .. }) => fits(TOKEN_TABLE, low, info.rows, info.cols)?,
            None => return bad(TOKEN_TABLE, "the model has no token embeddings".into()),
        }
    }
    for (name, n) in &adapter.frozen {
        let own = weight(engine, name).map_or(0, |weight| weight.info.rows * weight.info.cols);
        if own != *n {
            let problem =
                format!("it was saved with {n} numbers, the model's has {own}: was its vocabulary another?");
            return bad(name, problem);
        }
    }
    for (name, replacement) in &adapter.replaced {
        let Some(Weight { info, .. }) = weight(engine, name) else {
            return bad(name, "the model computes nothing with this weight".into());
        };
        let vector = matches!(info.storage, Storage::Vector);
        let fits = info.rows * info.cols == replacement.numbers.len()
            && vector == replacement.vector
            && (vector || info.rows == replacement.rows);
        if !fits {
            let (rows, n) = (replacement.rows, replacement.numbers.len());
            let cols = n / rows.max(1);
            return bad(
                name,
                format!("its shape is [{rows}, {cols}], the model's is [{}, {}]", info.rows, info.cols),
            );
        }
    }
    Ok(())
}

/// # Errors
/// [`Error::Unsupported`] for a model that a soft prompt is not run with, [`Error::Input`] for one that does not fit.
fn check_prompt(engine: &Engine, adapter: &Adapter) -> Result<()> {
    let config = &engine.facts().config;
    let of = |found: &str, hint: &str| Err(Error::unsupported("soft prompt", found, hint));
    let Some(stack) = config.decoder.as_ref().filter(|_| config.encoder.is_none()) else {
        return of(&config.architecture, "models that are a decoder alone are run with it");
    };
    if stack.embedding_scale != 1.0 || config.embedding_width.is_some() {
        return of(&config.architecture, "models that scale or project their embeddings are not run with it");
    }
    let n_embd = stack.n_embd;
    if !adapter.prompt.len().is_multiple_of(n_embd) {
        let problem = format!("its embeddings are not {n_embd} numbers wide, as the model's are");
        return Err(Error::input("adapter", problem));
    }
    let n = adapter.prompt.len() / n_embd;
    match n < engine.facts().n_ctx {
        true => Ok(()),
        false => Err(Error::ContextFull { n_prompt: n, n_ctx: engine.facts().n_ctx }),
    }
}

/// The weight of the model that this name means: where the output layer is the token embeddings, those.
pub(super) fn weight<'a>(engine: &'a Engine, name: &str) -> Option<Weight<'a>> {
    let plans = engine.own_plans().all();
    let find = |name: &str| {
        plans.iter().find_map(|plan| {
            let value = plan.find(name)?;
            let experts =
                plan.steps.iter().any(|step| matches!(step.op, Op::ExpertLinear { w, .. } if w == value));
            Some(Weight { info: &plan[value], experts })
        })
    };
    find(name).or_else(|| find(TOKEN_TABLE).filter(|_| name == OUTPUT && engine.adapters.modules.is_tied()))
}
