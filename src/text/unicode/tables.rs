//! Reads the tables that `tools/unicode_tables.py` writes.

/// Numbers written as LEB128.
pub(super) struct Numbers<'a>(pub &'a [u8]);

impl Numbers<'_> {
    /// A single byte.
    pub fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }
}

impl Iterator for Numbers<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
            shift += 7;
        }
    }
}

/// The runs of a table, first and last code point and class.
pub(super) fn runs(table: &[u8]) -> impl Iterator<Item = (u32, u32, u8)> {
    let (mut numbers, mut start) = (Numbers(table), 0);
    std::iter::from_fn(move || {
        let class = numbers.byte()?;
        let first = start;
        start += numbers.next()?;
        Some((first, start - 1, class))
    })
}

/// The code points of the classes that `is_in` accepts.
pub(super) fn ranges(table: &[u8], is_in: impl Fn(u8) -> bool) -> Vec<(u32, u32)> {
    runs(table).filter(|(.., class)| is_in(*class)).map(|(first, last, _)| (first, last)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_follow_each_other() {
        let table = [1, 5, 0, 0x80, 0x01, 1, 2];
        assert_eq!(runs(&table).collect::<Vec<_>>(), [(0, 4, 1), (5, 132, 0), (133, 134, 1)]);
        assert_eq!(ranges(&table, |class| class == 1), [(0, 4), (133, 134)]);
    }
}
