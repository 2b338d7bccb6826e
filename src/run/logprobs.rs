//! How probable a token was, and what else could have come.

/// The most alternatives that are told of a token.
pub const MAX_LOGPROBS: usize = 20;

/// Log-probabilities, natural, of one place of a text: of the model's own distribution, before temperature, penalties, filters,
/// biases and constraints.
#[derive(Debug, Clone, PartialEq)]
pub struct Logprobs {
    /// Of the token that came.
    pub logprob: f32,
    /// The most probable tokens, best first, of equals the smaller id; the one that came may be among them.
    pub top: Vec<(u32, f32)>,
}

impl Logprobs {
    /// Of token `id` and the `n` best of `logits` (`[n_vocab]`, raw). What the model itself makes impossible is not told.
    pub fn of(logits: &[f32], id: u32, n: usize) -> Logprobs {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let lead = |x: f32| f64::from(x) - f64::from(max);
        let log_sum = logits.iter().map(|x| lead(*x).exp()).sum::<f64>().ln();
        let of = |id: u32| (lead(logits[id as usize]) - log_sum) as f32;

        let better = |a: &u32, b: &u32| {
            let (x, y) = (logits[*a as usize], logits[*b as usize]);
            y.total_cmp(&x).then(a.cmp(b))
        };
        let mut ids: Vec<u32> =
            (0..logits.len() as u32).filter(|id| logits[*id as usize].is_finite()).collect();
        if n > 0 && n < ids.len() {
            ids.select_nth_unstable_by(n - 1, better);
        }
        ids.truncate(n);
        ids.sort_unstable_by(better);
        Logprobs { logprob: of(id), top: ids.into_iter().map(|id| (id, of(id))).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_the_logarithms_of_a_softmax() {
        let logits = [1.0, 3.0, f32::NEG_INFINITY, 2.0, 3.0];
        let total: f64 = logits.iter().map(|x| f64::from(*x).exp()).sum();
        let expected = |id: usize| (f64::from(logits[id]).exp() / total).ln() as f32;
        let told = Logprobs::of(&logits, 3, 3);
        assert!((told.logprob - expected(3)).abs() < 1e-6);
        assert_eq!(told.top.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 4, 3]);
        assert!(told.top.iter().all(|(id, logprob)| (logprob - expected(*id as usize)).abs() < 1e-6));
    }

    #[test]
    fn no_more_are_told_than_there_are() {
        let logits = [0.5, f32::NEG_INFINITY, 0.25];
        assert_eq!(Logprobs::of(&logits, 0, 0).top, []);
        assert_eq!(Logprobs::of(&logits, 0, 20).top.len(), 2);
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let told = Logprobs::of(&[3e38, 3e38, -3e38], 0, 1);
        assert!((told.logprob + 2f32.ln()).abs() < 1e-6, "{}", told.logprob);
    }
}
