//! Sessions by turns on one model: each finds its text as it left it, and writes what a fresh run of that text would.

mod common;

use intab::{
    Error, Result, format,
    run::{
        Engine, Event, FinishReason, GenerateOptions, KvCache, LoadOptions, Output, Prefer, Session, Text,
        WhenFull, load,
    },
};
use pollster::block_on;

fn engine(prefer: Prefer, kv_cache: KvCache, n_ctx: usize) -> Option<Engine> {
    let checkpoint = block_on(format::open_path(&common::repo("models/intab-stories.gguf"))).unwrap();
    let context_length = Some(n_ctx);
    let options = LoadOptions { prefer, kv_cache, context_length, ..LoadOptions::default() };
    block_on(load(&checkpoint, &options)).map_err(|error| common::no_gpu(&error)).ok()
}

/// On both backends and in every kind of cache.
fn everywhere(check: impl Fn(&dyn Fn() -> Engine)) {
    for prefer in [Prefer::Cpu, Prefer::Gpu] {
        for kind in [KvCache::F32, KvCache::F16, KvCache::Q8_0] {
            if engine(prefer, kind, 128).is_none() {
                return;
            }
            check(&|| engine(prefer, kind, 128).unwrap());
        }
    }
}

fn options(session: Option<Session>, n: usize) -> GenerateOptions {
    GenerateOptions {
        session,
        max_new_tokens: Some(n),
        temperature: 0.9,
        seed: 3,
        ignore_eos: true,
        ..GenerateOptions::default()
    }
}

fn run(engine: &mut Engine, ids: &[u32], options: GenerateOptions) -> Result<Output> {
    let mut generation = engine.generate(ids, options)?;
    loop {
        if let Event::Done { output, .. } = block_on(generation.step(engine))? {
            return Ok(output);
        }
    }
}

fn text(engine: &Engine, text: &str) -> Vec<u32> {
    engine.tokenizer().unwrap().encode(text, true, false).unwrap()
}

const BEGINNINGS: [&str; 3] =
    ["Once upon a time, there was a", "Tom and his dog went to", "The big red ball was in the"];

/// What the session's generation says after `ids`, which it must find in the cache but for the last tokens that are new.
fn goes_on(engine: &mut Engine, fresh: &mut Engine, session: Session, ids: &mut Vec<u32>, known: usize) {
    let expected = run(fresh, ids, options(None, 6)).unwrap().tokens;
    let output = run(engine, ids, options(Some(session), 6)).unwrap();
    assert_eq!(output.tokens, expected);
    assert_eq!(output.usage.cached, known.min(ids.len() - 1), "of {} tokens", ids.len());
    ids.extend(output.tokens);
}

#[test]
fn sessions_by_turns_find_their_texts_and_write_what_a_fresh_run_would() {
    everywhere(|open| {
        let (mut engine, mut fresh) = (open(), open());
        let sessions = [(); 3].map(|()| engine.open_session().unwrap());
        let mut texts = BEGINNINGS.map(|beginning| text(&engine, beginning));
        for turn in 0..3 {
            for (session, ids) in sessions.iter().zip(&mut texts) {
                // Of what was written the last token was never read. Texts begin with the same special token.
                let known = if turn == 0 { usize::from(*session != sessions[0]) } else { ids.len() - 1 };
                goes_on(&mut engine, &mut fresh, *session, ids, known);
            }
        }
    });
}

#[test]
fn a_fork_and_a_rewound_text_share_what_they_have_in_common() {
    everywhere(|open| {
        let (mut engine, mut fresh) = (open(), open());
        let parent = engine.open_session().unwrap();
        let mut ids = text(&engine, BEGINNINGS[0]);
        goes_on(&mut engine, &mut fresh, parent, &mut ids, 0);
        let common = ids.len() - 1;
        let child = engine.open_session().unwrap();
        let mut forked =
            [&ids[..], &text(&engine, " suddenly the wind began to blow hard and")[1..]].concat();
        goes_on(&mut engine, &mut fresh, child, &mut forked, common);
        // The parent goes on in another way, and back to the child.
        goes_on(&mut engine, &mut fresh, parent, &mut ids, common);
        let known = forked.len() - 1;
        goes_on(&mut engine, &mut fresh, child, &mut forked, known);
        // Back by some tokens, to where the last of them has to be read again for its scores.
        forked.truncate(common - 2);
        goes_on(&mut engine, &mut fresh, child, &mut forked, common);
    });
}

#[test]
fn other_work_on_the_model_loses_no_session_s_text() {
    everywhere(|open| {
        let (mut engine, mut fresh) = (open(), open());
        let session = engine.open_session().unwrap();
        let mut ids = text(&engine, BEGINNINGS[1]);
        goes_on(&mut engine, &mut fresh, session, &mut ids, 0);
        block_on(engine.logits(&text(&engine, BEGINNINGS[2]))).unwrap();
        let known = ids.len() - 1;
        goes_on(&mut engine, &mut fresh, session, &mut ids, known);
        block_on(engine.outputs(&[Text { ids: &[5, 6, 7], types: None }])).unwrap();
        let known = ids.len() - 1;
        goes_on(&mut engine, &mut fresh, session, &mut ids, known);
        let beams = GenerateOptions { num_beams: 2, temperature: 0.0, ..options(None, 4) };
        let other = text(&engine, BEGINNINGS[0]);
        run(&mut engine, &other, beams).unwrap();
        let known = ids.len() - 1;
        goes_on(&mut engine, &mut fresh, session, &mut ids, known);
    });
}

#[test]
fn copies_take_no_more_than_the_cache_and_are_given_back() {
    everywhere(|open| {
        let (mut engine, mut fresh) = (open(), open());
        run(&mut engine, &[1, 2, 3], options(None, 8)).unwrap(); // makes what every run needs
        let held = engine.counters().bytes;
        let mut texts = Vec::new();
        for i in 0..8 {
            let ids = [text(&engine, BEGINNINGS[i % 3]), vec![7 + i as u32; 40]].concat();
            texts.push((engine.open_session().unwrap(), ids));
        }
        for (session, ids) in &texts {
            run(&mut engine, ids, options(Some(*session), 2)).unwrap();
        }
        let facts = engine.facts();
        let stack = facts.config.last_stack();
        let cache =
            2 * 4 * facts.n_ctx * stack.layers.len() * stack.attention.n_kv_heads * stack.attention.head_dim;
        let copies = engine.counters().bytes - held;
        assert!(copies > 0 && copies <= cache as u64, "{copies} of {cache}");
        // What was given up is read again.
        let (session, ids) = &mut texts[0];
        let expected = run(&mut fresh, ids, options(None, 4)).unwrap().tokens;
        assert_eq!(run(&mut engine, ids, options(Some(*session), 4)).unwrap().tokens, expected);
        texts.iter().for_each(|(session, _)| engine.close_session(*session));
        assert_eq!(engine.counters().bytes, held);
        let closed = run(&mut engine, &texts[1].1, options(Some(texts[1].0), 2));
        assert!(matches!(closed, Err(Error::Input { what: "session", .. })));
    });
}

#[test]
fn a_saved_session_goes_on_in_another_load_of_the_same_model() {
    everywhere(|open| {
        let (mut engine, mut fresh) = (open(), open());
        let session = engine.open_session().unwrap();
        let mut ids = text(&engine, BEGINNINGS[0]);
        goes_on(&mut engine, &mut fresh, session, &mut ids, 0);
        let bytes = block_on(engine.save_session(session, &ids, "a note")).unwrap();
        let mut other = open();
        let (restored, saved) = other.restore_session(&bytes).unwrap();
        assert_eq!((&saved.tokens, saved.note.as_str()), (&ids, "a note"));
        let known = ids.len() - 1;
        let mut copy = ids.clone();
        goes_on(&mut other, &mut fresh, restored, &mut copy, known);
        // Saving took nothing from it.
        goes_on(&mut engine, &mut fresh, session, &mut ids, known);
    });
}

#[test]
fn a_saved_session_that_does_not_fit_is_refused_or_read_again() {
    let mut f32 = engine(Prefer::Cpu, KvCache::F32, 128).unwrap();
    let session = f32.open_session().unwrap();
    let ids = text(&f32, BEGINNINGS[0]);
    let expected = run(&mut f32, &ids, options(Some(session), 6)).unwrap().tokens;
    let bytes = block_on(f32.save_session(session, &ids, "")).unwrap();

    // Another kind of cache has other rows.
    let mut f16 = engine(Prefer::Cpu, KvCache::F16, 128).unwrap();
    let (restored, saved) = f16.restore_session(&bytes).unwrap();
    let output = run(&mut f16, &saved.tokens, options(Some(restored), 6)).unwrap();
    assert_eq!((output.usage.cached, output.tokens.len()), (0, expected.len()));

    let checkpoint = block_on(format::open_path(&common::repo("tests/data/models/qwen3.gguf"))).unwrap();
    let cpu = LoadOptions { prefer: Prefer::Cpu, ..LoadOptions::default() };
    let mut other = block_on(load(&checkpoint, &cpu)).unwrap();
    let error = other.restore_session(&bytes).unwrap_err();
    assert!(error.to_string().contains("other weights"), "{error}");

    let mut short = engine(Prefer::Cpu, KvCache::F32, 4).unwrap();
    assert!(matches!(short.restore_session(&bytes), Err(Error::ContextFull { .. })));

    for damage in [0, 7, 12, 30, bytes.len() - 1] {
        let error = f32.restore_session(&bytes[..damage]).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "cut at {damage}: {error}");
    }
    let mut lying = bytes.clone();
    lying[16..24].fill(0xff);
    assert!(matches!(f32.restore_session(&lying), Err(Error::Format { .. })));
}

#[test]
fn damage_anywhere_in_a_saved_session_is_found() {
    let mut rng = common::rng();
    let mut engine = engine(Prefer::Cpu, KvCache::F32, 128).unwrap();
    let session = engine.open_session().unwrap();
    let ids = text(&engine, BEGINNINGS[0]);
    run(&mut engine, &ids, options(Some(session), 6)).unwrap();
    let bytes = block_on(engine.save_session(session, &ids, "a note")).unwrap();
    let before = engine.counters();
    let places = bytes.iter().position(|&byte| byte == b'}').unwrap() + 64;
    let in_rows: Vec<usize> = (0..200).map(|_| rng.usize(places..bytes.len())).collect();
    for at in (0..places).chain(in_rows) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << rng.u32(0..8);
        let error = engine.restore_session(&damaged).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "byte {at}: {error}");
    }
    assert_eq!(engine.counters(), before);
}

#[test]
fn a_model_that_answers_a_source_has_no_sessions() {
    let checkpoint = block_on(format::open_path(&common::repo("tests/data/models/t5.gguf"))).unwrap();
    let cpu = LoadOptions { prefer: Prefer::Cpu, ..LoadOptions::default() };
    let mut t5 = block_on(load(&checkpoint, &cpu)).unwrap();
    assert!(matches!(t5.open_session(), Err(Error::Input { what: "session", .. })));
    let shifted = GenerateOptions { when_full: WhenFull::Shift { keep: 1 }, ..options(None, 4) };
    assert!(matches!(run(&mut t5, &[3, 4], shifted), Err(Error::Input { what: "when_full", .. })));
}

#[test]
fn a_shifted_text_goes_on_as_a_fresh_run_of_what_is_left() {
    for (prefer, no_repeat) in [(Prefer::Cpu, 0), (Prefer::Cpu, 50), (Prefer::Gpu, 0)] {
        let Some(mut engine) = engine(prefer, KvCache::F32, 32) else { continue };
        let ids = text(&engine, BEGINNINGS[0]);
        let (keep, n) = (3, 64);
        let greedy = |n, when_full| GenerateOptions {
            temperature: 0.0,
            when_full,
            no_repeat_ngram_size: no_repeat, // what makes the host choose
            ..options(None, n)
        };
        let shifted = run(&mut engine, &ids, greedy(n, WhenFull::Shift { keep })).unwrap();
        assert_eq!((shifted.tokens.len(), shifted.finish_reason), (n, FinishReason::Length));
        let stopped = run(&mut engine, &ids, greedy(n, WhenFull::Stop)).unwrap();
        assert_eq!(stopped.finish_reason, FinishReason::Context);

        // The same by hand.
        let (mut all, mut expected) = (ids.clone(), Vec::<u32>::new());
        while expected.len() < n {
            let part = run(&mut engine, &all, greedy(n - expected.len(), WhenFull::Stop)).unwrap();
            expected.extend(&part.tokens);
            all.extend(&part.tokens);
            let rest = all.len() - keep;
            all.drain(keep..keep + rest.div_ceil(2));
        }
        assert_eq!(shifted.tokens, expected, "{prefer:?}");
    }
}
