//! Models of every family against transformers in float32, as Hugging Face folders and as GGUF files, on both backends: logits
//! within 1e-3 of the row's range, greedy and beam ids equal. What passes stands in the README's table.

#[path = "../common/mod.rs"]
mod common;

mod check;
mod table;

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use intab::{
    Error, format,
    model::HeadOutput,
    run::{Engine, Event, Fusion, GenerateOptions, LoadOptions, Prefer, load},
};
use pollster::block_on;
use serde_json::Value as Json;

/// How a model comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Folder,
    Gguf,
}

/// A model and what is expected of it.
struct Model {
    path: PathBuf,
    form: Form,
    /// `model_type` of its config.
    family: String,
    kind: String,
    /// Whether it is part of this repository.
    is_ours: bool,
    expected: Json,
}

/// What became of one.
struct Outcome {
    model: &'static Model,
    result: Result<(), String>,
}

/// Models that are refused, with what the refusal says.
const REFUSED: &[(&str, &str)] = &[
    ("gpt_oss-mxfp4", "unsupported quantization `mxfp4`"),
    // Within the first training's context nothing is scaled, and longer texts are not run.
    ("llama-dynamic", "the prompt has 26 tokens but the context holds 20"),
];

/// GGUF files whose converter left out the pooler or the head, and with it the answers: the first is refused, the second
/// gives hidden states.
const HEADLESS: &[&str] = &["bert-classify.gguf", "bert-mlm.gguf"];

/// Every model that is at hand.
fn models() -> &'static [Model] {
    static MODELS: OnceLock<Vec<Model>> = OnceLock::new();
    MODELS.get_or_init(|| {
        let ours = common::repo("tests/data/models");
        let places = [(ours, true)].into_iter().chain(common::shared("fixtures").map(|place| (place, false)));
        let mut models = Vec::new();
        for (place, is_ours) in places {
            for entry in std::fs::read_dir(place).unwrap() {
                let folder = entry.unwrap().path();
                let read = |name: &str| {
                    let bytes = std::fs::read(folder.join(name)).ok()?;
                    serde_json::from_slice::<Json>(&bytes).ok()
                };
                let (Some(expected), Some(config)) = (read("expected.json"), read("config.json")) else {
                    continue;
                };
                let gguf = folder.with_file_name(format!("{}.gguf", folder.file_name().unwrap().display()));
                for (path, form) in [(folder.clone(), Form::Folder), (gguf, Form::Gguf)] {
                    let headless = HEADLESS.iter().any(|name| path.ends_with(name));
                    if path.exists() && !headless {
                        let family = config["model_type"].as_str().unwrap_or_default().to_owned();
                        let kind = expected["kind"].as_str().unwrap_or_default().to_owned();
                        models.push(Model { path, form, family, kind, is_ours, expected: expected.clone() });
                    }
                }
            }
        }
        models.sort_by(|a, b| a.path.cmp(&b.path));
        models
    })
}

fn engine(path: &Path, prefer: Prefer) -> Result<Engine, Error> {
    fused_engine(path, prefer, Fusion::default())
}

fn fused_engine(path: &Path, prefer: Prefer, fusion: Fusion) -> Result<Engine, Error> {
    let checkpoint = block_on(format::open_path(path))?;
    block_on(load(&checkpoint, &LoadOptions { prefer, fusion, ..LoadOptions::default() }))
}

/// What became of every model on a backend; `None` where the machine has no GPU.
fn outcomes(prefer: Prefer) -> Option<&'static [Outcome]> {
    static CPU: OnceLock<Option<Vec<Outcome>>> = OnceLock::new();
    static GPU: OnceLock<Option<Vec<Outcome>>> = OnceLock::new();
    let all = if prefer == Prefer::Gpu { &GPU } else { &CPU };
    let run = || {
        let mut outcomes = Vec::new();
        for model in models() {
            let result = match engine(&model.path, prefer) {
                Ok(mut engine) => agrees(&mut engine, model),
                Err(error @ Error::NoDevice { .. }) => {
                    common::no_gpu(&error);
                    return None;
                }
                Err(error) => Err(error.to_string()),
            };
            outcomes.push(Outcome { model, result });
        }
        Some(outcomes)
    };
    all.get_or_init(run).as_deref()
}

fn agrees(engine: &mut Engine, model: &Model) -> Result<(), String> {
    match model.kind.as_str() {
        "decoder" => check::decoder_agrees(engine, &model.expected),
        "encoder" => check::encoder_agrees(engine, &model.expected),
        "encoder-decoder" => check::seq2seq_agrees(engine, &model.expected),
        other => Err(format!("unknown kind `{other}`")),
    }
}

/// All models of a form agree, or are refused as they must be; those that do not are told together.
fn all_agree(form: Form, prefer: Prefer, least: usize) {
    let Some(outcomes) = outcomes(prefer) else { return };
    let outcomes: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.model.form == form).collect();
    assert!(outcomes.len() >= least, "{} models", outcomes.len());
    let mut failures = Vec::new();
    for Outcome { model, result } in &outcomes {
        let refusal = REFUSED.iter().find(|(name, _)| form == Form::Folder && model.path.ends_with(name));
        match (result, refusal) {
            (Ok(()), None) => {}
            (Err(problem), Some((_, refusal))) if problem.contains(refusal) => {}
            (Ok(()), Some((_, refusal))) => {
                failures.push(format!("{}: it is not refused: {refusal}", model.path.display()));
            }
            (Err(problem), _) => failures.push(format!("{}: {problem}", model.path.display())),
        }
    }
    let (n, all) = (failures.len(), outcomes.len());
    assert!(failures.is_empty(), "{n} of {all} disagree:\n{}", failures.join("\n"));
}

#[test]
fn folders_agree_on_the_cpu() {
    all_agree(Form::Folder, Prefer::Cpu, 100);
}

#[test]
fn folders_agree_on_the_gpu() {
    all_agree(Form::Folder, Prefer::Gpu, 100);
}

#[test]
fn gguf_files_agree_on_the_cpu() {
    all_agree(Form::Gguf, Prefer::Cpu, 45);
}

#[test]
fn gguf_files_agree_on_the_gpu() {
    all_agree(Form::Gguf, Prefer::Gpu, 45);
}

/// On the CPU, where the plain plan and the fused one run by the same arithmetic: rows alone, which is how texts go on, and
/// rows together. (That devices agree on fused plans is what the tests above show.)
#[test]
fn fused_plans_agree_with_plain_ones() {
    let (mut n, mut n_fused) = (0, 0);
    for model in models().iter().filter(|model| model.kind == "decoder") {
        let open = |fusion| fused_engine(&model.path, Prefer::Cpu, fusion);
        let (Ok(mut plain), Ok(mut fused)) = (open(Fusion::Never), open(Fusion::Always)) else { continue };
        let steps = [&plain, &fused].map(|engine| engine.facts().dispatches_per_token);
        n += 1;
        n_fused += usize::from(steps[1] < steps[0]);
        let name = model.path.display();
        let ids: Vec<u32> = (1..9).collect();
        let [expected, found] = [&mut plain, &mut fused].map(|engine| block_on(engine.logits(&ids)).unwrap());
        let nmse = common::nmse(&expected, &found);
        assert!(nmse <= 1e-9, "{name}: NMSE {nmse:e} between rows");
        let [expected, found] = [&mut plain, &mut fused].map(|engine| {
            let options = GenerateOptions {
                max_new_tokens: Some(8),
                temperature: 0.0,
                ignore_eos: true,
                ..GenerateOptions::default()
            };
            let mut generation = engine.generate(&ids, options).unwrap();
            loop {
                if let Event::Done { output, .. } = block_on(generation.step(engine)).unwrap() {
                    return output.tokens;
                }
            }
        });
        assert_eq!(expected, found, "{name}: greedy tokens");
    }
    assert!(n >= 70 && n_fused >= 60, "{n_fused} of {n} models have plans with fewer steps");
}

/// A question's head is one of the kinds that [`HeadOutput`] tells.
#[test]
fn heads_are_told_by_the_class() {
    for (name, output) in [
        ("bert-mlm", HeadOutput::Vocabulary),
        ("bert-classify", HeadOutput::Labels(3)),
        ("bert-qa", HeadOutput::Span),
        ("bert", HeadOutput::Hidden),
        ("electra-discriminator", HeadOutput::Labels(1)),
    ] {
        let engine = engine(&common::repo(&format!("tests/data/models/{name}")), Prefer::Cpu).unwrap();
        assert_eq!(engine.facts().config.head.output, output, "{name}");
    }
}

#[test]
fn a_classifier_without_its_pooler_is_refused() {
    let Some(path) = common::shared("fixtures/bert-classify.gguf") else { return };
    let checkpoint = block_on(format::open_path(&path)).unwrap();
    let options = LoadOptions { prefer: Prefer::Cpu, ..LoadOptions::default() };
    let Err(error) = block_on(load(&checkpoint, &options)) else { panic!("it was loaded") };
    assert!(matches!(&error, Error::Unsupported { found, .. } if found == "cls.output.weight"), "{error}");
}
