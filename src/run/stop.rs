//! Stop strings, also where they are split over several tokens.

/// Passes text on except what is, or might become, a stop string.
#[derive(Debug, Clone, Default)]
pub struct StopMatcher {
    stops: Vec<String>,
    /// Text that is held back because a stop string may begin in it.
    held: String,
}

/// What [`StopMatcher::push`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Text that may be shown.
    pub text: String,
    /// The stop string that ended it, if one did.
    pub stop: Option<String>,
}

impl StopMatcher {
    /// Looks for `stops`, none of which is empty.
    pub fn new(stops: &[String]) -> Self {
        StopMatcher { stops: stops.to_vec(), held: String::new() }
    }

    /// More text. The earliest stop string wins, the longest where several begin at the same place.
    pub fn push(&mut self, text: &str) -> Passed {
        self.held.push_str(text);
        let found = self
            .stops
            .iter()
            .filter_map(|stop| self.held.find(stop.as_str()).map(|at| (at, stop)))
            .min_by_key(|(at, stop)| (*at, usize::MAX - stop.len()));
        if let Some((at, stop)) = found {
            let stop = Some(stop.clone());
            self.held.truncate(at);
            return Passed { text: std::mem::take(&mut self.held), stop };
        }
        let safe = self.held.len() - self.longest_start();
        Passed { text: self.held.drain(..safe).collect(), stop: None }
    }

    /// The text still held back, when nothing more will come.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Bytes at the end of the held text that begin some stop string.
    fn longest_start(&self) -> usize {
        let held = &self.held;
        let starts = |stop: &String| {
            (1..stop.len().min(held.len() + 1))
                .rev()
                .find(|&n| stop.is_char_boundary(n) && held.ends_with(&stop[..n]))
                .unwrap_or(0)
        };
        self.stops.iter().map(starts).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(stops: &[&str], pieces: &[&str]) -> (String, Option<String>) {
        let stops: Vec<String> = stops.iter().map(|s| s.to_string()).collect();
        let mut matcher = StopMatcher::new(&stops);
        let mut shown = String::new();
        for piece in pieces {
            let passed = matcher.push(piece);
            shown += &passed.text;
            if passed.stop.is_some() {
                return (shown, passed.stop);
            }
        }
        (shown + &matcher.finish(), None)
    }

    #[test]
    fn a_stop_across_pieces_is_never_shown() {
        assert_eq!(
            feed(&["THE END"], &["and so. TH", "E E", "ND more"]),
            ("and so. ".into(), Some("THE END".into()))
        );
    }

    #[test]
    fn text_that_only_begins_like_a_stop_is_shown_later() {
        assert_eq!(feed(&["THE END"], &["TH", "E EAGLE"]), ("THE EAGLE".into(), None));
    }

    #[test]
    fn a_stop_that_repeats_its_beginning_is_found() {
        assert_eq!(feed(&["aab"], &["a", "a", "a", "b"]), ("a".into(), Some("aab".into())));
    }

    #[test]
    fn the_earliest_stop_wins() {
        assert_eq!(feed(&["world", "lo"], &["hello world"]), ("hel".into(), Some("lo".into())));
    }

    #[test]
    fn stops_may_hold_any_unicode() {
        assert_eq!(feed(&["—✓"], &["ja —", "✓"]), ("ja ".into(), Some("—✓".into())));
    }

    #[test]
    fn what_is_held_at_the_end_comes_out() {
        assert_eq!(feed(&["\n\n"], &["line\n"]), ("line\n".into(), None));
    }
}
