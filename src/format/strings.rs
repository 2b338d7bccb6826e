//! Many short texts in one allocation: a vocabulary of 150,000 entries costs its bytes plus four per entry.

use std::ops::Index;

/// A list of texts that lie back to back in one buffer. Grows at its end, is indexed like a slice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StringArray {
    text: String,
    /// Where each text ends in `text`; it starts where the one before ends.
    ends: Vec<u32>,
}

impl StringArray {
    /// Room for `n` texts; their bytes are added as they come.
    pub fn with_capacity(n: usize) -> Self {
        StringArray { text: String::new(), ends: Vec::with_capacity(n) }
    }

    /// Adds a text at the end. `false`, and nothing added, once all together would pass 4 GiB.
    #[must_use]
    pub fn push(&mut self, text: &str) -> bool {
        let Ok(end) = u32::try_from(self.text.len() + text.len()) else { return false };
        self.text.push_str(text);
        self.ends.push(end);
        true
    }

    /// How many texts.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The text at `i`.
    pub fn get(&self, i: usize) -> Option<&str> {
        let end = *self.ends.get(i)? as usize;
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        Some(&self.text[start..end])
    }

    /// The texts in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + DoubleEndedIterator + Clone {
        (0..self.len()).map(|i| &self[i])
    }
}

impl Index<usize> for StringArray {
    type Output = str;

    fn index(&self, i: usize) -> &str {
        match self.get(i) {
            Some(text) => text,
            None => panic!("index {i} of {} texts", self.len()),
        }
    }
}

/// # Panics
/// If all texts together pass 4 GiB.
impl<S: AsRef<str>> FromIterator<S> for StringArray {
    fn from_iter<I: IntoIterator<Item = S>>(texts: I) -> Self {
        let mut array = StringArray::default();
        for text in texts {
            assert!(array.push(text.as_ref()), "texts of more than 4 GiB");
        }
        array
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_went_in() {
        let texts = ["", "a", "日本", "", "zz"];
        let array: StringArray = texts.into_iter().collect();
        assert_eq!(array.iter().collect::<Vec<_>>(), texts);
        assert_eq!(&array[2], "日本");
        assert_eq!(array.get(5), None);
        assert_eq!(array.len(), 5);
    }
}
