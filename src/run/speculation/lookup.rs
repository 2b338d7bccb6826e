//! Prompt lookup (Saxena, "Prompt Lookup Decoding", 2023): what followed the last few tokens when they came before is likely to
//! follow again, in summaries, corrections, code, answers about a given text.

/// So many tokens at the end must have come before.
const LEAST: usize = 2;
/// A place where so many match is as good as any.
const ENOUGH: usize = 4;

/// Up to `n` tokens that may follow `text`: those after the latest place with the longest match of its end. What follows a
/// match that reaches to the end goes round, as in a text that repeats itself.
pub fn go_on(text: &[u32], n: usize) -> Vec<u32> {
    let mut best = (LEAST - 1, 0); // matching tokens, where they end
    for end in (LEAST..text.len()).rev() {
        let matching = text[..end].iter().rev().zip(text.iter().rev());
        let len = matching.take(ENOUGH).take_while(|(a, b)| a == b).count();
        if len > best.0 {
            best = (len, end);
        }
        if len == ENOUGH {
            break;
        }
    }
    let (len, end) = best;
    if len < LEAST {
        return Vec::new();
    }
    text[end..].iter().copied().cycle().take(n).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_is_expected_again() {
        assert_eq!(go_on(&[1, 2, 3, 4, 5, 9, 2, 3], 2), [4, 5]);
        assert!(go_on(&[1, 2, 3, 4], 3).is_empty());
        assert!(go_on(&[], 3).is_empty());
    }

    #[test]
    fn one_token_alone_is_no_match() {
        assert!(go_on(&[3, 4, 5, 3], 2).is_empty());
    }

    #[test]
    fn the_longest_match_counts_and_of_equals_the_latest() {
        assert_eq!(go_on(&[7, 1, 2, 8, 9, 1, 2, 5, 7, 1, 2], 1), [8]);
        assert_eq!(go_on(&[1, 2, 8, 9, 1, 2, 5, 7, 1, 2], 1), [5]);
    }

    #[test]
    fn a_text_that_repeats_itself_goes_round() {
        assert_eq!(go_on(&[9, 1, 2, 3, 1, 2, 3, 1, 2], 5), [3, 1, 2, 3, 1]);
        assert_eq!(go_on(&[6, 6, 6], 4), [6, 6, 6, 6]);
    }
}
