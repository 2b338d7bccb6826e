//! Models whose matrices are dealt out among threads compute what they do on one, to the last bit.

mod common;

use std::{cell::Cell, path::Path, rc::Rc};

use intab::{
    Error, Result,
    backend::{
        Precision,
        cpu::team::{Hire, Job, Shape, Slice, Strided, Team, Threads},
    },
    format,
    run::{Engine, Event, GenerateOptions, KvCache, LoadOptions, Prefer, load},
};
use pollster::block_on;

/// A model on the CPU, with so many threads that `team` gives.
fn engine(model: &Path, threads: usize, team: impl Fn(usize) -> Result<Box<dyn Team>> + 'static) -> Engine {
    let options = LoadOptions {
        prefer: Prefer::Cpu,
        threads: Some(threads),
        hire: Some(hire(2, team)),
        ..LoadOptions::default()
    };
    let checkpoint = block_on(format::open_path(model)).unwrap();
    block_on(load(&checkpoint, &options)).unwrap()
}

fn hire(cores: usize, team: impl Fn(usize) -> Result<Box<dyn Team>> + 'static) -> Hire {
    let start = move |n| -> format::LocalFuture<'static, _> { Box::pin(std::future::ready(team(n))) };
    Hire { cores, start: Rc::new(start) }
}

fn helpers(n: usize) -> Result<Box<dyn Team>> {
    Ok(Box::new(Threads::new(n)?))
}

fn generate(engine: &mut Engine, ids: &[u32], precision: Precision) -> Result<Vec<u32>> {
    let options = GenerateOptions {
        max_new_tokens: Some(8),
        ignore_eos: true,
        precision: Some(precision),
        temperature: 0.0,
        ..GenerateOptions::default()
    };
    let mut generation = engine.generate(ids, options)?;
    loop {
        if let Event::Done { output, .. } = block_on(generation.step(engine))? {
            return Ok(output.tokens);
        }
    }
}

#[test]
fn threads_read_a_cache_of_any_precision() {
    // Windows, so that a later part of a text sees the end of the cache alone.
    let model = common::repo("tests/data/models/gemma2-9b.gguf");
    let checkpoint = block_on(format::open_path(&model)).unwrap();
    let open = |threads| {
        let options = LoadOptions {
            prefer: Prefer::Cpu,
            threads: Some(threads),
            hire: Some(hire(2, helpers)),
            kv_cache: KvCache::F16,
            ..LoadOptions::default()
        };
        block_on(load(&checkpoint, &options)).unwrap()
    };
    let (mut alone, mut together) = (open(1), open(3));
    let n_vocab = alone.facts().config.n_vocab as u32;
    let mut rng = common::rng();
    let ids: Vec<u32> = (0..53).map(|_| rng.u32(..n_vocab)).collect();
    for ids in [&ids[..20], &ids] {
        let [expected, found] =
            [&mut alone, &mut together].map(|engine| generate(engine, ids, Precision::Exact).unwrap());
        assert_eq!(expected, found);
    }
    let [expected, found] = [&mut alone, &mut together].map(|engine| block_on(engine.logits(&ids)).unwrap());
    assert_eq!(expected, found);
}

#[test]
fn any_number_of_threads_gives_the_numbers_of_one() {
    // Experts; windows and capped scores; sinks.
    let models =
        ["qwen3_moe", "qwen3", "gemma2-9b", "gpt_oss"].map(|name| format!("tests/data/models/{name}.gguf"));
    for model in [&["models/intab-stories.gguf".to_owned()], &models[..]]
        .concat()
        .iter()
        .map(|path| common::repo(path))
    {
        let mut alone = engine(&model, 1, helpers);
        let held = alone.counters();
        let n_vocab = alone.facts().config.n_vocab as u32;
        let mut rng = common::rng();
        let ids: Vec<u32> = (0..53).map(|_| rng.u32(..n_vocab)).collect();
        for n in [2, 3, 5] {
            let mut together = engine(&model, n, helpers);
            assert!(together.facts().features.contains(&format!("{n} threads")));
            assert_eq!(together.counters(), held, "{}: the same memory, elsewhere", model.display());
            for precision in [Precision::Exact, Precision::Fast] {
                for engine in [&mut alone, &mut together] {
                    engine.set_precision(precision);
                }
                let [expected, found] =
                    [&mut alone, &mut together].map(|engine| block_on(engine.logits(&ids)).unwrap());
                assert_eq!(expected, found, "{} with {n} threads", model.display());
                // The second goes on where the first ended, which is beyond the windows.
                for ids in [&ids[..20], &ids] {
                    let [expected, found] =
                        [&mut alone, &mut together].map(|engine| generate(engine, ids, precision).unwrap());
                    assert_eq!(expected, found, "{} with {n} threads", model.display());
                }
            }
        }
    }
}

/// A team that can take few numbers at a time.
struct Narrow(Threads, usize);

impl Team for Narrow {
    fn n_helpers(&self) -> usize {
        self.0.n_helpers()
    }

    fn most_numbers(&self) -> usize {
        self.1
    }

    fn write(&self, helper: usize, id: u32, part: Shape, bytes: &[u8]) -> Result<()> {
        assert!(bytes.len() <= 4 * self.1);
        self.0.write(helper, id, part, bytes)
    }

    fn forget(&self, helper: usize, id: u32) -> Result<()> {
        self.0.forget(helper, id)
    }

    fn start(&self, jobs: &[Vec<Job>], xs: &[&[f32]], fast: bool) {
        assert!(xs.iter().map(|x| x.len()).sum::<usize>() <= self.1);
        self.0.start(jobs, xs, fast);
    }

    fn start_attention(&self, slice: &Slice, q: Strided, k: Strided, v: Strided) {
        let all = [slice.keys(k), slice.keys(v)].into_iter().flatten().map(<[f32]>::len).sum::<usize>();
        assert!(all + slice.n_rows * slice.shape.q_dim() <= self.1);
        assert_eq!(Slice::from_words(slice.to_words()), *slice);
        self.0.start_attention(slice, q, k, v);
    }

    fn finish(&self, helper: usize, y: &mut [f32]) -> Result<()> {
        assert!(y.len() <= self.1);
        self.0.finish(helper, y)
    }

    fn unpack_row(&self, helper: usize, id: u32, row: usize, weights: &mut [f32]) -> Result<()> {
        self.0.unpack_row(helper, id, row, weights)
    }
}

#[test]
fn what_is_too_much_for_one_message_goes_in_several() {
    // Of the second, one or two heads of an attention fit.
    for (model, n_ids, most) in
        [("tests/data/models/qwen3.gguf", 40, 1200), ("models/intab-stories.gguf", 120, 20_000)]
    {
        let model = common::repo(model);
        let ids: Vec<u32> = (0..n_ids).collect();
        let mut alone = engine(&model, 1, helpers);
        let mut narrow = engine(&model, 2, move |n| Ok(Box::new(Narrow(Threads::new(n)?, most))));
        let [expected, found] =
            [&mut alone, &mut narrow].map(|engine| block_on(engine.logits(&ids)).unwrap());
        // Few rows at a time are added up in another order than many.
        assert!(common::nmse(&expected, &found) < 1e-11);
    }
}

/// What a helper breaks at.
#[derive(Clone, Copy, PartialEq)]
enum Breaks {
    Multiplying,
    Attending,
}

/// A team whose only helper breaks once it has to do this.
struct Broken {
    team: Threads,
    at: Breaks,
    is_broken: Cell<bool>,
}

impl Team for Broken {
    fn n_helpers(&self) -> usize {
        1
    }

    fn most_numbers(&self) -> usize {
        1 << 20
    }

    fn write(&self, helper: usize, id: u32, part: Shape, bytes: &[u8]) -> Result<()> {
        self.team.write(helper, id, part, bytes)
    }

    fn forget(&self, helper: usize, id: u32) -> Result<()> {
        self.team.forget(helper, id)
    }

    fn start(&self, jobs: &[Vec<Job>], xs: &[&[f32]], fast: bool) {
        self.is_broken.set(self.is_broken.get() || self.at == Breaks::Multiplying);
        self.team.start(jobs, xs, fast);
    }

    fn start_attention(&self, slice: &Slice, q: Strided, k: Strided, v: Strided) {
        self.is_broken.set(true);
        self.team.start_attention(slice, q, k, v);
    }

    fn finish(&self, helper: usize, y: &mut [f32]) -> Result<()> {
        if self.is_broken.get() {
            return Err(Error::Device { what: "a worker".into(), problem: "it is gone".into() });
        }
        self.team.finish(helper, y)
    }

    fn unpack_row(&self, helper: usize, id: u32, row: usize, weights: &mut [f32]) -> Result<()> {
        self.team.unpack_row(helper, id, row, weights)
    }
}

#[test]
fn a_helper_that_fails_is_an_error_then_and_later() {
    let ids: Vec<u32> = (0..40).collect();
    for at in [Breaks::Multiplying, Breaks::Attending] {
        let team = move |n| -> Result<Box<dyn Team>> {
            Ok(Box::new(Broken { team: Threads::new(n)?, at, is_broken: Cell::new(false) }))
        };
        let mut engine = engine(&common::repo("tests/data/models/qwen3.gguf"), 2, team);
        for _ in 0..2 {
            let error = generate(&mut engine, &ids, Precision::Exact).unwrap_err();
            assert_eq!(error, Error::Device { what: "a worker".into(), problem: "it is gone".into() });
        }
    }
}

#[test]
fn threads_that_are_not_asked_for_are_as_many_as_pay() {
    let usual = |cores, bytes| hire(cores, helpers).usual(bytes);
    assert_eq!([1, 2, 4, 8, 16, 64].map(|cores| usual(cores, 1 << 30)), [1, 1, 2, 4, 8, 8]);
    assert_eq!(usual(64, 10 << 20), 1, "a small model is done before threads have agreed");
}

#[test]
fn threads_that_cannot_be_had_are_missed_by_those_who_asked_for_them() {
    let load_with = |threads, hire: Option<Hire>| {
        let options = LoadOptions { prefer: Prefer::Cpu, threads, hire, ..LoadOptions::default() };
        let checkpoint = block_on(format::open_path(&common::repo("tests/data/models/qwen3.gguf"))).unwrap();
        block_on(load(&checkpoint, &options)).map(|engine| engine.facts().features.clone())
    };
    let none = || {
        let error = Error::Device { what: "a thread".into(), problem: "there is none".into() };
        Some(hire(8, move |_| Err(error.clone())))
    };
    assert_eq!(load_with(None, none()), Ok(Vec::new()));
    assert!(matches!(load_with(Some(2), none()), Err(Error::Device { .. })));
    assert!(matches!(load_with(Some(2), None), Err(Error::Input { what: "threads", .. })));
    assert!(matches!(load_with(Some(0), none()), Err(Error::Input { what: "threads", .. })));
}
