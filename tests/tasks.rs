//! Embeddings, labels, entities, answers, missing words and relevance, from texts to results, against what the pipelines of
//! Hugging Face transformers answer: tools/make_task_answers.py made the files in tests/data/tasks.

mod common;

use common::folder::Folder;
use intab::{
    Error,
    model::Pool,
    run::{Aggregation, AnswerOptions, EmbedOptions, Engine, LoadOptions, Prefer},
};
use pollster::block_on;
use serde_json::Value as Json;

/// A task of the file.
struct Case(Json);

impl Case {
    fn of(task: &str) -> Case {
        let all = std::fs::read(common::repo("tests/data/tasks/expected.json")).unwrap();
        let all: Json = serde_json::from_slice(&all).unwrap();
        Case(all[task].clone())
    }

    /// The task's model with the tokenizer and what its config has besides.
    fn folder(&self) -> Folder {
        let name = self.text("model");
        let own = format!("tests/data/tasks/{name}");
        let mut folder = if common::repo(&own).exists() { Folder::at(&own) } else { Folder::of(name) };
        for (key, value) in self.0["config"].as_object().unwrap() {
            folder.config[key] = value.clone();
        }
        folder.files.push(("m/tokenizer.json".into(), tokenizer()));
        folder
    }

    /// Checks on both backends, the GPU where there is one.
    fn on_both(&self, check: impl Fn(&mut Engine)) {
        for prefer in [Prefer::Cpu, Prefer::Gpu] {
            match self.folder().load_with(&LoadOptions { prefer, ..LoadOptions::default() }) {
                Ok(mut engine) => check(&mut engine),
                Err(error @ Error::NoDevice { .. }) => common::no_gpu(&error),
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap()
    }

    fn texts(&self) -> Vec<&str> {
        self.0["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
    }
}

fn tokenizer() -> Vec<u8> {
    std::fs::read(common::repo("tests/data/tasks/tokenizer.json")).unwrap()
}

fn list(json: &Json) -> &[Json] {
    json.as_array().unwrap()
}

/// The place in bytes of a place in characters.
fn bytes(text: &str, at: &Json) -> usize {
    text.chars().take(at.as_u64().unwrap() as usize).map(char::len_utf8).sum()
}

#[track_caller]
fn close(found: f32, expected: &Json) {
    let expected = expected.as_f64().unwrap() as f32;
    assert!((found - expected).abs() <= 1e-4 * expected.abs().max(1.0), "{found} for {expected}");
}

#[track_caller]
fn all_close(found: &[f32], expected: &Json) {
    assert_eq!(found.len(), list(expected).len());
    found.iter().zip(list(expected)).for_each(|(found, expected)| close(*found, expected));
}

fn load(task: &str) -> Engine {
    Case::of(task).folder().load().unwrap()
}

#[test]
fn embeddings_of_several_texts_are_pooled_each_by_itself() {
    let case = Case::of("embed");
    case.on_both(|engine| {
        let mut agrees = |key: &str, options: EmbedOptions| {
            let found = block_on(engine.embed_texts(&case.texts(), options)).unwrap();
            assert_eq!(found.len(), 3);
            found.iter().zip(list(&case.0[key])).for_each(|(found, expected)| all_close(found, expected));
        };
        let normalize = Some(true);
        agrees("mean_normalized", EmbedOptions { pooling: None, normalize, dimensions: None });
        agrees("cls", EmbedOptions { pooling: Some(Pool::First), normalize: None, dimensions: None });
        let last = EmbedOptions { pooling: Some(Pool::Last), normalize, dimensions: Some(7) };
        agrees("last_first_7", last);
    });
}

/// One label of several, any of several, and plain numbers.
#[test]
fn labels_come_best_first_with_the_probabilities_that_the_problem_calls_for() {
    for task in ["classify", "classify_any", "classify_number"] {
        let case = Case::of(task);
        case.on_both(|engine| {
            let found = block_on(engine.classify(&case.texts(), usize::MAX)).unwrap();
            for (found, expected) in found.iter().zip(list(&case.0["labels"])) {
                assert_eq!(found.len(), list(expected).len(), "{task}");
                for (found, expected) in found.iter().zip(list(expected)) {
                    assert_eq!(found.label, expected[0], "{task}");
                    close(found.score, &expected[1]);
                }
            }
            let best = block_on(engine.classify(&case.texts(), 1)).unwrap();
            assert!(best.iter().zip(&found).all(|(best, all)| best[..] == all[..1]), "{task}");
        });
    }
}

#[test]
fn entities_are_gathered_as_asked_and_are_parts_of_the_text() {
    let case = Case::of("tag");
    let text = case.text("text");
    let ways = [("none", Aggregation::None), ("simple", Aggregation::Simple), ("first", Aggregation::First)];
    case.on_both(|engine| {
        for (name, how) in ways {
            let mut found = block_on(engine.tag(text, how)).unwrap();
            if how == Aggregation::None {
                // The pipeline leaves out what is outside; we tell every token's label.
                assert!(found.iter().any(|e| e.entity == "O"));
                found.retain(|e| e.entity != "O");
            }
            let expected = list(&case.0[name]);
            assert_eq!(found.len(), expected.len(), "{name}: {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert_eq!(found.entity, expected[0], "{name}");
                let place = bytes(text, &expected[2])..bytes(text, &expected[3]);
                assert_eq!(
                    (found.start..found.end, &found.text[..]),
                    (place.clone(), &text[place]),
                    "{name}"
                );
                close(found.score, &expected[1]);
            }
        }
    });
}

#[test]
fn answers_are_whole_words_of_the_context_best_first() {
    let case = Case::of("answer");
    let (question, context) = (case.text("question"), case.text("context"));
    case.on_both(|engine| {
        let options = AnswerOptions { top_k: 3, ..AnswerOptions::default() };
        let found = block_on(engine.answer(question, context, options)).unwrap();
        assert_eq!(found.len(), 3);
        for (found, expected) in found.iter().zip(list(&case.0["answers"])) {
            assert_eq!(found.text, expected[0]);
            assert_eq!(
                (found.start, found.end),
                (bytes(context, &expected[2]), bytes(context, &expected[3]))
            );
            close(found.score, &expected[1]);
        }
        let first = block_on(engine.answer(question, context, AnswerOptions::default())).unwrap();
        assert_eq!(first, found[..1]);
    });
}

/// The context is longer than what the model reads at once.
#[test]
fn an_answer_in_a_long_context_has_its_place_in_the_whole() {
    let mut engine = load("answer");
    let context = "😀 The cat saw a dog. ".repeat(20) + "Ada ran to Paris.";
    let options = AnswerOptions { top_k: 5, max_answer_len: 3, stride: 8 };
    let found = block_on(engine.answer("Who ran?", &context, options)).unwrap();
    assert_eq!(found.len(), 5);
    assert!(found.is_sorted_by(|a, b| a.score >= b.score));
    for answer in &found {
        assert_eq!(answer.text, context[answer.start..answer.end]);
        assert!(answer.text.split_whitespace().count() <= 3, "{answer:?}");
    }
    assert_eq!(block_on(engine.answer("Who ran?", "", options)).unwrap(), []);
    let question = "where is the cat ".repeat(20);
    let error = block_on(engine.answer(&question, &context, options)).unwrap_err();
    assert!(matches!(error, Error::Input { what: "question", .. }), "{error}");
}

#[test]
fn each_mask_gets_its_own_words() {
    let case = Case::of("fill_mask");
    case.on_both(|engine| {
        for (text, gaps) in case.texts().into_iter().zip(list(&case.0["gaps"])) {
            let found = block_on(engine.fill_mask(text, 4)).unwrap();
            assert_eq!(found.len(), list(gaps).len());
            for (found, expected) in found.iter().flatten().zip(list(gaps).iter().flat_map(list)) {
                assert_eq!(
                    (u64::from(found.id), &found.token),
                    (expected[0].as_u64().unwrap(), &expected[1].as_str().unwrap().to_owned())
                );
                close(found.score, &expected[2]);
            }
        }
        let found = block_on(engine.fill_mask(case.texts()[0], 4)).unwrap();
        let filled: Vec<&str> = found[0].iter().map(|filling| &filling.text[..]).collect();
        assert_eq!(serde_json::json!(filled), case.0["filled"]);
    });
}

/// This model, as most, does not tell two texts apart, but its tokenizer does.
#[test]
fn a_cross_encoder_scores_each_text_with_the_query() {
    let case = Case::of("score");
    case.on_both(|engine| {
        let found = block_on(engine.score(case.text("query"), &case.texts())).unwrap();
        all_close(&found, &case.0["scores"]);
    });
}

#[test]
fn a_model_refuses_by_name_what_it_was_not_made_for() {
    fn refused<T: std::fmt::Debug>(result: Result<T, Error>, what: &str, why: &str) {
        match result {
            Err(Error::Input { what: found, problem }) => {
                assert_eq!(found, what);
                assert!(problem.contains(why), "{problem}");
            }
            other => panic!("{other:?}"),
        }
    }
    let mut labels = load("classify");
    refused(block_on(labels.tag("a cat", Aggregation::Simple)), "model", "does not label tokens");
    refused(block_on(labels.fill_mask("a [MASK]", 1)), "model", "does not fill masks");
    refused(block_on(labels.answer("a", "b", AnswerOptions::default())), "model", "does not answer");
    refused(block_on(labels.score("a", &["b"])), "model", "3 labels");
    refused(block_on(labels.classify(&["a", ""], 1)), "text", "empty");
    let mut tagger = load("tag");
    refused(block_on(tagger.classify(&["a"], 1)), "model", "use tag");
    let mut masks = load("fill_mask");
    refused(block_on(masks.fill_mask("a cat", 1)), "text", "[MASK]");
    refused(block_on(masks.classify(&["a"], 1)), "model", "no head that classifies");
    let dimensions = EmbedOptions { pooling: None, normalize: None, dimensions: Some(25) };
    refused(block_on(load("embed").embed_texts(&["a"], dimensions)), "dimensions", "25");
    let mut decoder = Folder::of("llama-linear");
    decoder.files.push(("m/tokenizer.json".into(), tokenizer()));
    let mut decoder = decoder.load().unwrap();
    refused(block_on(decoder.classify(&["a"], 1)), "model", "no head that classifies");
    refused(block_on(decoder.fill_mask("a [MASK]", 1)), "model", "does not fill masks");
}
