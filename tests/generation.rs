//! One generation after another on the default model: how they end, what they reuse, what they refuse.

mod common;

use intab::{
    Error,
    backend::{Precision, gpu},
    format,
    run::{Engine, Event, FinishReason, GenerateOptions, LoadOptions, Output, Prefer, load},
};
use pollster::block_on;

fn engine(prefer: Prefer, context_length: Option<usize>) -> Option<Engine> {
    let checkpoint = block_on(format::open_path(&common::repo("models/intab-stories.gguf"))).unwrap();
    let options = LoadOptions { prefer, context_length, ..LoadOptions::default() };
    match block_on(load(&checkpoint, &options)) {
        Ok(engine) => Some(engine),
        Err(error) => {
            common::no_gpu(&error);
            None
        }
    }
}

fn on_both(context_length: Option<usize>, check: impl Fn(&mut Engine)) {
    for prefer in [Prefer::Cpu, Prefer::Gpu] {
        if let Some(mut engine) = engine(prefer, context_length) {
            check(&mut engine);
        }
    }
}

fn once(engine: &Engine) -> Vec<u32> {
    engine.tokenizer().unwrap().encode("Once upon a time, there was a", true, false).unwrap()
}

/// Runs to the end, and checks that the pieces are the text.
fn run(engine: &mut Engine, ids: &[u32], options: GenerateOptions) -> Output {
    let mut generation = engine.generate(ids, options).unwrap();
    let mut pieces = String::new();
    loop {
        match block_on(generation.step(engine)).unwrap() {
            Event::Prefill { .. } | Event::Search { .. } => {}
            Event::Token { text, .. } => pieces += &text,
            Event::Done { text, output } => {
                assert_eq!(pieces + &text, output.text);
                return output;
            }
        }
    }
}

fn sampled(seed: u64, n: usize) -> GenerateOptions {
    GenerateOptions {
        seed,
        max_new_tokens: Some(n),
        ignore_eos: true,
        temperature: 0.9,
        ..Default::default()
    }
}

#[test]
fn the_same_seed_gives_the_same_text_whether_or_not_the_prompt_is_cached() {
    on_both(None, |engine| {
        let ids = once(engine);
        let first = run(engine, &ids, sampled(5, 20));
        let again = run(engine, &ids, sampled(5, 20));
        assert_eq!(first.tokens, again.tokens);
        assert_eq!((first.usage.cached, again.usage.cached), (0, ids.len() - 1));
        assert_ne!(run(engine, &ids, sampled(6, 20)).tokens, first.tokens);
    });
}

#[test]
fn a_longer_prompt_reuses_what_was_generated() {
    on_both(None, |engine| {
        let ids = once(engine);
        let output = run(engine, &ids, sampled(1, 12));
        let longer: Vec<u32> = ids.iter().chain(&output.tokens).copied().chain([7]).collect();
        let next = run(engine, &longer, sampled(1, 1));
        // All but the last generated token went through the model.
        assert!(next.usage.cached >= ids.len() + 11, "{:?}", next.usage);
    });
}

#[test]
fn an_aborted_generation_says_so_at_the_next_step_and_the_next_one_is_unharmed() {
    on_both(None, |engine| {
        let ids = once(engine);
        let expected = run(engine, &ids, sampled(3, 10)).tokens;
        let mut generation = engine.generate(&ids, sampled(9, 200)).unwrap();
        let mut tokens = 0;
        while tokens < 4 {
            tokens += usize::from(matches!(block_on(generation.step(engine)).unwrap(), Event::Token { .. }));
        }
        generation.abort();
        match block_on(generation.step(engine)).unwrap() {
            Event::Done { output, .. } => {
                assert_eq!((output.finish_reason, output.tokens.len()), (FinishReason::Abort, 4));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(run(engine, &ids, sampled(3, 10)).tokens, expected);
    });
}

#[test]
fn a_generation_that_is_dropped_midway_does_not_harm_the_next() {
    on_both(None, |engine| {
        let ids = once(engine);
        let expected = run(engine, &ids, sampled(3, 10)).tokens;
        let mut generation = engine.generate(&ids, sampled(9, 200)).unwrap();
        for _ in 0..4 {
            block_on(generation.step(engine)).unwrap();
        }
        drop(generation);
        assert_eq!(run(engine, &ids, sampled(3, 10)).tokens, expected);
    });
}

#[test]
fn an_older_generation_cannot_go_on_once_another_began_that_is_not_written_with_it() {
    on_both(None, |engine| {
        let ids = once(engine);
        let mut old = engine.generate(&ids, sampled(1, 5)).unwrap();
        block_on(old.step(engine)).unwrap();
        let exact = GenerateOptions { precision: Some(Precision::Exact), ..sampled(2, 5) };
        let _new = engine.generate(&ids, exact).unwrap();
        assert!(matches!(block_on(old.step(engine)), Err(Error::Input { what: "generation", .. })));
    });
}

#[test]
fn a_full_context_is_a_finish_reason_and_the_last_position_is_used() {
    on_both(Some(24), |engine| {
        let ids = once(engine);
        let options = GenerateOptions { max_new_tokens: None, ..sampled(1, 1) };
        let output = run(engine, &ids, options);
        assert_eq!(output.finish_reason, FinishReason::Context);
        // The token sampled from the last position has no place of its own.
        assert_eq!(ids.len() + output.tokens.len(), 24 + 1);
    });
}

#[test]
fn a_prompt_that_fills_the_context_still_gives_one_token() {
    on_both(Some(8), |engine| {
        let output = run(engine, &[5; 8], GenerateOptions { max_new_tokens: None, ..sampled(1, 1) });
        assert_eq!((output.tokens.len(), output.finish_reason), (1, FinishReason::Context));
        let error = engine.generate(&[5; 9], sampled(1, 1)).err();
        assert_eq!(error, Some(Error::ContextFull { n_prompt: 9, n_ctx: 8 }));
    });
}

#[test]
fn a_stop_string_inside_tokens_ends_the_text_before_it() {
    on_both(None, |engine| {
        let ids = once(engine);
        let free = run(engine, &ids, sampled(4, 40)).text;
        let middle: Vec<(usize, char)> = free.char_indices().skip(25).take(7).collect();
        let stop: String = middle.iter().map(|(_, c)| *c).collect();
        let output = run(engine, &ids, GenerateOptions { stop: vec![stop.clone()], ..sampled(4, 40) });
        assert_eq!(output.finish_reason, FinishReason::Stop);
        assert_eq!(output.text, free[..free.find(&stop).unwrap()]);
        assert_eq!(output.stop, Some(stop));
    });
}

#[test]
fn a_presence_penalty_keeps_tokens_from_coming_back() {
    on_both(None, |engine| {
        let ids = once(engine);
        let output = run(engine, &ids, GenerateOptions { presence_penalty: 100.0, ..sampled(2, 60) });
        let mut unique = output.tokens.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), 60, "no token twice");
        // Counts begin anew with each generation.
        let again = run(engine, &ids, GenerateOptions { presence_penalty: 100.0, ..sampled(2, 60) });
        assert_eq!(again.tokens, output.tokens);
    });
}

#[test]
fn bad_requests_are_named() {
    on_both(None, |engine| {
        let n_vocab = engine.facts().config.n_vocab as u32;
        assert!(matches!(
            engine.generate(&[], sampled(1, 1)).err(),
            Some(Error::Input { what: "prompt", .. })
        ));
        assert!(matches!(
            engine.generate(&[n_vocab], sampled(1, 1)).err(),
            Some(Error::Input { what: "ids", .. })
        ));
        assert!(matches!(block_on(engine.logits(&[])).err(), Some(Error::Input { what: "prompt", .. })));
        let bad = GenerateOptions { temperature: -1.0, ..sampled(1, 1) };
        assert!(matches!(engine.generate(&[1], bad).err(), Some(Error::Input { what: "temperature", .. })));
    });
}

#[test]
fn a_generation_that_was_read_to_its_last_token_notices_the_unload() {
    on_both(None, |engine| {
        let ids = once(engine);
        let mut generation = engine.generate(&ids, sampled(1, 2)).unwrap();
        let mut tokens = 0;
        while tokens < 2 {
            tokens += usize::from(matches!(block_on(generation.step(engine)).unwrap(), Event::Token { .. }));
        }
        engine.unload();
        assert_eq!(block_on(generation.step(engine)).err(), Some(Error::Unloaded));
    });
}

#[test]
fn an_unloaded_model_says_so_and_holds_nothing() {
    on_both(None, |engine| {
        let ids = once(engine);
        let mut generation = engine.generate(&ids, sampled(1, 50)).unwrap();
        for _ in 0..3 {
            block_on(generation.step(engine)).unwrap();
        }
        engine.unload();
        assert!(block_on(generation.step(engine)).is_err());
        drop(generation);
        assert_eq!(engine.counters(), Default::default());
        assert_eq!(block_on(engine.logits(&ids)).err(), Some(Error::Unloaded));
        assert_eq!(engine.generate(&ids, sampled(1, 1)).err(), Some(Error::Unloaded));
        engine.unload();
        assert_eq!(gpu::live_buffers(), Default::default());
    });
}
