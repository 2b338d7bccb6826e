//! Base64 (RFC 4648), in which `precompiled_charsmap` is written.

/// The bytes; `None` for what is no base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if text.len() % 4 != 0 || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.as_bytes().chunks(4) {
        let bits = group.iter().try_fold(0u32, |bits, digit| Some(bits << 6 | value(*digit)?))?;
        let all = (bits << (6 * (4 - group.len()))).to_be_bytes();
        bytes.extend_from_slice(&all[1..group.len()]);
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn the_examples_of_the_standard() {
        let examples = [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmFy", "foobar"),
        ];
        for (text, bytes) in examples {
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(decode("+/8="), Some(vec![0xFB, 0xFF]));
    }

    #[test]
    fn what_is_no_base64_is_none() {
        for text in ["Zg", "Z===", "Zm9v\n", "Zm9*", "====", "=m9v"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
