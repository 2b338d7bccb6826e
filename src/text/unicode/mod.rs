//! Unicode as the reference tokenizers have it. Each part of them knows another version of the standard: regular
//! expressions 16, normalization 9, punctuation and marks 8. So the tables are those that the reference itself was asked
//! for (`tools/unicode_tables.py`), which also makes them a fifth of what the crates for it add to a page.

mod charset;
mod classes;
mod forms;
pub(super) mod properties;
mod tables;

pub(super) use self::{
    charset::CharSet,
    classes::{is_cleaned, is_combining_mark, is_nonspacing_mark, is_punctuation},
    forms::{nfc, nfd, nfkc, nfkd},
};
