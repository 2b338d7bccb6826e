//! Random damage to a safetensors file never panics the reader and never makes it take memory out of proportion.

#[path = "safetensors/inputs.rs"]
#[allow(dead_code)]
mod inputs;

mod damage;

use damage::{Random, damage, memory_to};
use inputs::{entry, of, open, small, with_header};

/// The most memory that is held to open `bytes`. Right or wrong, it comes back.
fn memory_to_open(bytes: &[u8]) -> usize {
    memory_to(|| drop(open(bytes)))
}

#[test]
fn damaged_files_never_panic_and_take_memory_in_proportion() {
    let many: Vec<_> =
        (0..20u64).map(|i| entry(&format!("t{i}"), "F16", &[1, 1], [2 * i, 2 * i + 2])).collect();
    let files = [small(), of(&many, 40)];
    let mut random = Random(0x5eed);
    for round in 0..20_000 {
        let mut bytes = files[round % files.len()].clone();
        for _ in 0..=random.below(3) {
            damage(&mut bytes, &mut random);
        }
        let most = memory_to_open(&bytes);
        assert!(most <= 16 * bytes.len() + 8192, "round {round}: {most} bytes for a file of {}", bytes.len());
    }
}

#[test]
fn any_damage_to_a_tensor_s_numbers_is_found_or_harmless() {
    // Digits of the header exchanged for others: what still opens has tensors that lie within the file.
    let whole = small();
    let digits: Vec<usize> = (8..whole.len() - 66).filter(|&at| whole[at].is_ascii_digit()).collect();
    let mut random = Random(0x5eed);
    let mut opened = 0;
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(2) {
            bytes[digits[random.below(digits.len())]] = b'0' + random.below(10) as u8;
        }
        let Ok(checkpoint) = open(&bytes) else { continue };
        opened += 1;
        for (name, tensor) in &checkpoint.tensors {
            assert!(tensor.offset + tensor.n_bytes <= bytes.len() as u64, "{name}");
        }
    }
    assert!(opened > 100, "{opened} opened: the test exchanges what matters and what does not");
}

#[test]
fn the_densest_headers_take_memory_in_proportion() {
    let hostile = [
        // An array of sizes without end.
        format!(
            "{{\"w\":{{\"dtype\":\"F32\",\"shape\":[{}1],\"data_offsets\":[0,4]}}}}",
            "1,".repeat(100_000)
        ),
        // Depth.
        format!("{{\"w\":{}}}", "[".repeat(200_000)),
        // A value that is no tensor, and long.
        format!("{{\"w\":{{\"dtype\":\"{}\"}}}}", "x".repeat(200_000)),
        format!("{{\"w\":\"{}\"}}", "x".repeat(200_000)),
        // The shortest entries that are right.
        format!(
            "{{{}}}",
            (0..5000).map(|i| entry(&i.to_string(), "F32", &[0], [0, 0])).collect::<Vec<_>>().join(",")
        ),
    ];
    for header in hostile {
        let bytes = with_header(&header, 4);
        let most = memory_to_open(&bytes);
        assert!(most <= 16 * bytes.len(), "{most} bytes for a file of {}: {}", bytes.len(), &header[..60]);
    }
}
