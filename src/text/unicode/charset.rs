//! Sets of characters.

/// A set of characters: a bitmap for ASCII, ranges for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::text) struct CharSet {
    /// Both ends in the set; sorted, apart from each other by at least one character.
    ranges: Vec<(u32, u32)>,
    ascii: u128,
}

const LAST: u32 = char::MAX as u32;

impl CharSet {
    /// From ranges in any order; surrogates may be in them, for no text holds one.
    pub fn new(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(end) if first <= end.1.saturating_add(1) => end.1 = end.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        let mut ascii = 0;
        for &(first, last) in merged.iter().take_while(|range| range.0 < 128) {
            (first..=last.min(127)).for_each(|c| ascii |= 1 << c);
        }
        CharSet { ranges: merged, ascii }
    }

    pub fn one(c: char) -> Self {
        CharSet::new(vec![(c as u32, c as u32)])
    }

    pub fn contains(&self, c: char) -> bool {
        let c = c as u32;
        if c < 128 {
            return self.ascii >> c & 1 == 1;
        }
        let after = self.ranges.partition_point(|range| range.0 <= c);
        after > 0 && c <= self.ranges[after - 1].1
    }

    pub fn union(&self, other: &CharSet) -> Self {
        CharSet::new([&self.ranges[..], &other.ranges].concat())
    }

    pub fn complement(&self) -> Self {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = 0;
        for &(first, last) in &self.ranges {
            if next < first {
                ranges.push((next, first - 1));
            }
            next = last + 1;
        }
        if next <= LAST {
            ranges.push((next, LAST));
        }
        CharSet::new(ranges)
    }

    pub fn intersection(&self, other: &CharSet) -> Self {
        self.complement().union(&other.complement()).complement()
    }

    /// With the other case of every letter. `ſ` is an s and the Kelvin sign a k; what is several letters in the
    /// other case (ß) stays as it is.
    pub fn any_case(&self) -> Self {
        let mut ranges = self.ranges.clone();
        let single =
            |mut other: Box<dyn Iterator<Item = char>>| other.next().filter(|_| other.next().is_none());
        // Scripts with case end here, but for a few in the second plane; beyond are ideographs by the ten thousand.
        let letters = self.ranges.iter().flat_map(|&(first, last)| first..=last.min(0x1_FFFF));
        for c in letters.filter_map(char::from_u32).filter(|c| c.is_alphabetic()) {
            let (lower, upper) = (single(Box::new(c.to_lowercase())), single(Box::new(c.to_uppercase())));
            for other in [lower, upper, upper.and_then(|c| single(Box::new(c.to_lowercase())))] {
                ranges.extend(other.map(|c| (c as u32, c as u32)));
            }
            match c.to_ascii_lowercase() {
                's' => ranges.push(('ſ' as u32, 'ſ' as u32)),
                'k' => ranges.push(('\u{212A}' as u32, '\u{212A}' as u32)),
                _ => {}
            }
        }
        CharSet::new(ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::CharSet;

    fn set(ranges: &[(char, char)]) -> CharSet {
        CharSet::new(ranges.iter().map(|(first, last)| (*first as u32, *last as u32)).collect())
    }

    #[test]
    fn ranges_merge_where_they_touch() {
        assert_eq!(set(&[('c', 'f'), ('a', 'b'), ('e', 'h')]), set(&[('a', 'h')]));
        assert!(set(&[('a', 'c'), ('à', 'ü')]).contains('é'));
        assert!(!set(&[('a', 'c'), ('à', 'ü')]).contains('d'));
    }

    #[test]
    fn twice_the_complement_is_the_set() {
        let set = set(&[('\0', ' '), ('é', 'é'), ('一', char::MAX)]);
        assert_eq!(set.complement().complement(), set);
        assert!(set.complement().contains('a') && !set.complement().contains('一'));
    }

    #[test]
    fn an_intersection_holds_what_both_hold() {
        assert_eq!(
            set(&[('a', 'm'), ('α', 'ω')]).intersection(&set(&[('k', 'β')])),
            set(&[('k', 'm'), ('α', 'β')])
        );
    }

    #[test]
    fn either_case_of_a_letter_is_in() {
        let set = set(&[('S', 'S'), ('é', 'é'), ('k', 'k'), ('ß', 'ß')]).any_case();
        assert!("sSſéÉkK\u{212A}ß".chars().all(|c| set.contains(c)));
        assert!(!set.contains('t'));
    }
}
