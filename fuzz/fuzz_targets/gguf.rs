//! Any bytes as a GGUF file: an error, or tensors that lie within it and can be read.
#![no_main]

use std::rc::Rc;

use intab::format::{MemorySource, open};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = Rc::new(MemorySource::new("fuzz.gguf", bytes.to_vec()));
    let Ok(checkpoint) = pollster::block_on(open(vec![file])) else { return };
    for (name, tensor) in &checkpoint.tensors {
        let n_bytes = usize::try_from(tensor.n_bytes).expect("it lies in memory");
        let read = pollster::block_on(checkpoint.read(tensor, 0, n_bytes));
        assert_eq!(read.map(|bytes| bytes.len()), Ok(n_bytes), "{name}");
    }
});
