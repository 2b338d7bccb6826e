//! Plans and weights that are given back, and weights that are written over, on both backends.

mod common;

use intab::{
    Error,
    backend::{Backend, Counters, Kind, Prepared, WeightSpec},
    plan::{Builder, Plan, Run, Stage, Value},
    quant::DType,
};
use pollster::block_on;

/// `y = x wᵀ` over a state `x` of three numbers, for a `w` of two rows.
fn plan(name: &str, w: &str) -> (Plan, [Value; 2]) {
    let mut b = Builder::new(name, 1);
    let x = b.state("x", 1, 3);
    let w = b.matrix(w, DType::F32, 2, 3);
    let y = b.state(&format!("{name} y"), 1, 2);
    b.linear_to(x, w, None, y, false);
    (b.finish(), [x, y])
}

fn write(backend: &mut dyn Backend, name: &str, numbers: [f32; 6]) {
    let spec = WeightSpec { name, dtype: DType::F32, rows: 2, cols: 3, vector: false };
    backend.write_weight(&spec, 0, bytemuck::cast_slice(&numbers)).unwrap();
}

fn run(backend: &mut dyn Backend, prepared: Prepared, [x, y]: [Value; 2]) -> Vec<f32> {
    backend.write_value(prepared, x, &[1.0, 10.0, 100.0]).unwrap();
    backend.run(prepared, &Run::new(0, 1), Stage::Body).unwrap();
    block_on(backend.read_value(prepared, y, 0, 2)).unwrap()
}

#[test]
fn what_is_forgotten_gives_its_memory_back_and_others_go_on() {
    for kind in [Kind::Cpu, Kind::Gpu] {
        let Some(mut backend) = common::backend(kind) else { continue };
        let backend = backend.as_mut();
        let (first, first_values) = plan("first", "a");
        write(backend, "a", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let kept = block_on(backend.prepare(&first)).unwrap();
        assert_eq!(run(backend, kept, first_values), [321.0, 654.0]);
        let before = backend.counters();

        let (second, second_values) = plan("second", "b");
        write(backend, "b", [1.0; 6]);
        let gone = block_on(backend.prepare(&second)).unwrap();
        assert_eq!(run(backend, gone, second_values), [111.0, 111.0]);
        assert!(backend.counters().bytes > before.bytes);
        backend.forget(&[gone], &["b".into(), "never written".into()]);
        assert_eq!(backend.counters(), before, "{kind:?}");

        let error = backend.run(gone, &Run::new(0, 1), Stage::Body).err();
        let read = block_on(backend.read_value(gone, second_values[1], 0, 2)).err();
        for error in [error, read] {
            assert!(matches!(error, Some(Error::Input { what: "plan", .. })), "{error:?}");
        }
        assert!(block_on(backend.prepare(&second)).is_err(), "its weight is gone");
        // The state that both name is still the first one's.
        assert_eq!(run(backend, kept, first_values), [321.0, 654.0]);
        backend.destroy();
        assert_eq!(backend.counters(), Counters::default());
    }
}

#[test]
fn a_weight_that_is_written_again_is_another_in_plans_that_were_prepared() {
    for kind in [Kind::Cpu, Kind::Gpu] {
        let Some(mut backend) = common::backend(kind) else { continue };
        let backend = backend.as_mut();
        let (plan, values) = plan("plan", "w");
        write(backend, "w", [1.0; 6]);
        let prepared = block_on(backend.prepare(&plan)).unwrap();
        assert_eq!(run(backend, prepared, values), [111.0, 111.0]);
        let before = backend.counters();
        write(backend, "w", [3.0, 2.0, 1.0, 0.0, 0.0, 1.0]);
        assert_eq!(run(backend, prepared, values), [123.0, 100.0]);
        assert_eq!(backend.counters(), before, "{kind:?}");
    }
}
