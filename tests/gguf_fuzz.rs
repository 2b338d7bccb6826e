//! Random damage to a GGUF file never panics the reader and never makes it take memory out of proportion.

#[path = "gguf/inputs.rs"]
#[allow(dead_code)]
mod inputs;

mod damage;

use damage::{Random, damage, memory_to};

/// The most memory that is held to open `bytes`. Right or wrong, it comes back.
fn memory_to_open(bytes: Vec<u8>) -> usize {
    memory_to(|| drop(inputs::open(bytes)))
}

#[test]
fn damaged_files_never_panic_and_take_memory_in_proportion() {
    let mut values = inputs::every_value();
    // The last is long, and damage to its elements finds nothing.
    values.pop();
    let with_every_value = inputs::file(|writer| {
        for (key, kind, value) in &values {
            writer.put_as(key, *kind, value).unwrap();
        }
        writer.tensor("w", intab::quant::DType::F32, &[2, 3]).is_ok()
    });
    let files = [inputs::small(), with_every_value, inputs::split(2).swap_remove(0).1];
    let mut random = Random(0x5eed);
    for round in 0..20_000 {
        let mut bytes = files[round % files.len()].clone();
        for _ in 0..=random.below(3) {
            damage(&mut bytes, &mut random);
        }
        let size = bytes.len();
        let most = memory_to_open(bytes);
        assert!(most <= 16 * size + 4096, "round {round}: {most} bytes for a file of {size}");
    }
}

#[test]
fn the_densest_metadata_takes_memory_in_proportion() {
    // One-letter bytes in arrays of one element: the most value for the fewest bytes of the file.
    let bytes = inputs::file(|writer| {
        let arrays = (0..20_000).map(|i| intab::format::metadata::Value::Ints(vec![i % 100])).collect();
        writer.put("a", &intab::format::metadata::Value::Arrays(arrays)).is_ok()
    });
    let size = bytes.len();
    let most = memory_to_open(bytes);
    assert!(most <= 16 * size, "{most} bytes for a file of {size}");
}
