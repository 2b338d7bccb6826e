//! How the values of arguments are read, with messages that say what would be right.

/// Token ids, as `1,2,3` or as `intab tokenize` prints them.
#[derive(Clone, Debug)]
pub struct Ids(pub Vec<u32>);

/// A whole number that fits `T`.
pub fn whole<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let most = u64::MAX >> (64 - 8 * size_of::<T>());
    let number = text.trim().parse::<u64>().ok();
    let wrong = || format!("not a whole number from 0 to {most}");
    number.and_then(|n| T::try_from(n).ok()).ok_or_else(wrong)
}

/// Threads that work together.
pub fn threads(text: &str) -> Result<usize, String> {
    whole(text).ok().filter(|n| (1..=64).contains(n)).ok_or_else(|| "not a whole number from 1 to 64".into())
}

/// A number with a fraction. Its range is the engine's to check.
pub fn number(text: &str) -> Result<f32, String> {
    text.trim().parse().map_err(|_| "not a number".into())
}

/// A token's id and a number, as `17=-2.5`. The number's range is the engine's to check.
pub fn bias(text: &str) -> Result<(u32, f32), String> {
    let (id, bias) = text.split_once('=').ok_or("not a token id, `=` and a number, as in 17=-2.5")?;
    let id = whole(id).map_err(|problem| format!("`{id}` is {problem}"))?;
    Ok((id, number(bias).map_err(|problem| format!("`{bias}` is {problem}"))?))
}

/// Ids between commas or white space.
pub fn ids(text: &str) -> Result<Ids, String> {
    if text.trim().is_empty() {
        return Err("give at least one token id, as in 1,2,3".into());
    }
    let mut ids = Vec::new();
    for part in text.split(',') {
        if part.trim().is_empty() {
            return Err("there is no token id between two commas or at an end".into());
        }
        for word in part.split_whitespace() {
            ids.push(whole(word).map_err(|problem| format!("`{word}` is {problem}"))?);
        }
    }
    Ok(Ids(ids))
}
