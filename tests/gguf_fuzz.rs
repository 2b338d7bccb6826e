//! Random damage to a GGUF file never panics the reader and never makes it take memory out of proportion.

#[path = "gguf/inputs.rs"]
#[allow(dead_code)]
mod inputs;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// Counts what this thread holds, and the most it held.
struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came; the counters do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get() + layout.size());
        MOST.set(MOST.get().max(HELD.get()));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.set(HELD.get().saturating_sub(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// xorshift64*: <https://en.wikipedia.org/wiki/Xorshift>.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// One of the kinds of damage that find faults in readers of counts and lengths.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len());
    match random.below(6) {
        0 => bytes[at] = random.next() as u8,
        1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes.truncate(at.max(1)),
        3 => {
            let numbers =
                [0, 1, 255, 1 << 16, 1 << 31, 1 << 32, 1 << 62, 1 << 63, u64::MAX, bytes.len() as u64];
            let number = numbers[random.below(numbers.len())].to_le_bytes();
            let n = number.len().min(bytes.len() - at);
            bytes[at..at + n].copy_from_slice(&number[..n]);
        }
        4 => {
            let end = at + random.below(64.min(bytes.len() - at));
            bytes.drain(at..end);
            bytes.push(0);
        }
        _ => {
            let piece = bytes[at..(at + random.below(64)).min(bytes.len())].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, piece);
        }
    }
}

/// Opens `bytes` and answers the most memory that was held for it.
fn memory_to_open(bytes: Vec<u8>) -> usize {
    let before = HELD.get();
    MOST.set(before);
    // Right or wrong, it comes back.
    let _ = inputs::open(bytes);
    MOST.get() - before
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
