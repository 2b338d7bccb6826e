//! What becomes of the delimiters that a text is split at.

use crate::text::regex::Part;

/// What becomes of a match, by its name in a `tokenizer.json`. For `the-final--countdown` split at `-`:
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::text) enum Behavior {
    /// `the`, `final`, `countdown`.
    Removed,
    /// `the`, `-`, `final`, `-`, `-`, `countdown`.
    Isolated,
    /// `the-`, `final-`, `-`, `countdown`.
    MergedWithPrevious,
    /// `the`, `-final`, `-`, `-countdown`.
    MergedWithNext,
    /// `the`, `-`, `final`, `--`, `countdown`.
    Contiguous,
}

impl Behavior {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Removed" => Behavior::Removed,
            "Isolated" => Behavior::Isolated,
            "MergedWithPrevious" => Behavior::MergedWithPrevious,
            "MergedWithNext" => Behavior::MergedWithNext,
            "Contiguous" => Behavior::Contiguous,
            _ => return None,
        })
    }

    /// The ranges that are left of the parts of a text; none is empty.
    pub fn ranges(self, parts: impl DoubleEndedIterator<Item = Part>) -> Vec<(usize, usize)> {
        let range = |part: Part| (part.start, part.end);
        let mut ranges: Vec<(usize, usize)> = match self {
            Behavior::Removed => parts.filter(|part| !part.is_match).map(range).collect(),
            Behavior::Isolated => parts.map(range).collect(),
            Behavior::Contiguous => joined(parts, |is_match, before| is_match == before),
            Behavior::MergedWithPrevious => joined(parts, |is_match, before| is_match && !before),
            Behavior::MergedWithNext => {
                let mut ranges = joined(parts.rev(), |is_match, before| is_match && !before);
                ranges.reverse();
                ranges
            }
        };
        ranges.retain(|(start, end)| start < end);
        ranges
    }
}

/// Parts in a row as one wherever `joins` says so of a part and the one before it.
fn joined(parts: impl Iterator<Item = Part>, joins: impl Fn(bool, bool) -> bool) -> Vec<(usize, usize)> {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let mut before = false;
    for Part { start, end, is_match } in parts {
        match ranges.last_mut() {
            Some(last) if joins(is_match, before) => *last = (last.0.min(start), last.1.max(end)),
            _ => ranges.push((start, end)),
        }
        before = is_match;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::pattern::Pattern;

    #[track_caller]
    fn splits(name: &str, expected: &[&str]) {
        let text = "the-final--countdown";
        let parts = Pattern::Text("-".into()).parts(text).unwrap();
        let ranges = Behavior::named(name).unwrap().ranges(parts.into_iter());
        assert_eq!(ranges.iter().map(|(start, end)| &text[*start..*end]).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn delimiters_go_where_their_behavior_says() {
        splits("Removed", &["the", "final", "countdown"]);
        splits("Isolated", &["the", "-", "final", "-", "-", "countdown"]);
        splits("MergedWithPrevious", &["the-", "final-", "-", "countdown"]);
        splits("MergedWithNext", &["the", "-final", "-", "-countdown"]);
        splits("Contiguous", &["the", "-", "final", "--", "countdown"]);
        assert_eq!(Behavior::named("Dropped"), None);
    }
}
