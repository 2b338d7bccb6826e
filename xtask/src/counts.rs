//! How many tests ran, read from what the test programs print.

use std::iter::Sum;
use std::ops::Add;

/// Tests that passed, failed, and were skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Add for Counts {
    type Output = Counts;

    fn add(self, other: Counts) -> Counts {
        Counts {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Counts>>(counts: I) -> Counts {
        counts.fold(Counts::default(), Add::add)
    }
}

/// The counts in a line of `cargo test`: "test result: ok. 3 passed; 0 failed; 1 ignored; …".
/// A run has one such line per test program.
pub fn of_cargo_line(line: &str) -> Option<Counts> {
    let (_, figures) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let of = |word: &str| {
        figures
            .split("; ")
            .find_map(|figure| figure.strip_suffix(word)?.trim().parse::<usize>().ok())
            .unwrap_or(0)
    };
    Some(Counts { passed: of(" passed"), failed: of(" failed"), skipped: of(" ignored") })
}

/// The counts at the end of a report by Node's `tap` reporter: lines "# pass 3", "# fail 0", …
pub fn of_node_report(report: &str) -> Option<Counts> {
    // A test's own output may hold such a line too; the reporter's come last.
    let of = |word: &str| {
        report
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("# ")?.strip_prefix(word)?.trim().parse::<usize>().ok())
    };
    // Tests that the name filter leaves out are no skipped tests, though some releases of Node count them so.
    let left_out =
        report.lines().filter(|line| line.ends_with("# SKIP test name does not match pattern")).count();
    Some(Counts {
        passed: of("pass ")?,
        failed: of("fail ")? + of("cancelled ").unwrap_or(0),
        skipped: of("skipped ").unwrap_or(0).saturating_sub(left_out) + of("todo ").unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_line_is_read() {
        let line = "test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.02s";
        assert_eq!(of_cargo_line(line), Some(Counts { passed: 12, failed: 2, skipped: 1 }));
        assert_eq!(of_cargo_line("test settings::tests::x ... ok"), None);
    }

    #[test]
    fn nodes_report_is_read_from_its_end() {
        let report = "ok 1 - a\n# pass 99\n1..3\n# tests 6\n# suites 0\n# pass 2\n# fail 1\n# cancelled 1\n# skipped 2\n# todo 0\n# duration_ms 5.2\n";
        assert_eq!(of_node_report(report), Some(Counts { passed: 2, failed: 2, skipped: 2 }));
    }

    #[test]
    fn tests_that_a_filter_leaves_out_are_not_counted() {
        let report = "ok 1 - a # SKIP test name does not match pattern\nok 2 - b # SKIP no GPU\nok 3 - c\n# pass 1\n# fail 0\n# skipped 2\n";
        assert_eq!(of_node_report(report), Some(Counts { passed: 1, failed: 0, skipped: 1 }));
    }

    #[test]
    fn a_report_that_was_cut_short_has_no_counts() {
        assert_eq!(of_node_report("TAP version 13\nok 1 - a\n"), None);
    }
}
