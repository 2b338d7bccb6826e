//! Beam search and processors against Hugging Face transformers on a toy model: tests/data/beam/make.py made the answers.

mod common;

use intab::{
    Error, Result,
    model::EarlyStopping,
    run::{BeamOptions, BeamSearch, Hypothesis, ProcessOptions, Processors, Slots, Step},
};
use serde_json::Value;

fn data() -> Value {
    serde_json::from_slice(&std::fs::read(common::repo("tests/data/beam/cases.json")).unwrap()).unwrap()
}

fn list(value: &Value) -> Vec<u32> {
    let ids = value.as_array().map(Vec::as_slice).unwrap_or_default();
    ids.iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn float(value: &Value) -> f32 {
    value.as_f64().unwrap() as f32
}

fn size(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

/// A case of the file.
struct Case<'a>(&'a Value);

impl Case<'_> {
    fn ids(&self, name: &str) -> Vec<u32> {
        list(&self.0[name])
    }

    /// What the encoder read; a decoder's own prompt where there is none.
    fn source(&self) -> Vec<u32> {
        self.ids(if self.0["source"].is_null() { "prompt" } else { "source" })
    }

    /// The toy model's scores of what follows the last two tokens, as make.py's `logits`.
    fn logits(&self, ids: &[u32], n_vocab: usize) -> Vec<f32> {
        let last = ids[ids.len() - 1];
        let before = if ids.len() > 1 { ids[ids.len() - 2] } else { 0 };
        let seed = self.0["seed"].as_u64().unwrap() as u32;
        let logit = |token: u32| {
            let mut h = before.wrapping_mul(0x9E37_79B1);
            h = h.wrapping_add(last.wrapping_mul(0x85EB_CA77));
            h = h.wrapping_add(token.wrapping_mul(0xC2B2_AE3D));
            h = h.wrapping_add(seed.wrapping_mul(0x27D4_EB2F));
            h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
            h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
            h ^= h >> 15;
            (h >> 8) as f32 / (1 << 21) as f32 - 4.0
        };
        (0..n_vocab as u32).map(logit).collect()
    }

    fn process_options(&self) -> ProcessOptions {
        let sequences = |value: &Value| value.as_array().unwrap().iter().map(list).collect();
        let mut options = ProcessOptions {
            eos: self.ids("eos"),
            max_length: Some(size(&self.0["max_length"])),
            ..Default::default()
        };
        for (name, value) in self.0["process"].as_object().unwrap() {
            match name.as_str() {
                "sequence_bias" => {
                    let pairs = value.as_array().unwrap().iter();
                    options.sequence_bias = pairs.map(|pair| (list(&pair[0]), float(&pair[1]))).collect();
                }
                "encoder_repetition_penalty" => options.encoder_repetition_penalty = float(value),
                "repetition_penalty" => options.repetition_penalty = float(value),
                "no_repeat_ngram_size" => options.no_repeat_ngram_size = size(value),
                "encoder_no_repeat_ngram_size" => options.encoder_no_repeat_ngram_size = size(value),
                "bad_words_ids" => options.bad_words = sequences(value),
                "min_length" => options.min_length = size(value),
                "min_new_tokens" => options.min_new_tokens = Some(size(value)),
                "forced_bos_token_id" => options.forced_bos = Some(size(value) as u32),
                "forced_eos_token_id" if value.is_array() => options.forced_eos = list(value),
                "forced_eos_token_id" => options.forced_eos = vec![size(value) as u32],
                "exponential_decay_length_penalty" => {
                    options.exponential_decay_length_penalty = Some((size(&value[0]), float(&value[1])));
                }
                "suppress_tokens" => options.suppress = list(value),
                "begin_suppress_tokens" => options.begin_suppress = list(value),
                "renormalize_logits" => options.renormalize_logits = value == true,
                other => panic!("make.py has an option that this test does not know: {other}"),
            }
        }
        options
    }

    fn beam_options(&self) -> BeamOptions {
        let beam = &self.0["beam"];
        BeamOptions {
            num_return_sequences: size(&beam["num_return_sequences"]),
            length_penalty: float(&beam["length_penalty"]),
            early_stopping: match &beam["early_stopping"] {
                Value::Bool(true) => EarlyStopping::Yes,
                Value::Bool(false) => EarlyStopping::No,
                never => {
                    assert_eq!(never, "never");
                    EarlyStopping::Never
                }
            },
            ..BeamOptions::new(size(&beam["num_beams"]), size(&self.0["max_length"]), self.ids("eos"))
        }
    }

    /// Searches with the toy model. Each beam's tokens are read from a cache by its slots, as a real model's keys are.
    fn search(&self, n_vocab: usize) -> Result<(usize, Vec<Hypothesis>)> {
        let (prompt, options) = (self.ids("prompt"), self.beam_options());
        let n_slots = Slots::needed(prompt.len(), options.num_beams, options.max_length - prompt.len());
        let mut slots = Slots::new(n_slots, prompt.len())?;
        let mut cache = vec![u32::MAX; n_slots];
        cache[..prompt.len()].copy_from_slice(&prompt);
        let processors = Processors::new(&self.process_options(), n_vocab)?;
        let mut search = BeamSearch::new(options, processors, &prompt, &self.source())?;
        for n_steps in 1.. {
            let mut logits = Vec::new();
            for beam in 0..search.n_running() {
                let ids: Vec<u32> = slots.table_row(beam).iter().map(|slot| cache[*slot as usize]).collect();
                let mut row = self.logits(&ids, n_vocab);
                self.ids("eos").iter().for_each(|id| row[*id as usize] += float(&self.0["eos_bias"]));
                logits.extend(row);
            }
            match search.step(&logits)? {
                Step::Done(found) => return Ok((n_steps, found)),
                Step::Continue { parents, tokens } => {
                    for (slot, token) in slots.advance(&parents)?.into_iter().zip(tokens) {
                        cache[slot as usize] = token;
                    }
                }
            }
        }
        unreachable!("max_length ends every search")
    }
}

#[test]
fn beam_search_finds_what_transformers_finds_in_as_many_steps() {
    let data = data();
    let n_vocab = size(&data["n_vocab"]);
    let searches = data["searches"].as_array().unwrap();
    assert!(searches.len() >= 200);
    for value in searches {
        let case = Case(value);
        let (n_steps, found) = case.search(n_vocab).unwrap();
        let expected = value["expected"]["hypotheses"].as_array().unwrap();
        let ids = |found: &[Hypothesis]| found.iter().map(|h| h.ids.clone()).collect::<Vec<_>>();
        let wanted: Vec<Vec<u32>> = expected.iter().map(|h| list(&h["ids"])).collect();
        assert_eq!(ids(&found), wanted, "{value}");
        assert_eq!(n_steps, size(&value["expected"]["steps"]), "{value}");
        for (found, expected) in found.iter().zip(expected) {
            let score = float(&expected["score"]);
            let close = (found.score - score).abs() <= 1e-4 * score.abs().max(1.0);
            assert!(close, "score {} instead of {score}: {value}", found.score);
            assert_eq!(found.finished_by_eos, case.ids("eos").contains(found.ids.last().unwrap()));
        }
    }
}

#[test]
fn processors_change_scores_as_those_of_transformers() {
    let data = data();
    let n_vocab = size(&data["n_vocab"]);
    let rows = data["rows"].as_array().unwrap();
    assert!(rows.len() >= 80);
    for value in rows {
        let case = Case(value);
        let ids = case.ids("ids");
        let mut scores = case.logits(&ids, n_vocab);
        let log_sum = scores.iter().map(|x| f64::from(*x).exp()).sum::<f64>().ln() as f32;
        scores.iter_mut().for_each(|x| *x -= log_sum);
        let processors = Processors::new(&case.process_options(), n_vocab).unwrap();
        processors.apply(&ids, case.ids("prompt").len(), &case.source(), &mut scores);
        for (token, (found, expected)) in scores.iter().zip(value["expected"].as_array().unwrap()).enumerate()
        {
            let expected = expected.as_f64().map_or(f32::NEG_INFINITY, |x| x as f32);
            let close = *found == expected || (found - expected).abs() <= 1e-5 * expected.abs().max(1.0);
            assert!(close, "token {token}: {found} instead of {expected}: {value}");
        }
    }
}

const N_VOCAB: usize = 6;

/// A search of two beams after the prompt `[1]`, which ends with token 0 or at 8 tokens.
fn searching(process: ProcessOptions) -> BeamSearch {
    let options = BeamOptions { num_return_sequences: 2, ..BeamOptions::new(2, 8, vec![0]) };
    BeamSearch::new(options, Processors::new(&process, N_VOCAB).unwrap(), &[1], &[1]).unwrap()
}

#[test]
fn logits_that_are_no_numbers_are_refused_and_change_nothing() {
    let mut search = searching(ProcessOptions::default());
    for bad in [f32::NAN, f32::INFINITY] {
        let logits = [0.0, 1.0, bad, 3.0, 2.0, 1.0];
        assert_eq!(search.step(&logits), Err(Error::NotFinite { place: "the logits".into() }));
    }
    assert!(matches!(search.step(&[f32::NEG_INFINITY; N_VOCAB]), Err(Error::NotFinite { .. })));
    // Minus infinity is a token that never comes.
    let logits = [0.0, 1.0, f32::NEG_INFINITY, 3.0, 2.0, 1.0];
    assert_eq!(search.step(&logits), Ok(Step::Continue { parents: vec![0, 0], tokens: vec![3, 4] }));
}

#[test]
fn a_wrong_number_of_logits_says_what_was_expected() {
    let mut search = searching(ProcessOptions::default());
    let error = search.step(&[0.0; 2 * N_VOCAB]).unwrap_err();
    assert_eq!(error.to_string(), "beam search: 1 running beams have 6 logits, not 12");
}

#[test]
fn a_forced_token_leaves_one_beam_that_spreads_again() {
    let mut search = searching(ProcessOptions { forced_bos: Some(5), ..Default::default() });
    let logits = [0.0, 1.0, 2.0, 3.0, 2.5, 1.0];
    assert_eq!(search.step(&logits), Ok(Step::Continue { parents: vec![0], tokens: vec![5] }));
    assert_eq!(search.step(&logits), Ok(Step::Continue { parents: vec![0, 0], tokens: vec![3, 4] }));
}

#[test]
fn where_nothing_may_come_the_search_says_so() {
    let suppress = (0..N_VOCAB as u32).collect();
    let mut search = searching(ProcessOptions { suppress, ..Default::default() });
    let error = search.step(&[0.0; N_VOCAB]).unwrap_err();
    assert!(error.to_string().contains("leaves no token to choose"), "{error}");
}

#[test]
fn where_only_the_end_may_come_the_search_returns_what_it_has() {
    let mut search =
        searching(ProcessOptions { suppress: (1..N_VOCAB as u32).collect(), ..Default::default() });
    let Ok(Step::Done(found)) = search.step(&[0.0; N_VOCAB]) else { panic!("the search goes on") };
    assert_eq!(found.iter().map(|h| h.ids.clone()).collect::<Vec<_>>(), [[0]]);
    assert!(found[0].finished_by_eos);
    assert!(matches!(search.step(&[]), Err(Error::Input { .. })), "a search that is done takes no step");
}

#[test]
fn other_kinds_of_beam_search_are_refused_by_name() {
    let base = || BeamOptions::new(2, 8, vec![0]);
    let refused = [
        (BeamOptions { do_sample: true, ..base() }, "unsupported generation `beam sampling`"),
        (BeamOptions { num_beam_groups: 2, ..base() }, "unsupported generation `group beam search`"),
        (BeamOptions { num_beams: 0, ..base() }, "num_beams: 0"),
        (BeamOptions { num_beams: usize::MAX, ..base() }, "num_beams: 18446744073709551615"),
        (BeamOptions { num_return_sequences: 3, ..base() }, "num_return_sequences: 3"),
        (BeamOptions { length_penalty: f32::NAN, ..base() }, "length_penalty: NaN"),
        (BeamOptions { max_length: 1, ..base() }, "max_length: 1 tokens leave no room after a prompt of 1"),
    ];
    for (options, begins) in refused {
        let processors = Processors::new(&ProcessOptions::default(), N_VOCAB).unwrap();
        let error = BeamSearch::new(options, processors, &[1], &[1]).unwrap_err().to_string();
        assert!(error.starts_with(begins), "{error}");
    }
}

#[test]
fn an_extreme_length_penalty_gives_scores_that_are_numbers() {
    for length_penalty in [-10.0, 10.0] {
        let options = BeamOptions { length_penalty, ..BeamOptions::new(3, 40_000, vec![]) };
        let processors = Processors::new(&ProcessOptions::default(), N_VOCAB).unwrap();
        let mut search = BeamSearch::new(options, processors, &vec![1; 39_998], &[]).unwrap();
        let logits = [0.0, 1.0, 2.0, 3.0, 2.5, 1.0];
        search.step(&logits).unwrap();
        let Ok(Step::Done(found)) = search.step(&logits.repeat(3)) else { panic!("the search goes on") };
        assert!(found[0].score < 0.0 && found[0].score.is_finite(), "{}", found[0].score);
        assert_eq!(found[0].ids, [3, 3]);
    }
}
