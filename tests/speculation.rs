//! Drafts change the speed of a text and nothing else.

mod common;

use std::{cell::RefCell, path::Path, rc::Rc};

use intab::{
    Error, Result,
    backend::{Kind, Precision},
    format,
    quant::DType,
    run::{
        Draft, Engine, Event, FinishReason, GenerateOptions, LoadOptions, Output, Prefer, Speculation, load,
    },
};
use pollster::block_on;

const STORIES: &str = "models/intab-stories.gguf";

/// None where the machine has no such device.
fn engine(model: &str, kind: Kind) -> Option<Engine> {
    engine_of(&common::repo(model), kind)
}

fn engine_of(model: &Path, kind: Kind) -> Option<Engine> {
    engine_with(model, kind, LoadOptions::default())
}

fn engine_with(model: &Path, kind: Kind, options: LoadOptions) -> Option<Engine> {
    let prefer = if kind == Kind::Cpu { Prefer::Cpu } else { Prefer::Gpu };
    let checkpoint = block_on(format::open_path(model)).unwrap();
    match block_on(load(&checkpoint, &LoadOptions { prefer, ..options })) {
        Err(error @ Error::NoDevice { .. }) => {
            common::no_gpu(&error);
            None
        }
        engine => Some(engine.unwrap()),
    }
}

fn generate(engine: &mut Engine, ids: &[u32], options: GenerateOptions, draft: Option<Draft>) -> Output {
    let mut generation = match draft {
        Some(draft) => engine.generate_with_draft(ids, options, draft).unwrap(),
        None => engine.generate(ids, options).unwrap(),
    };
    let mut text = String::new();
    loop {
        match block_on(generation.step(engine)).unwrap() {
            Event::Token { text: more, .. } => text += &more,
            Event::Done { text: more, output } => {
                assert_eq!(text + &more, output.text, "what was shown is the text");
                return output;
            }
            _ => {}
        }
    }
}

/// A prompt that repeats itself, so that there is much to guess.
fn repeating(rng: &mut fastrand::Rng, n_vocab: u32) -> Vec<u32> {
    let part: Vec<u32> = (0..rng.usize(3..9)).map(|_| rng.u32(3..n_vocab)).collect();
    part.iter().copied().cycle().take(part.len() * 3 + rng.usize(..3)).collect()
}

fn compare(with: &Output, without: &Output, what: &str) {
    assert_eq!(with.tokens, without.tokens, "{what}");
    assert_eq!(with.text, without.text, "{what}");
    assert_eq!(with.finish_reason, without.finish_reason, "{what}");
    assert_eq!(with.stop, without.stop, "{what}");
    assert_eq!(without.usage.drafted, 0, "{what}");
    assert!(with.usage.accepted <= with.usage.drafted, "{what}");
}

#[test]
fn guesses_from_the_text_leave_it_as_it_is() {
    let mut rng = common::rng_for_texts();
    let models = [
        STORIES,
        "tests/data/models/qwen3.gguf",
        "tests/data/models/gpt_oss.gguf",
        "tests/data/models/gemma3-5to1.gguf",
    ];
    for (kind, model) in [Kind::Cpu, Kind::Gpu].into_iter().flat_map(|kind| models.map(|model| (kind, model)))
    {
        let Some(mut engine) = engine(model, kind) else { return };
        let n_vocab = engine.facts().config.n_vocab as u32;
        for round in 0..6 {
            let ids = repeating(&mut rng, n_vocab);
            let options = GenerateOptions {
                max_new_tokens: Some(rng.usize(1..60)),
                temperature: [0.0, 0.3, 1.0][round % 3],
                top_k: 40,
                repetition_penalty: if round > 3 { 1.1 } else { 1.0 },
                ignore_eos: round % 2 == 0,
                seed: rng.u64(..),
                precision: (round < 3).then_some(Precision::Exact),
                ..GenerateOptions::default()
            };
            let [with, without] = [Speculation::Prompt, Speculation::Off].map(|speculation| {
                generate(&mut engine, &ids, GenerateOptions { speculation, ..options.clone() }, None)
            });
            compare(&with, &without, &format!("{model} on {kind:?}, round {round}"));
            // What the cache holds afterwards is of use to the next generation.
            let longer = [&ids[..], &with.tokens].concat();
            if longer.len() < engine.facts().n_ctx {
                let more =
                    GenerateOptions { max_new_tokens: Some(5), speculation: Speculation::Off, ..options };
                let next = generate(&mut engine, &longer, more.clone(), None);
                block_on(engine.logits(&[1])).unwrap(); // forgets the text
                let fresh = generate(&mut engine, &longer, more, None);
                assert_eq!(next.tokens, fresh.tokens, "{model} on {kind:?}: after drafts");
            }
        }
    }
}

#[test]
fn a_text_that_repeats_itself_is_guessed_rightly() {
    let prompt = "The big red dog ran to the park. The big red dog ran to the park. The big red dog ran";
    for kind in [Kind::Cpu, Kind::Gpu] {
        let Some(mut engine) = engine(STORIES, kind) else { return };
        let ids = engine.tokenizer().unwrap().encode(prompt, true, false).unwrap();
        let options =
            GenerateOptions { temperature: 0.0, max_new_tokens: Some(12), ..GenerateOptions::default() };
        let [auto, prompt, off] =
            [Speculation::Auto, Speculation::Prompt, Speculation::Off].map(|speculation| {
                generate(&mut engine, &ids, GenerateOptions { speculation, ..options.clone() }, None)
            });
        compare(&prompt, &off, "a repetition");
        assert!(prompt.usage.accepted > 0, "{kind:?}, {:?}: {}", prompt.usage, prompt.text);
        compare(&auto, &off, "a repetition");
        assert_eq!(auto.usage.accepted > 0, kind == Kind::Cpu, "where it pays: {:?}", auto.usage);
    }
}

/// In the fast precision a GPU reads prompts less exactly than it draws single tokens; these models tell the difference.
#[test]
fn guesses_are_checked_as_exactly_as_single_tokens_are_drawn() {
    let mut rng = common::rng_for_texts();
    for kind in [Kind::Cpu, Kind::Gpu] {
        let (mut drafted, mut accepted) = (0, 0);
        for model in ["llama-linear", "gemma2", "olmo2"] {
            let path = common::repo(&format!("tests/data/models/{model}"));
            let q8_0 = LoadOptions { quantize: Some(DType::Q8_0), ..LoadOptions::default() };
            let Some(mut engine) = engine_with(&path, kind, q8_0) else { return };
            let n_vocab = engine.facts().config.n_vocab as u32;
            for round in 0..8 {
                let ids = repeating(&mut rng, n_vocab);
                let options = GenerateOptions {
                    temperature: 0.0,
                    ignore_eos: true,
                    precision: Some(Precision::Fast),
                    ..GenerateOptions::default()
                };
                let [with, without] = [Speculation::Prompt, Speculation::Off].map(|speculation| {
                    // Forgets the prompt: where it is cached, its last token is read alone.
                    block_on(engine.logits(&[1])).unwrap();
                    generate(&mut engine, &ids, GenerateOptions { speculation, ..options.clone() }, None)
                });
                compare(&with, &without, &format!("{model} on {kind:?}, round {round}"));
                drafted += with.usage.drafted;
                accepted += with.usage.accepted;
            }
        }
        assert!(drafted > accepted && accepted > 0, "{kind:?}: {accepted} of {drafted} were right");
    }
}

#[test]
fn drafts_end_where_the_text_does() {
    let mut rng = common::rng_for_texts();
    let mut engine = engine(STORIES, Kind::Cpu).unwrap();
    let n_ctx = engine.facts().n_ctx;
    let ids = repeating(&mut rng, 4000);
    let base = GenerateOptions {
        temperature: 0.0,
        ignore_eos: true,
        speculation: Speculation::Prompt,
        ..GenerateOptions::default()
    };
    // The context.
    let long: Vec<u32> = ids.iter().copied().cycle().take(n_ctx - 20).collect();
    let full = generate(&mut engine, &long, base.clone(), None);
    assert_eq!((full.finish_reason, full.tokens.len()), (FinishReason::Context, 21));
    // A stop text within what was accepted at once.
    let free =
        generate(&mut engine, &ids, GenerateOptions { max_new_tokens: Some(60), ..base.clone() }, None);
    let middle: String = free.text.chars().skip(free.text.chars().count() / 2).take(6).collect();
    let [with, without] = [Speculation::Prompt, Speculation::Off].map(|speculation| {
        let options = GenerateOptions {
            stop: vec![middle.clone()],
            max_new_tokens: Some(60),
            speculation,
            ..base.clone()
        };
        generate(&mut engine, &ids, options, None)
    });
    compare(&with, &without, "a stop text");
    assert_eq!(with.finish_reason, FinishReason::Stop);
    // An abort.
    let mut generation = engine.generate(&ids, base).unwrap();
    let mut shown = 0;
    while shown < 10 {
        shown += usize::from(matches!(block_on(generation.step(&mut engine)).unwrap(), Event::Token { .. }));
    }
    generation.abort();
    match block_on(generation.step(&mut engine)).unwrap() {
        Event::Done { output, .. } => {
            assert_eq!((output.finish_reason, output.tokens.len()), (FinishReason::Abort, 10))
        }
        event => panic!("{event:?}"),
    }
}

#[test]
fn a_smaller_model_s_guesses_leave_the_text_as_it_is() {
    let mut rng = common::rng_for_texts();
    for kind in [Kind::Cpu, Kind::Gpu] {
        let (Some(mut large), Some(small)) = (engine(STORIES, kind), engine(STORIES, kind)) else { return };
        let small: Draft = Rc::new(RefCell::new(small));
        for temperature in [0.0, 1.0] {
            let ids: Vec<u32> = (0..20).map(|_| rng.u32(3..4000)).collect();
            let options = GenerateOptions {
                max_new_tokens: Some(100),
                temperature,
                ignore_eos: true,
                seed: rng.u64(..),
                precision: Some(Precision::Exact),
                speculation: Speculation::Off,
                ..GenerateOptions::default()
            };
            let with = generate(&mut large, &ids, options.clone(), Some(small.clone()));
            let without = generate(&mut large, &ids, options, None);
            compare(&with, &without, &format!("{kind:?} at {temperature}"));
            // It is the same model, so nearly all guesses are right.
            let usage = with.usage;
            assert!(usage.drafted > 0 && usage.accepted * 10 >= usage.drafted * 7, "{kind:?}: {usage:?}");
        }
    }
}

/// So that an abort is heard meanwhile.
#[test]
fn a_smaller_model_reads_a_prompt_that_the_other_knows_already_in_steps() {
    let (mut large, small) = (engine(STORIES, Kind::Cpu).unwrap(), engine(STORIES, Kind::Cpu).unwrap());
    let small: Draft = Rc::new(RefCell::new(small));
    let ids: Vec<u32> = (0..300).map(|i| 3 + i * 7 % 4000).collect();
    let options = GenerateOptions { max_new_tokens: Some(1), ..GenerateOptions::default() };
    generate(&mut large, &ids, options.clone(), None);
    let mut generation = large.generate_with_draft(&ids, options, small).unwrap();
    let mut steps = 0;
    while let Event::Prefill { done, total } = block_on(generation.step(&mut large)).unwrap() {
        assert!(done >= ids.len() - 1 && total == ids.len());
        steps += 1;
    }
    assert!(steps >= 300 / Kind::Cpu.prefill_rows(), "{steps}");
}

#[test]
fn a_model_that_cannot_make_drafts_is_refused() {
    let problem = |error: Result<intab::run::Generation>| match error.err() {
        Some(Error::Input { what: "draft", problem }) => problem,
        other => panic!("{other:?}"),
    };
    let mut stories = engine(STORIES, Kind::Cpu).unwrap();
    let other = |model| -> Draft { Rc::new(RefCell::new(engine(model, Kind::Cpu).unwrap())) };
    let plain = GenerateOptions::default;
    let vocabulary =
        problem(stories.generate_with_draft(&[1], plain(), other("tests/data/models/qwen3.gguf")));
    assert!(vocabulary.contains("tokeniz") || vocabulary.contains("vocabulary"), "{vocabulary}");
    let encoder = problem(stories.generate_with_draft(&[1], plain(), other("tests/data/models/bert.gguf")));
    assert!(encoder.contains("not decoders"), "{encoder}");
    let beams = GenerateOptions { num_beams: 2, ..plain() };
    assert!(problem(stories.generate_with_draft(&[1], beams, other(STORIES))).contains("beams"));
}
