//! From the hidden states of a text to one embedding.

use crate::{
    error::{Error, Result},
    model::Pool,
};

/// What an embedding is made of hidden states by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EmbedOptions {
    /// Which states count; none takes what the model's files say, else the mean of an encoder's and the last of a decoder's.
    pub pooling: Option<Pool>,
    /// Whether embeddings get the length 1, so that their dot product is the cosine; none takes what the files say, else
    /// leaves them as they are.
    pub normalize: Option<bool>,
    /// Keep so many numbers of each, for models trained for it (Kusupati et al. 2022); before the normalization.
    pub dimensions: Option<usize>,
}

/// One row out of the rows of a text.
///
/// # Errors
/// [`Error::Input`] for [`Pool::Each`], which gives no one row.
pub fn pool(states: &[f32], width: usize, kind: Pool) -> Result<Vec<f32>> {
    let rows = states.chunks_exact(width);
    let n = rows.len();
    match kind {
        Pool::First => Ok(rows.take(1).flatten().copied().collect()),
        Pool::Last => Ok(rows.skip(n.saturating_sub(1)).flatten().copied().collect()),
        Pool::Mean => {
            let mut sum = vec![0f64; width];
            for row in rows {
                sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
            }
            Ok(sum.into_iter().map(|sum| (sum / n as f64) as f32).collect())
        }
        Pool::Each => Err(Error::input("pooling", "choose mean, cls or last")),
    }
}

/// To the length 1; zeros stay zeros.
pub fn normalize(row: &mut [f32]) {
    let length = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        row.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_pooling_takes_its_rows() {
        let states = [1.0, 2.0, 3.0, 4.0, 5.0, 9.0];
        assert_eq!(pool(&states, 2, Pool::First).unwrap(), [1.0, 2.0]);
        assert_eq!(pool(&states, 2, Pool::Last).unwrap(), [5.0, 9.0]);
        assert_eq!(pool(&states, 2, Pool::Mean).unwrap(), [3.0, 5.0]);
        assert!(pool(&states, 2, Pool::Each).is_err());
    }

    #[test]
    fn a_normalized_row_has_length_one() {
        let mut row = [3.0, 4.0];
        normalize(&mut row);
        assert_eq!(row, [0.6, 0.8]);
        let mut zeros = [0.0; 2];
        normalize(&mut zeros);
        assert_eq!(zeros, [0.0; 2]);
    }
}
