//! A checksum that costs little beside reading the bytes.

use crate::lanes::U64x2;

/// Vectors of a block, whose lanes are summed side by side.
const VECTORS: usize = 4;
const BLOCK: usize = 16 * VECTORS;

/// A checksum of `bytes`: finds damage, resists no attacker.
///
/// Fletcher's sums (J. G. Fletcher, *An Arithmetic Checksum for Serial Transmissions*, 1982) over little-endian words of
/// 64 bits, modulo 2^64, in eight lanes: for each lane the sum of its words, and the sum of that sum after every word, which
/// tells where a word stood. What is left of a last block counts as if zeros followed; the length is mixed in at the end.
pub fn checksum(bytes: &[u8]) -> u64 {
    let mut sums = [U64x2::zero(); VECTORS];
    let mut places = sums;
    let mut add = |block: &[u8; BLOCK]| {
        let (vectors, _) = block.as_chunks();
        for ((vector, sum), place) in vectors.iter().zip(&mut sums).zip(&mut places) {
            *sum = *sum + U64x2::load(vector);
            *place = *place + *sum;
        }
    };
    let (blocks, rest) = bytes.as_chunks();
    for block in blocks {
        add(block);
    }
    if !rest.is_empty() {
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        add(&block);
    }
    let lanes = sums.into_iter().chain(places).flat_map(U64x2::to_array);
    lanes.fold(bytes.len() as u64, |hash, lane| mixed(hash.rotate_left(29) ^ lane))
}

/// The finalizer of MurmurHash3 (A. Appleby, public domain): each bit of the input changes half of the output's.
fn mixed(mut x: u64) -> u64 {
    x = (x ^ x >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x = (x ^ x >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ x >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(n: usize) -> Vec<u8> {
        (0..n as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
    }

    #[test]
    fn every_flipped_bit_of_a_block_is_found() {
        for n in [1, 63, 64, 65, 1000] {
            let mut bytes = bytes(n);
            let whole = checksum(&bytes);
            for bit in 0..8 * n {
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_ne!(checksum(&bytes), whole, "bit {bit} of {n} bytes");
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn blocks_that_changed_places_and_zeros_that_came_or_went_are_found() {
        let bytes = bytes(4096);
        for at in (0..4096 - 2 * BLOCK).step_by(BLOCK) {
            let mut swapped = bytes.clone();
            swapped[at..at + 2 * BLOCK].rotate_left(BLOCK);
            assert_ne!(checksum(&swapped), checksum(&bytes));
            let mut zeroed = bytes.clone();
            zeroed[at..at + BLOCK].fill(0);
            assert_ne!(checksum(&zeroed), checksum(&bytes));
        }
        let lengths: std::collections::BTreeSet<u64> = (0..200).map(|n| checksum(&vec![0; n])).collect();
        assert_eq!(lengths.len(), 200);
    }

    #[test]
    fn it_stays_as_it_is_kept_in_storage() {
        assert_eq!(checksum(b""), 0x0000_0000_0000_0000);
        assert_eq!(checksum(b"intab"), 0x1a40_1bc7_940b_b413);
    }
}
