//! Any bytes as the weights of a Hugging Face folder: an error, or tensors that lie within the file and have as many
//! bytes as their sizes say.
#![no_main]

use std::rc::Rc;

use intab::format::{MemorySource, Source, open_files};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = |name: &str, bytes: &[u8]| {
        (name.to_string(), Rc::new(MemorySource::new(name, bytes.to_vec())) as Rc<dyn Source>)
    };
    let files = vec![file("config.json", b"{}"), file("model.safetensors", bytes)];
    let Ok(checkpoint) = pollster::block_on(open_files(files)) else { return };
    for (name, tensor) in &checkpoint.tensors {
        let n_bytes = usize::try_from(tensor.n_bytes).expect("it lies in memory");
        let row = tensor.dtype.info().row_bytes(tensor.shape.last().copied().unwrap_or(1));
        let rows: usize = tensor.shape.iter().rev().skip(1).product();
        assert_eq!(rows * row, n_bytes, "{name}");
        let read = pollster::block_on(checkpoint.read(tensor, 0, n_bytes));
        assert_eq!(read.map(|bytes| bytes.len()), Ok(n_bytes), "{name}");
    }
});
