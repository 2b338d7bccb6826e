//! The rotation table of RoPE, made on the host in f64: WGSL promises little of `sin` and `cos` for large arguments.

use std::rc::Rc;

use super::Rope;
use crate::error::{Error, Result};

impl Rope {
    /// `[n_ctx, dims]`: for each position and each pair `i` the cosine and sine of `pos * freq[i]`, by turns, with
    /// `freq[i] = theta^(-2i / dims) / factors[i]`. `factors` come with Llama 3's long-context files.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] for a context whose table the host cannot hold.
    pub fn table(&self, n_ctx: usize, factors: Option<&[f32]>) -> Result<Rc<[f32]>> {
        let freqs: Vec<f64> = (0..self.dims / 2)
            .map(|i| {
                let freq = f64::from(self.theta).powf(-2.0 * i as f64 / self.dims as f64);
                let factor = factors.map_or(1.0, |f| f64::from(f[i]));
                freq / factor / f64::from(self.linear_factor)
            })
            .collect();
        let mut table = Vec::new();
        let room = n_ctx.checked_mul(self.dims).map(|n| table.try_reserve_exact(n));
        if !matches!(room, Some(Ok(()))) {
            let bytes = 4 * n_ctx as u64 * self.dims as u64;
            return Err(Error::OutOfMemory { device: "host", what: "the rotation table".into(), bytes });
        }
        for pos in 0..n_ctx {
            table.extend(freqs.iter().flat_map(|freq| {
                let (sin, cos) = (pos as f64 * freq).sin_cos();
                [cos as f32, sin as f32]
            }));
        }
        Ok(table.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::RopeStyle;

    const ROPE: Rope = Rope { theta: 100.0, dims: 4, style: RopeStyle::Halves, linear_factor: 1.0 };

    #[test]
    fn the_first_position_is_not_rotated() {
        assert_eq!(ROPE.table(1, None).unwrap()[..], [1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn pairs_turn_by_position_times_their_frequency() {
        let table = ROPE.table(4, None).unwrap();
        assert_eq!(table[3 * 4..], [3f32.cos(), 3f32.sin(), 0.3f64.cos() as f32, 0.3f64.sin() as f32]);
    }

    #[test]
    fn factors_slow_their_pair_alone() {
        let table = ROPE.table(2, Some(&[1.0, 10.0])).unwrap();
        assert_eq!(table[4..], [1f32.cos(), 1f32.sin(), 0.01f64.cos() as f32, 0.01f64.sin() as f32]);
    }
}
