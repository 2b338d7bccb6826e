//! `intab`, the native command line: the same engine as in the page, for preparing and checking models.
fn main() {}
