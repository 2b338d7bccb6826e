//! A model on another device in the middle of a text: the text goes on as it would have, however its tokens are chosen.

mod common;

use intab::{
    Error, Result, format,
    run::{
        AdapterOptions, AdapterUse, Completion, Constraint, Engine, Event, GenerateOptions, LoadOptions,
        Output, Prefer, Speculation, WhenFull, load,
    },
};
use pollster::block_on;

fn engine(path: &str, n_ctx: usize) -> Engine {
    let checkpoint = block_on(format::open_path(&common::repo(path))).unwrap();
    let options = LoadOptions { prefer: Prefer::Cpu, context_length: Some(n_ctx), ..LoadOptions::default() };
    block_on(load(&checkpoint, &options)).unwrap()
}

const STORIES: &str = "models/intab-stories.gguf";

/// Every second token may come, and twelve of them are a text.
struct Evens(usize);

impl Constraint for Evens {
    fn allow(&mut self, mask: &mut [u32]) -> Result<Completion> {
        mask.fill(0x5555_5555);
        Ok(if self.0 == 12 { Completion::Over } else { Completion::Open })
    }

    fn accept(&mut self, _: u32) -> Result<()> {
        self.0 += 1;
        Ok(())
    }
}

/// What is written after `ids`, with another device after each of so many events. The texts of all events come with it.
fn write(
    path: &str,
    n_ctx: usize,
    ids: &[u32],
    options: &GenerateOptions,
    held: bool,
    losses: &[usize],
) -> (Output, String) {
    let mut engine = engine(path, n_ctx);
    let mut generation = match held {
        true => engine.generate_constrained(ids, options.clone(), Box::new(Evens(0))).unwrap(),
        false => engine.generate(ids, options.clone()).unwrap(),
    };
    let mut shown = String::new();
    for n in 1.. {
        match block_on(generation.step(&mut engine)).unwrap() {
            Event::Token { text, .. } => shown += &text,
            Event::Done { text, output } => return (output, shown + &text),
            _ => {}
        }
        if losses.contains(&n) {
            engine.revive(self::engine(path, n_ctx)).unwrap();
            generation.resume(&mut engine).unwrap();
        }
    }
    unreachable!()
}

fn goes_on(path: &str, n_ctx: usize, ids: &[u32], options: GenerateOptions, held: bool) {
    let (expected, _) = write(path, n_ctx, ids, &options, held, &[]);
    for losses in [&[1][..], &[4], &[2, 7], &[9, 10]] {
        let (output, shown) = write(path, n_ctx, ids, &options, held, losses);
        assert_eq!(output.tokens, expected.tokens, "lost after {losses:?}: {options:?}");
        assert_eq!((&output.text, output.finish_reason), (&expected.text, expected.finish_reason));
        assert_eq!(shown, output.text);
        assert_eq!(output.usage.prompt, expected.usage.prompt);
    }
}

fn options() -> GenerateOptions {
    GenerateOptions { max_new_tokens: Some(16), ignore_eos: true, seed: 5, ..GenerateOptions::default() }
}

fn prompt() -> Vec<u32> {
    engine(STORIES, 64).tokenizer().unwrap().encode("Once upon a time, there was", true, false).unwrap()
}

#[test]
fn tokens_that_the_device_draws_are_drawn_as_before() {
    let penalties = GenerateOptions {
        repetition_penalty: 1.3,
        frequency_penalty: 0.8,
        presence_penalty: 0.4,
        ..options()
    };
    let best = GenerateOptions { temperature: 0.0, ..options() };
    let guessed = GenerateOptions { speculation: Speculation::Prompt, ..best.clone() };
    for options in [options(), best, penalties, guessed] {
        goes_on(STORIES, 64, &prompt(), options, false);
    }
}

#[test]
fn tokens_that_the_host_chooses_that_are_biased_or_held_to_a_structure_come_as_before() {
    let logprobs = GenerateOptions { logprobs: Some(2), frequency_penalty: 0.5, ..options() };
    let biased = GenerateOptions { logit_bias: [(300, -100.0), (301, 3.0)].into(), ..options() };
    goes_on(STORIES, 64, &prompt(), logprobs, false);
    goes_on(STORIES, 64, &prompt(), biased.clone(), false);
    for options in [options(), biased, GenerateOptions { frequency_penalty: 2.0, ..options() }] {
        goes_on(STORIES, 64, &prompt(), GenerateOptions { ignore_eos: false, ..options }, true);
    }
}

#[test]
fn beams_end_as_before() {
    let options = GenerateOptions { num_beams: 3, max_new_tokens: Some(10), ..GenerateOptions::default() };
    goes_on(STORIES, 64, &prompt(), options, false);
}

#[test]
fn a_text_that_was_shifted_goes_on() {
    let when_full = WhenFull::Shift { keep: 3 };
    for penalty in [0.0, 1.0] {
        let options =
            GenerateOptions { max_new_tokens: Some(40), frequency_penalty: penalty, when_full, ..options() };
        let (expected, _) = write(STORIES, 20, &prompt(), &options, false, &[]);
        for losses in [[5], [16], [17], [30]] {
            let (output, _) = write(STORIES, 20, &prompt(), &options, false, &losses);
            assert_eq!(output.tokens, expected.tokens, "lost after {losses:?}");
        }
    }
}

#[test]
fn an_answer_to_a_text_that_an_encoder_read_goes_on() {
    let options = GenerateOptions { max_new_tokens: Some(12), ignore_eos: true, num_beams: 1, ..options() };
    goes_on("tests/data/models/t5", 32, &[5, 6, 7, 8, 9], options, false);
}

#[test]
fn sessions_stay_open_and_adapters_stay_loaded() {
    let folder = "tests/data/models/qwen3";
    let mut model = engine(folder, 32);
    let files = block_on(format::open_adapter_path(&common::repo("tests/data/adapters/patterns"))).unwrap();
    let adapter = block_on(model.load_adapter(&files, &AdapterOptions::default())).unwrap();
    let session = model.open_session().unwrap();
    let options = GenerateOptions {
        session: Some(session),
        adapters: vec![AdapterUse { adapter, weight: 1.0 }],
        temperature: 0.0,
        ..options()
    };
    let run = |model: &mut Engine| {
        let mut generation = model.generate(&[1, 2, 3], options.clone()).unwrap();
        loop {
            if let Event::Done { output, .. } = block_on(generation.step(model)).unwrap() {
                return output.tokens;
            }
        }
    };
    let expected = run(&mut model);
    model.revive(engine(folder, 32)).unwrap();
    assert_eq!(run(&mut model), expected);
    assert!(model.open_session().unwrap() > session);
    model.close_session(session);
    assert!(matches!(model.generate(&[1], options.clone()), Err(Error::Input { what: "session", .. })));
}

#[test]
fn other_weights_are_refused_and_a_smaller_context_is_named() {
    let mut model = engine(STORIES, 32);
    let other = engine("tests/data/models/qwen3", 32);
    assert!(matches!(model.revive(other), Err(Error::Integrity { .. })));
    let ids = prompt();
    let mut generation = model.generate(&ids, options()).unwrap();
    block_on(generation.step(&mut model)).unwrap();
    model.revive(engine(STORIES, 4)).unwrap();
    let error = generation.resume(&mut model).unwrap_err();
    assert_eq!(error, Error::ContextFull { n_prompt: ids.len(), n_ctx: 4 });
}
