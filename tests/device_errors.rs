//! What a GPU refuses, or has no room for: the error names it, nothing hangs, and all memory comes back.

mod common;

use intab::{
    Error,
    backend::{Kind, WeightSpec, gpu},
    plan::{Builder, Function, Plan, Run, Sampling, Stage, Value},
    quant::DType,
};
use pollster::block_on;

const RUN: Run = Run { pos: 0, n_rows: 1, draw: 0, n_keys: 0, rope_start: 0, sampling: Sampling::GREEDY };

/// A plan that doubles the numbers of a state, besides one of `n` words.
fn plan(n: usize) -> (Plan, Value) {
    let mut b = Builder::new("plan", 1);
    let x = b.state("x", 1, 8);
    b.state_u32("ids", 1, n);
    b.map(x, Function::Scale(2.0));
    (b.finish(), x)
}

#[test]
fn a_command_that_the_device_refuses_is_named_and_every_later_call_tells_the_same() {
    let before = gpu::live_buffers();
    let Some(mut backend) = common::backend(Kind::Gpu) else { return };
    let (plan, x) = plan(4);
    let prepared = block_on(backend.prepare(&plan)).unwrap();
    // More than the state holds.
    let told = match backend.write_u32("ids", 2, &[1; 8]) {
        Ok(()) => block_on(backend.settle()).unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(&told, Error::Device { what, .. } if what.contains("write_buffer")), "{told}");

    let errors = [
        backend.run(prepared, &RUN, Stage::Logits).unwrap_err(),
        backend.run_for_token(prepared, &RUN, "ids").err().unwrap(),
        backend.write_u32("ids", 0, &[1]).unwrap_err(),
        backend.write_value(prepared, x, &[1.0]).unwrap_err(),
        block_on(backend.read_value(prepared, x, 0, 1)).unwrap_err(),
        block_on(backend.settle()).unwrap_err(),
        block_on(backend.prepare(&plan)).unwrap_err(),
    ];
    assert!(errors.iter().all(|error| *error == told), "{errors:?}");
    drop(backend);
    assert_eq!(gpu::live_buffers(), before);
}

/// Set for the process that has little address space.
const LIMITED: &str = "INTAB_TEST_LIMITED";

#[test]
fn a_weight_that_the_device_has_no_room_for_is_out_of_memory_by_name_and_size_and_leaves_nothing() {
    let before = gpu::live_buffers();
    let Some(mut backend) = common::backend(Kind::Gpu) else { return };
    let is_software = backend.info().device.contains("llvmpipe");
    if is_software && std::env::var_os(LIMITED).is_none() {
        // Its memory is the process's own, of which the system promises more than there is: so less is allowed.
        return in_little_memory("a_weight_that_the_device");
    }
    let (rows, cols) = (1 << 24, 1 << 16); // 4 TiB
    let spec = WeightSpec { name: "huge.weight", dtype: DType::F32, rows, cols, vector: false };
    let error = backend.write_weight(&spec, 0, &vec![0; 4 << 16]).unwrap_err();
    let is_named = |what: &str, bytes: u64| what == "the buffer `huge.weight`" && bytes >= 4 << 16;
    assert!(
        matches!(&error, Error::OutOfMemory { device: "GPU", what, bytes } if is_named(what, *bytes)),
        "{error:?}"
    );
    assert_eq!(block_on(backend.settle()).unwrap_err(), error);
    drop(backend);
    assert_eq!(gpu::live_buffers(), before);
}

/// Runs a test of this file again in a process that may have 6 GB of addresses.
fn in_little_memory(test: &str) {
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -v 6000000 && exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
    let output = shell.args(["--nocapture", test]).env(LIMITED, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
