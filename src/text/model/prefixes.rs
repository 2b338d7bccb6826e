//! Finds all tokens that a text begins with, in one walk over it. A trie of a vocabulary of 250,000 tokens takes tens
//! of megabytes; this is their order alone, in which every common beginning is one range.

/// Keys in the order of their texts, which stay where they are.
#[derive(Debug, Clone)]
pub(in crate::text) struct Prefixes {
    sorted: Vec<u32>,
    /// Where the texts with each first byte begin in `sorted`, and the end.
    first: Vec<u32>,
}

impl Prefixes {
    /// `text` gives the text of a key. No two keys have the same text, and none an empty one.
    pub fn new<'a>(mut keys: Vec<u32>, text: &dyn Fn(u32) -> &'a str) -> Self {
        keys.retain(|key| !text(*key).is_empty());
        keys.sort_unstable_by(|a, b| text(*a).cmp(text(*b)));
        let begins =
            |byte: usize| keys.partition_point(|key| usize::from(text(*key).as_bytes()[0]) < byte) as u32;
        let first = (0..=256).map(begins).collect();
        Prefixes { sorted: keys, first }
    }

    /// Calls `found` with every key whose text `lead` and `rest`, one after the other, begin with, and with the bytes
    /// of `rest` that the text takes, the shortest first. Texts that end within `lead` are left out.
    pub fn each<'a>(
        &self,
        text: impl Fn(u32) -> &'a str,
        lead: &[u8],
        rest: &[u8],
        mut found: impl FnMut(u32, usize),
    ) {
        let bytes = |at: usize| if at < lead.len() { lead.get(at) } else { rest.get(at - lead.len()) };
        let Some(&byte) = bytes(0) else { return };
        let mut range = self.first[byte as usize] as usize..self.first[byte as usize + 1] as usize;
        let mut depth = 1;
        while !range.is_empty() {
            // A text that ends here comes before those that go on.
            let shortest = self.sorted[range.start];
            if text(shortest).len() == depth {
                if depth > lead.len() {
                    found(shortest, depth - lead.len());
                }
                range.start += 1;
            }
            let Some(&byte) = bytes(depth) else { return };
            let keys = &self.sorted[range.clone()];
            let at = |key: &u32| text(*key).as_bytes()[depth];
            let from = keys.partition_point(|key| at(key) < byte);
            let len = keys[from..].partition_point(|key| at(key) == byte);
            range = range.start + from..range.start + from + len;
            depth += 1;
        }
    }

    /// Whether any text begins with this byte.
    pub fn begins(&self, byte: u8) -> bool {
        self.first[byte as usize] < self.first[byte as usize + 1]
    }
}

#[cfg(test)]
mod tests {
    use super::Prefixes;

    const TEXTS: &[&str] = &["", "b", "ab", "a", "abc", "é", "abd", "##ab", "##", "\u{10FFFF}"];

    fn find(lead: &str, rest: &str) -> Vec<(u32, usize)> {
        let prefixes = Prefixes::new((0..TEXTS.len() as u32).collect(), &|key| TEXTS[key as usize]);
        let mut all = Vec::new();
        prefixes.each(
            |key| TEXTS[key as usize],
            lead.as_bytes(),
            rest.as_bytes(),
            |key, len| all.push((key, len)),
        );
        all
    }

    #[test]
    fn every_beginning_is_found_the_shortest_first() {
        assert_eq!(find("", "abcd"), [(3, 1), (2, 2), (4, 3)]);
        assert_eq!(find("", "éa"), [(5, 2)]);
        assert_eq!(find("", "ba"), [(1, 1)]);
        assert_eq!(find("", "\u{10FFFF}"), [(9, 4)]);
        assert_eq!(find("", "xyz"), []);
        assert_eq!(find("", ""), []);
    }

    #[test]
    fn a_lead_is_part_of_the_text_but_not_of_the_length() {
        assert_eq!(find("##", "abc"), [(7, 2)]);
        assert_eq!(find("##", "x"), []);
    }
}
