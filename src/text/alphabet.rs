//! The alphabet in which byte-level vocabularies write bytes (Radford et al. 2019): printable characters of Latin-1
//! stand for their own byte, the other 68 bytes are U+0100 and the characters after it, in order.

/// The character of each byte.
pub(super) const CHARS: [char; 256] = {
    let mut chars = ['\0'; 256];
    let (mut byte, mut next) = (0, 0x100);
    while byte < 256 {
        let code = if is_printable(byte as u8) { byte as u32 } else { next };
        if code == next {
            next += 1;
        }
        chars[byte] = match char::from_u32(code) {
            Some(c) => c,
            None => panic!("codes end at U+0143"),
        };
        byte += 1;
    }
    chars
};

/// One more than the last code point of the alphabet.
pub(super) const END: u32 = 0x144;

const fn is_printable(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)
}

/// The byte that a character stands for.
pub(super) fn byte_of(c: char) -> Option<u8> {
    let code = c as u32;
    match u8::try_from(code) {
        Ok(byte) => is_printable(byte).then_some(byte),
        // The others are in order, so the n-th of them is at U+0100 + n.
        Err(_) if code < END => (0..=255).filter(|byte| !is_printable(*byte)).nth((code - 0x100) as usize),
        Err(_) => None,
    }
}

/// The bytes that a token's spelling stands for; `None` if a character of it is not in the alphabet.
pub(super) fn bytes_of(text: &str) -> Option<Vec<u8>> {
    text.chars().map(byte_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_one_character_and_comes_back() {
        for byte in 0..=255u8 {
            assert_eq!(byte_of(CHARS[byte as usize]), Some(byte));
        }
        assert_eq!((CHARS[b' ' as usize], CHARS[b'\n' as usize], CHARS[0xAD]), ('Ġ', 'Ċ', 'Ń'));
        assert_eq!(CHARS.iter().map(|c| *c as u32 + 1).max(), Some(END));
    }

    #[test]
    fn other_characters_have_none() {
        assert_eq!(bytes_of("a b"), None);
        assert_eq!(bytes_of("▁"), None);
        assert_eq!(bytes_of("Ġé"), Some(vec![b' ', 0xE9]));
    }
}
