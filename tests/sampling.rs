//! The samplers of both backends against a straightforward reference on a known distribution: exact support sets for
//! the filters, a chi-square test over many draws for the probabilities.

mod common;

use std::collections::BTreeSet;

use intab::{
    backend::{Backend, Kind, Prepared},
    error::Error,
    plan::{Builder, Plan, Run, Sampling, Stage, Value},
};
use pollster::block_on;

struct Sampler {
    backend: Box<dyn Backend>,
    prepared: Prepared,
    logits: Value,
}

impl Sampler {
    fn new(kind: Kind, logits: &[f32]) -> Option<Sampler> {
        let n = logits.len();
        let mut b = Builder::new("sample", 1);
        b.stage(Stage::Sample);
        let values = (b.state("logits", 1, n), b.state_u32("counts", 1, n), b.state_u32("ids", 1, 1));
        b.sample(values.0, values.1, values.2);
        let plan: Plan = b.finish();
        let mut backend = common::backend(kind)?;
        let prepared = block_on(backend.prepare(&plan)).unwrap();
        backend.write_value(prepared, values.0, logits).unwrap();
        Some(Sampler { backend, prepared, logits: values.0 })
    }

    fn draw(&mut self, sampling: Sampling, draw: u32) -> Result<u32, Error> {
        let run = Run { draw, sampling, ..Run::new(0, 1) };
        block_on(self.backend.run_for_token(self.prepared, &run, "ids").unwrap())
    }

    fn support(&mut self, sampling: Sampling, draws: u32) -> BTreeSet<u32> {
        (0..draws).map(|i| self.draw(sampling, i).unwrap()).collect()
    }
}

/// Sampling at temperature 1 with everything else off.
const PLAIN: Sampling = Sampling { temperature: 1.0, seed_low: 7, ..Sampling::GREEDY };

/// Logits of the probabilities 0.30, 0.25, 0.20, 0.10, 0.08, 0.04, 0.02, 0.01, in a shuffled order.
const PROBABILITIES: [f64; 8] = [0.10, 0.01, 0.30, 0.04, 0.25, 0.02, 0.20, 0.08];

fn known() -> Vec<f32> {
    PROBABILITIES.iter().map(|p| p.ln() as f32 + 3.0).collect()
}

fn probabilities(logits: &[f32], temperature: f64) -> Vec<f64> {
    let weights: Vec<f64> = logits.iter().map(|l| (f64::from(*l) / temperature).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|w| w / total).collect()
}

/// What the filters keep, by sorting: temperature, top-k, top-p of what is left, min-p.
fn reference_support(logits: &[f32], s: &Sampling) -> BTreeSet<u32> {
    let p = probabilities(logits, f64::from(s.temperature));
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*b].total_cmp(&p[*a]));
    if s.top_k > 0 {
        order.truncate(s.top_k as usize);
    }
    let total: f64 = order.iter().map(|i| p[*i]).sum();
    let mut mass = 0.0;
    let mut kept = Vec::new();
    for i in order {
        if mass / total >= f64::from(s.top_p) {
            break;
        }
        mass += p[i];
        kept.push(i);
    }
    let best = p[kept[0]];
    kept.into_iter().filter(|i| p[*i] >= best * f64::from(s.min_p)).map(|i| i as u32).collect()
}

fn on_both(logits: &[f32], mut check: impl FnMut(&mut Sampler, Kind)) {
    for kind in [Kind::Cpu, Kind::Gpu] {
        if let Some(mut sampler) = Sampler::new(kind, logits) {
            check(&mut sampler, kind);
        }
    }
}

#[test]
fn filters_keep_exactly_the_reference_set() {
    let cases = [
        PLAIN,
        Sampling { top_k: 1, ..PLAIN },
        Sampling { top_k: 3, ..PLAIN },
        Sampling { top_k: 100, ..PLAIN },
        Sampling { top_p: 0.29, ..PLAIN },
        Sampling { top_p: 0.5, ..PLAIN },
        Sampling { top_p: 0.76, ..PLAIN },
        Sampling { top_p: 0.9999, ..PLAIN },
        Sampling { min_p: 0.3, ..PLAIN },
        Sampling { min_p: 1.0, ..PLAIN },
        Sampling { top_k: 4, top_p: 0.7, ..PLAIN },
        Sampling { top_k: 5, top_p: 0.95, min_p: 0.3, ..PLAIN },
        Sampling { temperature: 2.0, top_p: 0.5, ..PLAIN },
        Sampling { temperature: 0.5, top_p: 0.8, ..PLAIN },
    ];
    on_both(&known(), |sampler, kind| {
        for case in cases {
            // The rarest token has 1 %: 1,500 draws miss it once in three million times.
            let expected = reference_support(&known(), &case);
            assert_eq!(sampler.support(case, 1500), expected, "{kind:?} {case:?}");
        }
    });
}

#[test]
fn filters_keep_the_reference_set_of_a_large_vocabulary() {
    let mut rng = common::rng();
    let logits: Vec<f32> = (0..5_003).map(|_| rng.f32() * 12.0 - 9.0).collect();
    on_both(&logits, |sampler, kind| {
        for case in [
            Sampling { top_k: 40, ..PLAIN },
            Sampling { top_p: 0.05, ..PLAIN },
            Sampling { top_k: 1000, top_p: 0.3, ..PLAIN },
            Sampling { min_p: 0.9, ..PLAIN },
        ] {
            let expected = reference_support(&logits, &case);
            let drawn = sampler.support(case, 1000);
            let strangers: Vec<_> = drawn.difference(&expected).collect();
            assert!(strangers.is_empty(), "{kind:?} {case:?} drew {strangers:?}");
            assert!(
                drawn.len() > expected.len().min(500) / 3,
                "{kind:?} {case:?} drew {} tokens",
                drawn.len()
            );
        }
    });
}

#[test]
fn a_top_p_of_almost_one_keeps_almost_all_of_a_flat_distribution() {
    // 20,000 tokens whose probabilities lie close together: rounding must not cut the tail off.
    let mut rng = common::rng();
    let logits: Vec<f32> = (0..20_000).map(|_| rng.f32() * 0.01).collect();
    on_both(&logits, |sampler, kind| {
        let drawn = sampler.support(Sampling { top_p: 0.999_999_9, ..PLAIN }, 1000);
        // 1,000 draws out of so many hardly ever meet twice; of the best half alone they would do so often.
        let low = drawn.iter().filter(|id| logits[**id as usize] < 0.005).count();
        assert!(drawn.len() > 950 && (350..650).contains(&low), "{kind:?}: {} drawn, {low} low", drawn.len());
    });
}

/// The chi-square statistic of so many draws, and its degrees of freedom.
fn chi_square(sampler: &mut Sampler, sampling: Sampling, expected: &[f64], draws: u32) -> (f64, f64) {
    let mut counts = vec![0f64; expected.len()];
    (0..draws).for_each(|i| counts[sampler.draw(sampling, i).unwrap() as usize] += 1.0);
    let term = |(count, p): (&f64, &f64)| (count - p * f64::from(draws)).powi(2) / (p * f64::from(draws));
    let possible = expected.iter().filter(|p| **p > 0.0).count();
    let impossible: f64 = counts.iter().zip(expected).filter(|(_, p)| **p == 0.0).map(|(c, _)| c).sum();
    assert_eq!(impossible, 0.0);
    let statistic = counts.iter().zip(expected).filter(|(_, p)| **p > 0.0).map(term).sum();
    (statistic, (possible - 1) as f64)
}

#[test]
fn draws_follow_the_probabilities() {
    const DRAWS: u32 = 20_000;
    on_both(&known(), |sampler, kind| {
        for temperature in [1.0, 0.7, 1.5] {
            let expected = probabilities(&known(), f64::from(temperature));
            let (x2, df) = chi_square(sampler, Sampling { temperature, ..PLAIN }, &expected, DRAWS);
            // The seed is fixed, so this is no gamble: mean df, deviation sqrt(2 df), and four deviations of room.
            assert!(
                x2 < df + 4.0 * (2.0 * df).sqrt(),
                "{kind:?} at temperature {temperature}: chi² {x2}, df {df}"
            );
        }
        // Filtered: renormalized over what is kept.
        let case = Sampling { top_k: 3, ..PLAIN };
        let kept = reference_support(&known(), &case);
        let total: f64 = kept.iter().map(|i| PROBABILITIES[*i as usize]).sum();
        let expected: Vec<f64> =
            (0..8).map(|i| if kept.contains(&i) { PROBABILITIES[i as usize] / total } else { 0.0 }).collect();
        let (x2, df) = chi_square(sampler, case, &expected, DRAWS);
        assert!(x2 < df + 4.0 * (2.0 * df).sqrt(), "{kind:?} top-k: chi² {x2}, df {df}");
    });
}

#[test]
fn the_same_seed_draws_the_same_and_another_differs() {
    on_both(&known(), |sampler, kind| {
        let draws = |sampler: &mut Sampler, seed_low, seed_high| -> Vec<u32> {
            (0..64).map(|i| sampler.draw(Sampling { seed_low, seed_high, ..PLAIN }, i).unwrap()).collect()
        };
        let first = draws(sampler, 1, 0);
        assert_eq!(first, draws(sampler, 1, 0), "{kind:?}");
        assert_ne!(first, draws(sampler, 2, 0), "{kind:?}");
        assert_ne!(first, draws(sampler, 1, 1), "{kind:?}: the high half counts");
    });
}

#[test]
fn greedy_takes_the_first_of_the_best() {
    on_both(&[1.0, 5.0, -2.0, 5.0], |sampler, kind| {
        assert_eq!(sampler.draw(Sampling::GREEDY, 0), Ok(1), "{kind:?}");
    });
}

#[test]
fn penalties_change_scores_as_defined() {
    // Greedy shows which score is best after the penalties.
    let logits = [2.0, 1.9, -1.0, 0.5];
    let counted = |sampler: &mut Sampler, counts: [u32; 4], sampling| {
        sampler.backend.write_u32("counts", 0, &counts).unwrap();
        sampler.draw(sampling, 0).unwrap()
    };
    on_both(&logits, |sampler, kind| {
        let g = Sampling::GREEDY;
        let repetition = Sampling { repetition_penalty: 1.1, ..g };
        assert_eq!(counted(sampler, [Run::IN_PROMPT, 0, 0, 0], repetition), 1, "{kind:?}: 2 / 1.1 < 1.9");
        let presence = Sampling { presence_penalty: 0.2, ..g };
        assert_eq!(
            counted(sampler, [Run::IN_PROMPT, 0, 0, 0], presence),
            0,
            "{kind:?}: prompts do not count"
        );
        assert_eq!(counted(sampler, [5, 0, 0, 0], presence), 1, "{kind:?}: 2 - 0.2 < 1.9, once");
        let frequency = Sampling { frequency_penalty: 0.04, ..g };
        assert_eq!(counted(sampler, [2, 0, 0, 0], frequency), 0, "{kind:?}: 2 - 2 * 0.04 > 1.9");
        assert_eq!(counted(sampler, [3, 0, 0, 0], frequency), 1, "{kind:?}: 2 - 3 * 0.04 < 1.9");
    });
    // A negative score is multiplied, so that it falls too.
    on_both(&[-1.0, -1.05, -9.0, -9.0], |sampler, kind| {
        let repetition = Sampling { repetition_penalty: 1.1, ..Sampling::GREEDY };
        assert_eq!(counted(sampler, [1, 0, 0, 0], repetition), 1, "{kind:?}: -1 * 1.1 < -1.05");
    });
}

#[test]
fn what_is_sampled_is_counted() {
    on_both(&known(), |sampler, kind| {
        // The presence penalty exceeds all differences, so greedy decoding goes through the tokens by rank.
        let sampling = Sampling { presence_penalty: 50.0, ..Sampling::GREEDY };
        let ids: Vec<u32> = (0..8).map(|i| sampler.draw(sampling, i).unwrap()).collect();
        assert_eq!(ids, [2, 4, 6, 0, 7, 3, 5, 1], "{kind:?}");
    });
}

#[test]
fn scores_that_are_not_finite_are_an_error() {
    on_both(&[0.0; 300], |sampler, kind| {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut logits = [0.0; 300];
            logits[257] = bad;
            sampler.backend.write_value(sampler.prepared, sampler.logits, &logits).unwrap();
            for sampling in [Sampling::GREEDY, PLAIN] {
                let error = sampler.draw(sampling, 0);
                assert!(matches!(error, Err(Error::NotFinite { .. })), "{kind:?} {bad}: {error:?}");
            }
        }
    });
}
