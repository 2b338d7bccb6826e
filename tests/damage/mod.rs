//! Random damage to files, and the memory that a reader takes for them. A test with this module has an allocator that
//! counts.

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
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Does one of the kinds of damage that find faults in readers of counts and lengths.
pub fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
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

/// The most bytes that this thread held while `read` ran, beyond those it held before.
pub fn memory_to(read: impl FnOnce()) -> usize {
    let before = HELD.get();
    MOST.set(before);
    read();
    MOST.get() - before
}
