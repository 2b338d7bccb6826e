//! The texts of shaders as a page downloads them: without comments and indentation.

/// A WGSL text, given as a constant, without what no compiler reads.
#[macro_export]
macro_rules! wgsl {
    ($text:expr) => {{
        const TEXT: &str = $text;
        const BYTES: [u8; $crate::wgsl::stripped_len(TEXT)] = $crate::wgsl::stripped(TEXT);
        match ::core::str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => panic!("only comments have letters beyond ASCII"),
        }
    }};
}

/// Bytes of the stripped text.
pub const fn stripped_len(text: &str) -> usize {
    let mut count = Stripper::new(text);
    let mut n = 0;
    while count.next().is_some() {
        n += 1;
    }
    n
}

/// The stripped text, of which there are `N` bytes.
pub const fn stripped<const N: usize>(text: &str) -> [u8; N] {
    let mut strip = Stripper::new(text);
    let mut out = [0; N];
    let mut n = 0;
    while let Some(byte) = strip.next() {
        out[n] = byte;
        n += 1;
    }
    out
}

struct Stripper<'a> {
    text: &'a [u8],
    at: usize,
    /// Whether nothing of the line has been given.
    fresh: bool,
}

impl<'a> Stripper<'a> {
    const fn new(text: &'a str) -> Self {
        Stripper { text: text.as_bytes(), at: 0, fresh: true }
    }

    const fn next(&mut self) -> Option<u8> {
        while self.at < self.text.len() {
            let byte = self.text[self.at];
            if byte == b'/' && self.at + 1 < self.text.len() && self.text[self.at + 1] == b'/' {
                while self.at < self.text.len() && self.text[self.at] != b'\n' {
                    self.at += 1;
                }
                continue;
            }
            self.at += 1;
            if self.fresh && (byte == b' ' || byte == b'\n') {
                continue;
            }
            self.fresh = byte == b'\n';
            return Some(byte);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_no_compiler_reads_is_left_out() {
        let text =
            wgsl!("// All of it: π.\n\nfn f() { // here\n    return a / b;\n}\n{%- if x %} // there\n");
        assert_eq!(text, "fn f() { \nreturn a / b;\n}\n{%- if x %} \n");
    }
}
