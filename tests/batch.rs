//! Texts that are written together: each is what it is alone, whichever join it and leave it.

mod common;

use intab::{
    Error, Result,
    backend::Precision,
    format,
    run::{
        Engine, Event, FinishReason, GenerateOptions, Generation, KvCache, LoadOptions, Output, Prefer,
        Session, WhenFull, load,
    },
};
use pollster::block_on;

fn load_with(options: &LoadOptions) -> Result<Engine> {
    let checkpoint = block_on(format::open_path(&common::repo("models/intab-stories.gguf"))).unwrap();
    block_on(load(&checkpoint, options))
}

fn engine(prefer: Prefer, kv_cache: KvCache, n_ctx: usize, max_batch: usize) -> Option<Engine> {
    let (context_length, max_batch) = (Some(n_ctx), Some(max_batch));
    let options = LoadOptions { prefer, kv_cache, context_length, max_batch, ..LoadOptions::default() };
    load_with(&options).map_err(|error| common::no_gpu(&error)).ok()
}

fn cpu(n_ctx: usize) -> Engine {
    engine(Prefer::Cpu, KvCache::F32, n_ctx, 8).unwrap()
}

fn ids(engine: &Engine, text: &str) -> Vec<u32> {
    engine.tokenizer().unwrap().encode(text, true, false).unwrap()
}

/// Texts of several lengths, each with other options.
fn requests(engine: &Engine) -> Vec<(Vec<u32>, GenerateOptions)> {
    let greedy =
        |n| GenerateOptions { max_new_tokens: Some(n), temperature: 0.0, ..GenerateOptions::default() };
    let seeded = |seed, n| GenerateOptions { temperature: 0.9, top_k: 40, seed, ..greedy(n) };
    let long =
        "Lily and Tom went to the park. They saw a big dog and a small cat. The dog was brown. ".repeat(3);
    let prompts = [
        ("Once upon a time", greedy(24)),
        (&long[..], seeded(7, 12)),
        (
            "Tom had a red ball",
            GenerateOptions { repetition_penalty: 1.3, presence_penalty: 0.4, ..seeded(3, 20) },
        ),
        ("The cat", GenerateOptions { stop: vec![".".into()], ..seeded(11, 60) }),
        ("One day", GenerateOptions { logprobs: Some(3), frequency_penalty: 0.5, ..seeded(5, 16) }),
        ("Mom said", GenerateOptions { logit_bias: [(13, -100.0), (20, 2.5)].into(), ..seeded(9, 16) }),
        (
            "Once upon a time",
            GenerateOptions { no_repeat_ngram_size: 2, min_new_tokens: 10, ..seeded(2, 18) },
        ),
        ("Once upon a time there was a bird", GenerateOptions { top_p: 0.8, min_p: 0.05, ..seeded(1, 30) }),
    ];
    prompts.into_iter().map(|(text, options)| (ids(engine, text), options)).collect()
}

/// What a generation told, and its end.
#[derive(Default)]
struct Told {
    tokens: Vec<(u32, Option<String>)>,
    output: Option<Output>,
}

impl Told {
    fn hear(&mut self, event: Event) {
        match event {
            Event::Token { id, logprobs, .. } => {
                self.tokens.push((id, logprobs.map(|logprobs| format!("{logprobs:?}"))));
            }
            Event::Done { output, .. } => self.output = Some(output),
            _ => {}
        }
    }

    fn output(&self) -> &Output {
        self.output.as_ref().expect("it ended")
    }
}

fn alone(engine: &mut Engine, ids: &[u32], options: GenerateOptions) -> Told {
    let mut generation = engine.generate(ids, options).unwrap();
    let mut told = Told::default();
    while told.output.is_none() {
        told.hear(block_on(generation.step(engine)).unwrap());
    }
    told
}

/// Steps each by turns until all have ended.
fn together(engine: &mut Engine, generations: &mut [Generation]) -> Vec<Told> {
    let mut told: Vec<Told> = generations.iter().map(|_| Told::default()).collect();
    while told.iter().any(|told| told.output.is_none()) {
        for (generation, told) in generations.iter_mut().zip(&mut told) {
            if told.output.is_none() {
                told.hear(block_on(generation.step(engine)).unwrap());
            }
        }
    }
    told
}

fn assert_same(found: &Told, expected: &Told, what: &str) {
    let (f, e) = (found.output(), expected.output());
    assert_eq!((&f.text, f.finish_reason, &f.stop), (&e.text, e.finish_reason, &e.stop), "{what}");
    assert_eq!(found.tokens, expected.tokens, "{what}");
    assert_eq!((f.usage.prompt, f.usage.completion), (e.usage.prompt, e.usage.completion), "{what}");
}

/// What each of the requests comes to by itself.
fn expected(n_ctx: usize, kv_cache: KvCache) -> Vec<Told> {
    let mut engine = engine(Prefer::Cpu, kv_cache, n_ctx, 1).unwrap();
    let requests = requests(&engine);
    requests.into_iter().map(|(ids, options)| alone(&mut engine, &ids, options)).collect()
}

#[test]
fn eight_texts_at_once_are_each_what_it_is_alone_whatever_its_options() {
    for kind in [KvCache::F32, KvCache::F16, KvCache::Q8_0] {
        let expected = expected(512, kind);
        let mut engine = engine(Prefer::Cpu, kind, 512, 8).unwrap();
        let requests = requests(&engine);
        let start =
            |(ids, options): &(Vec<u32>, GenerateOptions)| engine.generate(ids, options.clone()).unwrap();
        let mut generations: Vec<Generation> = requests.iter().map(start).collect();
        for (i, (found, expected)) in
            together(&mut engine, &mut generations).iter().zip(&expected).enumerate()
        {
            assert_same(found, expected, &format!("text {i}, {kind:?}"));
        }
    }
}

#[test]
fn a_gpu_that_is_asked_to_writes_greedy_texts_together_as_alone() {
    let Some(mut lone) = engine(Prefer::Gpu, KvCache::F32, 256, 1) else { return };
    let mut engine = engine(Prefer::Gpu, KvCache::F32, 256, 4).unwrap();
    let greedy = GenerateOptions { max_new_tokens: Some(12), temperature: 0.0, ..GenerateOptions::default() };
    let prompts = ["Once upon a time", "Tom had a red ball", "The cat"].map(|text| ids(&engine, text));
    let mut generations: Vec<Generation> = Vec::new();
    for prompt in &prompts {
        generations.push(engine.generate(prompt, greedy.clone()).unwrap());
        // Each is under way when the next comes, with tokens that the device has drawn ahead.
        for _ in 0..3 {
            if let Some(first) = generations.first_mut() {
                block_on(first.step(&mut engine)).unwrap();
            }
        }
    }
    let told = together(&mut engine, &mut generations);
    for (prompt, told) in prompts.iter().zip(&told) {
        assert_eq!(told.output().text, alone(&mut lone, prompt, greedy.clone()).output().text);
    }
}

#[test]
fn a_text_that_comes_late_joins_at_once_and_changes_none_of_those_under_way() {
    let expected = expected(512, KvCache::F32);
    let mut engine = cpu(512);
    let requests = requests(&engine);
    let mut generations: Vec<(usize, Generation, Told)> = Vec::new();
    let mut waiting = requests.iter().enumerate();
    let mut step = 0;
    let mut ended = 0;
    while ended < requests.len() {
        // One after another, some of them while the first still reads its prompt.
        if step % 3 == 0
            && let Some((i, (ids, options))) = waiting.next()
        {
            generations.push((i, engine.generate(ids, options.clone()).unwrap(), Told::default()));
        }
        for (_, generation, told) in generations.iter_mut().filter(|(.., told)| told.output.is_none()) {
            told.hear(block_on(generation.step(&mut engine)).unwrap());
            ended += usize::from(told.output.is_some());
        }
        step += 1;
    }
    for (i, _, told) in &generations {
        assert_same(told, &expected[*i], &format!("text {i}"));
    }
}

#[test]
fn a_long_prompt_that_joins_stops_no_other_text() {
    let mut engine = cpu(512);
    let short = ids(&engine, "Once upon a time");
    let long = ids(&engine, &"The dog ran to the big tree and the cat ran too. ".repeat(12));
    let options = GenerateOptions {
        max_new_tokens: Some(40),
        temperature: 0.0,
        ignore_eos: true,
        ..GenerateOptions::default()
    };
    let mut first = engine.generate(&short, options.clone()).unwrap();
    while !matches!(block_on(first.step(&mut engine)).unwrap(), Event::Token { .. }) {}
    let mut second = engine.generate(&long, options).unwrap();
    let mut chunks = 0;
    while let Event::Prefill { .. } = block_on(second.step(&mut engine)).unwrap() {
        chunks += 1;
        let event = block_on(first.step(&mut engine)).unwrap();
        assert!(matches!(event, Event::Token { .. }), "after chunk {chunks}: {event:?}");
    }
    assert!(chunks > 5, "{} tokens were read in {chunks} runs", long.len());
}

#[test]
fn a_text_that_is_aborted_or_dropped_leaves_the_others_as_they_are() {
    let expected = expected(512, KvCache::F32);
    let mut engine = cpu(512);
    let requests = requests(&engine);
    let mut generations: Vec<Generation> =
        requests.iter().map(|(ids, options)| engine.generate(ids, options.clone()).unwrap()).collect();
    let mut told: Vec<Told> = requests.iter().map(|_| Told::default()).collect();
    for _ in 0..6 {
        for (generation, told) in generations.iter_mut().zip(&mut told) {
            told.hear(block_on(generation.step(&mut engine)).unwrap());
        }
    }
    generations[0].abort();
    told[0].hear(block_on(generations[0].step(&mut engine)).unwrap());
    assert_eq!(told[0].output().finish_reason, FinishReason::Abort);
    assert!(expected[0].output().text.starts_with(&told[0].output().text));
    drop(generations.remove(7));
    while told[1..7].iter().any(|told| told.output.is_none()) {
        for (generation, told) in generations.iter_mut().zip(&mut told) {
            if told.output.is_none() {
                told.hear(block_on(generation.step(&mut engine)).unwrap());
            }
        }
    }
    for i in 1..7 {
        assert_same(&told[i], &expected[i], &format!("text {i}"));
    }
}

#[test]
fn texts_that_do_not_all_fit_the_cache_wait_in_turn_and_end_as_alone() {
    let n_ctx = 64;
    for when_full in [WhenFull::Stop, WhenFull::Shift { keep: 4 }] {
        let options = |seed| GenerateOptions {
            temperature: 0.8,
            seed,
            when_full,
            ignore_eos: true,
            max_new_tokens: Some(90),
            ..GenerateOptions::default()
        };
        let mut lone = engine(Prefer::Cpu, KvCache::F32, n_ctx, 1).unwrap();
        let prompts =
            ["Once upon a time, there was a", "Tom and his dog", "The big red ball was in the garden"];
        let prompts = prompts.map(|text| ids(&lone, text));
        let mut engine = cpu(n_ctx);
        let mut generations: Vec<Generation> =
            (0..3).map(|i| engine.generate(&prompts[i as usize], options(i)).unwrap()).collect();
        let found = together(&mut engine, &mut generations);
        for (i, found) in found.iter().enumerate() {
            let expected = alone(&mut lone, &prompts[i], options(i as u64));
            assert_same(found, &expected, &format!("text {i}, {when_full:?}"));
            let reason = found.output().finish_reason;
            let ends_at =
                if when_full == WhenFull::Stop { FinishReason::Context } else { FinishReason::Length };
            assert_eq!(reason, ends_at, "text {i}");
        }
    }
}

#[test]
fn a_text_finds_what_another_begins_with_and_each_is_found_again_afterwards() {
    let mut engine = cpu(256);
    let [a, b] =
        ["Once upon a time there was a dog", "Once upon a time there was a cat"].map(|t| ids(&engine, t));
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let options = GenerateOptions { max_new_tokens: Some(8), temperature: 0.0, ..GenerateOptions::default() };
    let mut first = engine.generate(&a, options.clone()).unwrap();
    while !matches!(block_on(first.step(&mut engine)).unwrap(), Event::Token { .. }) {}
    let second = engine.generate(&b, options.clone()).unwrap();
    let told = together(&mut engine, &mut [first, second]);
    assert_eq!(told[1].output().usage.cached, same);
    // Of what was written, the last token was never read.
    let again = [&b[..], &told[1].output().tokens].concat();
    let known = again.len() - 1;
    let output = alone(&mut engine, &[&again[..], &a[1..3]].concat(), options);
    assert_eq!(output.output().usage.cached, known);
}

#[test]
fn sessions_that_were_written_together_each_find_their_text_again() {
    let (mut engine, mut fresh) = (cpu(256), engine(Prefer::Cpu, KvCache::F32, 256, 1).unwrap());
    let options = |session: Option<Session>, seed| GenerateOptions {
        session,
        seed,
        temperature: 0.9,
        max_new_tokens: Some(10),
        ignore_eos: true,
        ..GenerateOptions::default()
    };
    let sessions = [(); 3].map(|()| engine.open_session().unwrap());
    let beginnings =
        ["Once upon a time, there was a", "Tom and his dog went to", "The big red ball was in the"];
    let mut texts = beginnings.map(|beginning| ids(&engine, beginning));
    for turn in 0..3 {
        let mut generations: Vec<Generation> = sessions
            .iter()
            .zip(&texts)
            .map(|(session, ids)| engine.generate(ids, options(Some(*session), turn)).unwrap())
            .collect();
        let told = together(&mut engine, &mut generations);
        for (ids, told) in texts.iter_mut().zip(told) {
            let expected = alone(&mut fresh, ids, options(None, turn));
            assert_same(&told, &expected, &format!("turn {turn}"));
            if turn > 0 {
                assert_eq!(told.output().usage.cached, ids.len() - 1, "turn {turn}");
            }
            ids.extend(&told.output().tokens);
        }
    }
    // And one after another.
    for (session, ids) in sessions.iter().zip(&texts) {
        let told = alone(&mut engine, ids, options(Some(*session), 9));
        assert_eq!(told.output().usage.cached, ids.len() - 1);
        assert_same(&told, &alone(&mut fresh, ids, options(None, 9)), "afterwards");
    }
}

#[test]
fn other_work_takes_the_cache_over_from_all_texts_and_says_so() {
    let mut engine = cpu(128);
    let prompt = ids(&engine, "Once upon a time");
    let options = GenerateOptions { max_new_tokens: Some(20), ..GenerateOptions::default() };
    let mut generations = [(); 2].map(|()| engine.generate(&prompt, options.clone()).unwrap());
    for generation in &mut generations {
        block_on(generation.step(&mut engine)).unwrap();
    }
    block_on(engine.logits(&prompt)).unwrap();
    for generation in &mut generations {
        let error = block_on(generation.step(&mut engine)).unwrap_err();
        assert!(error.to_string().contains("other work"), "{error}");
    }
}

#[test]
fn what_may_join_is_told_before_and_the_limit_holds() {
    let mut engine = engine(Prefer::Cpu, KvCache::F32, 128, 2).unwrap();
    assert_eq!(engine.max_batch(), 2);
    let plain = GenerateOptions { max_new_tokens: Some(20), ignore_eos: true, ..GenerateOptions::default() };
    let prompt = ids(&engine, "Once upon a time");
    assert!(!engine.may_join(&plain), "nothing is under way");
    let mut first = engine.generate(&prompt, plain.clone()).unwrap();
    assert!(engine.may_join(&plain));
    assert!(!engine.may_join(&GenerateOptions { num_beams: 2, ..plain.clone() }));
    let exact = GenerateOptions { precision: Some(Precision::Exact), ..plain.clone() };
    assert!(!engine.may_join(&exact));
    let second = engine.generate(&prompt, plain.clone()).unwrap();
    assert!(!engine.may_join(&plain), "two are under way");
    block_on(first.step(&mut engine)).unwrap();
    drop(second);
    assert!(engine.may_join(&plain), "one is under way");
    drop(first);
    assert!(!engine.may_join(&plain), "none is under way");
}

#[test]
fn unless_it_is_asked_for_texts_are_written_together_only_where_that_changes_no_bit() {
    let cpu = |max_batch| LoadOptions { prefer: Prefer::Cpu, max_batch, ..LoadOptions::default() };
    let mut engine = load_with(&cpu(None)).unwrap();
    assert_eq!(engine.max_batch(), 8);
    let prompt = ids(&engine, "Once upon a time");
    let exact = GenerateOptions { precision: Some(Precision::Exact), ..GenerateOptions::default() };
    let _first = engine.generate(&prompt, exact.clone()).unwrap();
    assert!(!engine.may_join(&exact));
    let limit = |name: &str, max_batch| {
        let checkpoint =
            block_on(format::open_path(&common::repo(&format!("tests/data/models/{name}")))).unwrap();
        block_on(load(&checkpoint, &cpu(max_batch))).unwrap().max_batch()
    };
    assert_eq!((limit("gpt2-bare", None), limit("gpt2-bare", Some(4))), (1, 4), "of floats");
    assert_eq!(limit("bart", Some(4)), 1, "with an encoder");
}

#[test]
fn a_limit_of_one_text_writes_none_together_and_others_are_refused_by_name() {
    let mut engine = engine(Prefer::Cpu, KvCache::F32, 128, 1).unwrap();
    let prompt = ids(&engine, "Once upon a time");
    let mut first = engine.generate(&prompt, GenerateOptions::default()).unwrap();
    assert!(!engine.may_join(&GenerateOptions::default()));
    let _second = engine.generate(&prompt, GenerateOptions::default()).unwrap();
    assert!(block_on(first.step(&mut engine)).unwrap_err().to_string().contains("other work"));
    for wrong in [0, 17] {
        let options = LoadOptions { prefer: Prefer::Cpu, max_batch: Some(wrong), ..LoadOptions::default() };
        let error = load_with(&options).err().unwrap();
        assert!(matches!(error, Error::Input { .. }));
        assert_eq!(error.to_string(), format!("max_batch: {wrong} is not between 1 and 16"));
    }
}

#[test]
fn every_family_of_decoders_writes_together_what_it_writes_alone() {
    let mut n_models = 0;
    for entry in std::fs::read_dir(common::repo("tests/data/models")).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(folder.join("expected.json")) else { continue };
        let expected: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let checkpoint = block_on(format::open_path(&folder)).unwrap();
        let open = |max_batch| {
            let options = LoadOptions { prefer: Prefer::Cpu, max_batch, ..LoadOptions::default() };
            block_on(load(&checkpoint, &options))
        };
        let ("decoder", Ok(mut lone)) = (expected["kind"].as_str().unwrap_or_default(), open(Some(1))) else {
            continue;
        };
        if !lone.facts().config.generates() || !lone.defaults().not_run.is_empty() {
            continue;
        }
        let mut engine = open(Some(4)).unwrap();
        let (n_vocab, n_ctx) = (lone.facts().config.n_vocab as u32, lone.facts().n_ctx);
        let prompt = |i: u32, n: u32| (0..n).map(|at| (at * 37 + i * 11 + 3) % n_vocab).collect::<Vec<_>>();
        // One is longer than a run has rows, and than most windows.
        let prompts = [prompt(0, 5), prompt(1, 24.min(n_ctx as u32 / 2)), prompt(2, 1)];
        let options = |i| GenerateOptions {
            max_new_tokens: Some(8),
            temperature: if i == 0 { 0.0 } else { 0.9 },
            seed: i,
            num_beams: 1,
            ignore_eos: true,
            ..GenerateOptions::default()
        };
        let mut generations: Vec<Generation> =
            (0..3).map(|i| engine.generate(&prompts[i as usize], options(i)).unwrap()).collect();
        // Models whose keys rotate otherwise in long texts take turns.
        if !engine.may_join(&options(0)) {
            continue;
        }
        for (i, found) in together(&mut engine, &mut generations).iter().enumerate() {
            let expected = alone(&mut lone, &prompts[i], options(i as u64));
            assert_same(found, &expected, &format!("{}, text {i}", folder.display()));
        }
        n_models += 1;
    }
    assert!(n_models > 40, "{n_models} models");
}

#[test]
fn texts_that_are_written_together_all_go_on_on_another_device() {
    for rounds in [1, 4, 9] {
        let mut engine = cpu(256);
        let requests = requests(&engine);
        let expected: Vec<Told> =
            requests.iter().map(|(ids, options)| alone(&mut cpu(256), ids, options.clone())).collect();
        let mut generations: Vec<Generation> = Vec::new();
        for (ids, options) in &requests {
            generations.push(engine.generate(ids, options.clone()).unwrap());
        }
        let mut told: Vec<Told> = generations.iter().map(|_| Told::default()).collect();
        for _ in 0..rounds {
            for (generation, told) in generations.iter_mut().zip(&mut told) {
                told.hear(block_on(generation.step(&mut engine)).unwrap());
            }
        }
        engine.revive(cpu(256)).unwrap();
        // One hears of the loss; the others find out.
        generations[2].resume(&mut engine).unwrap();
        let rest = together(&mut engine, &mut generations);
        for (at, ((mut told, rest), expected)) in told.into_iter().zip(rest).zip(&expected).enumerate() {
            told.tokens.extend(rest.tokens);
            told.output = rest.output;
            assert_same(&told, expected, &format!("text {at}, lost after {rounds} rounds"));
        }
    }
}

#[test]
fn texts_that_crowd_each_other_out_are_each_what_they_are_alone() {
    let mut rng = common::rng();
    for round in 0..8 {
        let mut engine = engine(Prefer::Cpu, KvCache::F32, 64, 4).unwrap();
        let requests: Vec<(Vec<u32>, GenerateOptions)> = (0..8)
            .map(|at| {
                // They have no beginning in common.
                let first = 300 + at;
                let ids: Vec<u32> = (0..rng.usize(1..58)).map(|_| rng.u32(300..2000)).collect();
                let options = GenerateOptions {
                    max_new_tokens: Some(rng.usize(1..40)),
                    temperature: 0.0,
                    ignore_eos: true,
                    when_full: if rng.bool() { WhenFull::Stop } else { WhenFull::Shift { keep: 2 } },
                    ..GenerateOptions::default()
                };
                ([first].into_iter().chain(ids).collect(), options)
            })
            .collect();
        let expected: Vec<Told> =
            requests.iter().map(|(ids, options)| alone(&mut engine, ids, options.clone())).collect();
        let mut waiting = requests.iter().enumerate();
        let mut under_way: Vec<(usize, Generation, Told)> = Vec::new();
        let mut n_done = 0;
        while n_done < requests.len() {
            while under_way.len() < 4
                && let Some((at, (ids, options))) = waiting.next()
            {
                under_way.push((at, engine.generate(ids, options.clone()).unwrap(), Told::default()));
            }
            for (at, generation, told) in &mut under_way {
                if rng.u8(..4) == 0 {
                    continue; // its caller pauses
                }
                told.hear(block_on(generation.step(&mut engine)).unwrap());
                if told.output.is_some() {
                    assert_same(told, &expected[*at], &format!("text {at} of round {round}"));
                    n_done += 1;
                }
            }
            under_way.retain(|(_, _, told)| told.output.is_none());
        }
    }
}

#[test]
fn a_request_that_is_refused_ends_none_that_are_written() {
    let mut engine = cpu(256);
    let prompt = ids(&engine, "Once upon a time");
    let options =
        GenerateOptions { max_new_tokens: Some(12), temperature: 0.0, ..GenerateOptions::default() };
    let expected = alone(&mut engine, &prompt, options.clone());
    let mut both = [(); 2].map(|()| engine.generate(&prompt, options.clone()).unwrap());
    for generation in &mut both {
        block_on(generation.step(&mut engine)).unwrap();
    }
    let closed = engine.open_session().unwrap();
    engine.close_session(closed);
    let refused = [
        (vec![], options.clone()),
        (vec![u32::MAX], options.clone()),
        (prompt, GenerateOptions { session: Some(closed), num_beams: 2, ..options }),
    ];
    for (ids, options) in refused {
        assert!(engine.generate(&ids, options).is_err());
    }
    for told in together(&mut engine, &mut both) {
        assert_eq!(told.output().tokens, expected.output().tokens);
    }
}

#[test]
fn a_text_without_a_slot_takes_none_of_one_that_came_before() {
    let greedy = |n| GenerateOptions {
        max_new_tokens: Some(n),
        temperature: 0.0,
        ignore_eos: true,
        ..GenerateOptions::default()
    };
    let prompts = [(400..464).collect::<Vec<u32>>(), (700..710).collect()];
    let mut engine = engine(Prefer::Cpu, KvCache::F32, 64, 4).unwrap();
    let expected: Vec<Told> = prompts.iter().map(|ids| alone(&mut engine, ids, greedy(8))).collect();
    let mut first = engine.generate(&[300], greedy(20)).unwrap();
    block_on(first.step(&mut engine)).unwrap();
    let mut both: Vec<Generation> =
        prompts.iter().map(|ids| engine.generate(ids, greedy(8)).unwrap()).collect();
    drop(first);
    for (at, told) in together(&mut engine, &mut both).iter().enumerate() {
        assert_same(told, &expected[at], &format!("text {at}"));
    }
}
