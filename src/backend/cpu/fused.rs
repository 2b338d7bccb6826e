//! Fused operations, by the functions of those that they stand for.

use intab_kernels::row;

use super::ops::{Memory, normalize, rotate};
use crate::plan::{End, Linears, Place, Run};

impl Memory<'_> {
    /// See [`Linears`].
    pub fn linears(&mut self, fused: &Linears, run: &Run) {
        let Linears { x, norm, ref layers, y, end } = *fused;
        self.each_row(y, run, |m, r, row| {
            let mut x = m.row(x, r).to_vec();
            if let Some(norm) = norm {
                normalize(&mut x, norm.kind, norm.eps);
                norm.weight.iter().for_each(|weight| row::multiply(&mut x, m.row(*weight, 0)));
            }
            let parts: Vec<_> = layers.iter().map(|(w, _)| (*w, 0..m.plan[*w].rows)).collect();
            let mut products = vec![0.0; parts.iter().map(|(_, rows)| rows.len()).sum()];
            m.multiply(&parts, &[&x], &mut products);
            let mut first = 0;
            for ((_, rows), (_, bias)) in parts.iter().zip(layers) {
                if let Some(bias) = bias {
                    row::add(&mut products[first..], m.row(*bias, 0));
                }
                first += rows.len();
            }
            let (first, second) = products.split_at(row.len());
            for (i, (y, p)) in row.iter_mut().zip(first).enumerate() {
                *y = match end {
                    End::Store => *p,
                    End::Add => *y + p,
                    End::Map(f) => f.apply(*p),
                    End::Gate(f) => f.apply(*p) * second[i],
                };
            }
        });
    }

    /// See [`Place`].
    pub fn place(&mut self, fused: &Place, run: &Run) {
        let d = fused.head_dim;
        let (q_dim, kv_dim) = (fused.n_heads * d, fused.n_kv_heads * d);
        let mut placed = Vec::new();
        self.each_row(fused.qkv, run, |m, r, row| {
            for (i, part) in [0..q_dim, q_dim..q_dim + kv_dim].into_iter().enumerate() {
                for (h, head) in row[part].chunks_exact_mut(d).enumerate() {
                    if let Some(norm) = fused.norms.map(|norms| norms[i]) {
                        normalize(head, norm.kind, norm.eps);
                        let weight = norm.weight.map(|weight| m.row(weight, 0));
                        // The same for all heads, or each its own.
                        weight
                            .iter()
                            .for_each(|weight| row::multiply(head, &weight[h * d % weight.len()..][..d]));
                    }
                }
            }
            if let Some(limit) = fused.clip {
                row.iter_mut().for_each(|x| *x = x.clamp(-limit, limit));
            }
            if let Some(rope) = fused.rope {
                let position = run.rope_start as usize + m.place_of(rope.positions, r, run);
                let angles = m.row(rope.table, position);
                row[..q_dim + kv_dim].chunks_exact_mut(d).for_each(|head| rotate(head, angles, rope.style));
            }
            let slot = m.place_of(fused.slots, r, run);
            placed.push((slot, row[q_dim..].to_vec()));
        });
        for (i, cache) in fused.caches.into_iter().enumerate() {
            for (slot, row) in &placed {
                self.keep(cache, *slot, &row[i * kv_dim..][..kv_dim]);
            }
        }
    }
}
