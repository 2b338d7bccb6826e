//! What a GPU chooses by measuring: all choices compute the same, and a choice that was kept is taken.

use intab::{
    backend::{
        Backend, Precision,
        gpu::{Choice, Options, Origin},
    },
    plan::{Builder, Run},
    quant::DType,
};
use pollster::block_on;

use crate::{
    bench::{Case, F32, Weight},
    common,
};

fn all_choices() -> Vec<Choice> {
    let mut all = Vec::new();
    for subgroups in [false, true] {
        for wide in [false, true] {
            for (tile, dots) in [(32, Some(64)), (64, Some(32)), (64, None)] {
                all.push(Choice { subgroups, wide, tile, dots });
            }
        }
    }
    all
}

#[test]
fn every_choice_computes_the_same() {
    let mut rng = common::rng();
    for choice in all_choices() {
        let options = Options { choice, ..Options::default() };
        // Many outputs and a row that fits whole subgroups; and tiles that are full and that are not.
        for (n_in, n_out, rows) in [(2048, 2099, 1), (576, 1037, 1), (128, 131, 67)] {
            for (precision, limit) in [(Precision::Exact, F32), (Precision::Fast, 5e-4)] {
                let mut b = Builder::new("linear", rows);
                let x = b.activation("x", rows, n_in);
                let w = b.matrix("w", DType::Q8_0, n_out, n_in);
                let y = b.linear(x, w, None, "y");
                let mut case = Case::new(b.finish(), Run::new(0, rows));
                case.weights = vec![Weight::matrix("w", DType::Q8_0, n_out, n_in, &mut rng)];
                case.floats = vec![(x, common::floats(&mut rng, rows * n_in))];
                case.precision = precision;
                let what = format!("{choice:?}, {precision:?}: [{n_out}, {n_in}] on {rows} rows");
                case.compare_on(options, &what, y, limit);
            }
        }
    }
}

#[test]
fn a_kept_choice_is_taken_without_measuring_and_another_device_s_is_not() {
    let Some(mut gpu) = common::gpu(Options::default()) else { return };
    let first = block_on(gpu.tune(None)).unwrap();
    assert_ne!(first, Origin::Kept);
    assert_eq!(gpu.counters().bytes, common::gpu(Options::default()).unwrap().counters().bytes);
    let text = gpu.tuning().unwrap();
    // No measuring would give this one back, were it made anew.
    let flip = |text: &str, key: &str| match text.contains(&format!("\"{key}\":true")) {
        true => text.replace(&format!("\"{key}\":true"), &format!("\"{key}\":false")),
        false => text.replace(&format!("\"{key}\":false"), &format!("\"{key}\":true")),
    };
    let other = flip(&flip(&text, "wide"), "subgroups");
    assert_ne!(other, text);
    let mut again = common::gpu(Options::default()).unwrap();
    assert_eq!(block_on(again.tune(Some(&other))).unwrap(), Origin::Kept);
    assert_eq!(again.tuning().unwrap(), other);
    // The process knows that one now.
    assert_eq!(block_on(gpu.tune(None)).unwrap(), Origin::Remembered);
    assert_eq!(gpu.tuning().unwrap(), other);
    for bad in [
        text.replace("device\":\"", "device\":\"another "),
        text.replace("\"tile\":64", "\"tile\":48").replace("\"tile\":32", "\"tile\":48"),
        "{".into(),
    ] {
        assert_ne!(block_on(gpu.tune(Some(&bad))).unwrap(), Origin::Kept, "{bad}");
    }
}
