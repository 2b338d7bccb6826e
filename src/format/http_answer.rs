//! What the head of an HTTP answer means for reading a file by ranges (RFC 9110, section 14).

/// A `Content-Range` header: which bytes an answer has, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub first: u64,
    pub last: u64,
    /// `None` where the server does not know.
    pub total: Option<u64>,
}

impl ContentRange {
    /// Reads `bytes 0-99/1234` or `bytes 0-99/*`.
    pub fn parse(header: &str) -> Option<Self> {
        let (range, total) = header.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.trim().split_once('-')?;
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        let total = match total.trim() {
            "*" => None,
            total => Some(total.parse().ok()?),
        };
        (first <= last && total.is_none_or(|total| last < total)).then_some(ContentRange {
            first,
            last,
            total,
        })
    }

    /// How many bytes.
    pub fn len(&self) -> u64 {
        self.last - self.first + 1
    }
}

/// What there is to know before a body is read. Headers that the server does not expose to the page are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub status: u16,
    pub status_text: String,
    pub content_range: Option<ContentRange>,
    pub content_length: Option<u64>,
    /// Whether the body arrives compressed, so that lengths are not those of the file.
    pub encoded: bool,
    pub content_type: Option<String>,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

/// How to go on after the answer to the first range.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// By ranges; the file has this length.
    Ranges { total: u64 },
    /// This answer is the whole file.
    Whole,
    /// Ask again, without a range.
    AskForWhole,
}

/// What tells one state of a file from another; what is not known is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Version {
    pub len: Option<u64>,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

impl Version {
    /// Whether both are the same state, by the best that both know.
    pub fn is_same(&self, other: &Version) -> bool {
        let both = |a: &Option<String>, b: &Option<String>| Some(a.as_ref()? == b.as_ref()?);
        let same_len = self.len.zip(other.len).map(|(a, b)| a == b);
        let same = both(&self.etag, &other.etag).or_else(|| both(&self.last_modified, &other.last_modified));
        same_len != Some(false) && same.or(same_len) == Some(true)
    }
}

impl Head {
    /// Which state of the file the answer is about.
    pub fn version(&self) -> Version {
        let len = match (self.status, self.content_range) {
            (206, Some(range)) if !self.encoded => range.total,
            (200, _) => self.promised_len(),
            _ => None,
        };
        Version { len, etag: self.etag.clone(), last_modified: self.last_modified.clone() }
    }

    /// Whether the server may answer better in a moment.
    pub fn is_trouble(&self) -> bool {
        matches!(self.status, 408 | 429 | 500..=599)
    }

    /// What the answer to `bytes=0-…` allows, or the problem that it tells.
    pub fn access(&self) -> Result<Access, String> {
        match (self.status, self.content_range) {
            (206, Some(ContentRange { first: 0, total: Some(total), .. })) if !self.encoded => {
                Ok(Access::Ranges { total })
            }
            // The range is not the one asked for, or hidden from this page, or one of compressed bytes.
            (206, _) => Ok(Access::AskForWhole),
            // As servers answer to any range of an empty file.
            (416, _) => Ok(Access::AskForWhole),
            (200, _) => Ok(Access::Whole),
            _ => Err(self.status_problem()),
        }
    }

    /// Checks the answer to a later range against the first answer, or tells the problem.
    pub fn check_range(&self, first: &Head, total: u64, start: u64, len: u64) -> Result<(), String> {
        const CHANGED: &str = "it changed while being read: load it again";
        let differ = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        if differ(&self.etag, &first.etag) || differ(&self.last_modified, &first.last_modified) {
            return Err(CHANGED.into());
        }
        match (self.status, self.content_range) {
            (206, Some(range)) if range.total.is_some_and(|t| t != total) => Err(CHANGED.into()),
            (206, Some(range)) if range.first == start && range.len() == len => Ok(()),
            (206, Some(ContentRange { first, last, .. })) => Err(format!(
                "the server answered bytes {first}-{last} instead of {start}-{}",
                start + len - 1
            )),
            (206, None) => Err("the server no longer says which bytes it answers".into()),
            (200, _) => Err("the server answered with the whole file instead of a range".into()),
            (416, _) => Err(CHANGED.into()),
            _ => Err(self.status_problem()),
        }
    }

    /// Whether the answer means that there is no such file. Storage that does not tell strangers what it has answers 403;
    /// the servers of some apps answer every address with their page.
    pub fn is_absent(&self) -> bool {
        let is_page = self
            .content_type
            .as_deref()
            .is_some_and(|kind| kind.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("text/html")));
        matches!(self.status, 403 | 404 | 410) || is_page && matches!(self.status, 200 | 206)
    }

    /// The length that the body must have, where that is known.
    pub fn promised_len(&self) -> Option<u64> {
        self.content_length.filter(|_| !self.encoded)
    }

    /// An answer that is no success, and what may help.
    pub fn status_problem(&self) -> String {
        let hint = match self.status {
            401 | 403 => ": the file is not public, or its address has expired",
            404 | 410 => ": is the address right?",
            429 | 500..=599 => ": try again later",
            _ => "",
        };
        format!("HTTP status {} {}{hint}", self.status, self.status_text)
            .replace(" :", ":")
            .trim_end()
            .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partial(range: &str) -> Head {
        Head { status: 206, content_range: ContentRange::parse(range), ..Head::default() }
    }

    fn status(status: u16) -> Head {
        Head { status, ..Head::default() }
    }

    #[test]
    fn what_may_pass_is_told_from_what_stays() {
        assert!([408, 429, 500, 503, 599].iter().all(|code| status(*code).is_trouble()));
        assert!(![200, 206, 401, 404, 416].iter().any(|code| status(*code).is_trouble()));
    }

    #[test]
    fn content_range_is_read_as_the_standard_writes_it() {
        let range = |first, last, total| Some(ContentRange { first, last, total });
        assert_eq!(ContentRange::parse("bytes 0-99/1234"), range(0, 99, Some(1234)));
        assert_eq!(ContentRange::parse("bytes 5-5/*"), range(5, 5, None));
        for wrong in
            ["", "bytes */10", "bytes 5-4/10", "bytes 0-10/10", "items 0-1/2", "bytes 0-1", "bytes a-b/c"]
        {
            assert_eq!(ContentRange::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_partial_answer_with_its_total_allows_ranges() {
        assert_eq!(partial("bytes 0-9/100").access(), Ok(Access::Ranges { total: 100 }));
    }

    #[test]
    fn a_server_without_usable_ranges_is_asked_for_the_whole_file() {
        assert_eq!(partial("hidden").access(), Ok(Access::AskForWhole));
        assert_eq!(partial("bytes 0-9/*").access(), Ok(Access::AskForWhole));
        assert_eq!(partial("bytes 10-19/100").access(), Ok(Access::AskForWhole));
        assert_eq!(Head { encoded: true, ..partial("bytes 0-9/100") }.access(), Ok(Access::AskForWhole));
        assert_eq!(status(416).access(), Ok(Access::AskForWhole));
        assert_eq!(status(200).access(), Ok(Access::Whole));
    }

    #[test]
    fn a_refusal_tells_the_status_and_what_may_help() {
        let not_found = Head { status_text: "Not Found".into(), ..status(404) };
        assert_eq!(not_found.access(), Err("HTTP status 404 Not Found: is the address right?".into()));
        assert_eq!(status(503).access(), Err("HTTP status 503: try again later".into()));
        assert_eq!(status(204).access(), Err("HTTP status 204".into()));
    }

    #[test]
    fn a_later_range_must_be_the_one_asked_for() {
        let first = partial("bytes 0-9/100");
        assert_eq!(partial("bytes 20-29/100").check_range(&first, 100, 20, 10), Ok(()));
        let problem = |head: Head| head.check_range(&first, 100, 20, 10).unwrap_err();
        assert!(problem(partial("bytes 20-25/100")).contains("20-25 instead of 20-29"));
        assert!(problem(partial("bytes 20-29/101")).contains("changed"));
        assert!(problem(status(200)).contains("whole file"));
        assert!(problem(status(416)).contains("changed"));
        assert!(problem(status(404)).contains("404"));
    }

    #[test]
    fn another_version_of_the_file_is_noticed() {
        let tagged = |tag: &str| Head { etag: Some(tag.into()), ..partial("bytes 0-9/100") };
        assert_eq!(tagged("a").check_range(&tagged("a"), 100, 0, 10), Ok(()));
        assert!(tagged("b").check_range(&tagged("a"), 100, 0, 10).unwrap_err().contains("changed"));
        let dated = |date: &str| Head { last_modified: Some(date.into()), ..partial("bytes 0-9/100") };
        assert!(dated("b").check_range(&dated("a"), 100, 0, 10).unwrap_err().contains("changed"));
        // A header that one answer lacks says nothing.
        assert_eq!(partial("bytes 0-9/100").check_range(&tagged("a"), 100, 0, 10), Ok(()));
    }

    #[test]
    fn an_absent_file_is_told_from_a_refusal_and_a_failure() {
        for absent in [403, 404, 410] {
            assert!(status(absent).is_absent(), "{absent}");
        }
        for present in [200, 206, 401, 416, 429, 500] {
            assert!(!status(present).is_absent(), "{present}");
        }
        let typed = |kind: &str| Head { content_type: Some(kind.into()), ..status(200) };
        assert!(typed("text/html; charset=utf-8").is_absent() && typed("Text/HTML").is_absent());
        assert!(!typed("text/plain").is_absent() && !typed("application/json").is_absent());
    }

    #[test]
    fn a_compressed_body_promises_no_length() {
        let head = Head { content_length: Some(7), ..status(200) };
        assert_eq!(head.promised_len(), Some(7));
        assert_eq!(Head { encoded: true, ..head }.promised_len(), None);
    }

    #[test]
    fn a_file_is_the_same_by_the_best_that_is_known_of_both() {
        let version = |len: u64, etag: &str, date: &str| Version {
            len: (len > 0).then_some(len),
            etag: (!etag.is_empty()).then(|| etag.into()),
            last_modified: (!date.is_empty()).then(|| date.into()),
        };
        let kept = version(5, "a", "mon");
        for same in [version(5, "a", "mon"), version(0, "a", ""), version(5, "", "mon"), version(5, "", "")] {
            assert!(kept.is_same(&same), "{same:?}");
        }
        // The tag says that nothing changed, whatever else was touched.
        assert!(kept.is_same(&version(5, "a", "tue")));
        for other in
            [version(5, "b", "mon"), version(6, "a", "mon"), version(5, "", "tue"), version(0, "", "")]
        {
            assert!(!kept.is_same(&other), "{other:?}");
        }
    }

    #[test]
    fn a_part_whose_place_is_hidden_does_not_tell_the_length() {
        let hidden = Head { content_length: Some(10), ..partial("hidden") };
        assert_eq!(hidden.version().len, None);
        assert_eq!(partial("bytes 0-9/100").version().len, Some(100));
        assert_eq!(Head { content_length: Some(10), ..status(200) }.version().len, Some(10));
    }
}
