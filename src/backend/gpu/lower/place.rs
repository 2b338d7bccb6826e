//! The dispatch between the layers of queries, keys and values and the attention.

use super::{Dispatch, Shapes, Variant, read, write};
use crate::plan::{NormKind, Place, RopeStyle};

pub fn place(s: &Shapes, fused: &Place) -> Dispatch {
    let rope = fused.rope;
    let positions = rope.and_then(|rope| rope.positions);
    let variant = Variant::plain("place");
    let variant = match fused.norms.map(|norms| norms[0].kind) {
        Some(NormKind::Rms) => variant.with("rms"),
        Some(NormKind::Layer) => variant.with("layer"),
        None => variant,
    };
    let variant = variant
        .when(fused.clip.is_some(), "clip")
        .when(rope.is_some_and(|rope| rope.style == RopeStyle::Interleaved), "interleaved")
        .when(rope.is_some_and(|rope| rope.style == RopeStyle::Halves), "halves")
        .when(positions.is_some(), "positions")
        .when(fused.slots.is_some(), "slots");
    let variant = s.of_cache(variant, fused.caches[0]);
    let variant = if fused.norms.is_some() { s.in_subgroups(variant) } else { variant };
    let weights = [0, 1].map(|i| fused.norms.and_then(|norms| norms[i].weight));
    let [table, positions, slots, q_weight, k_weight] =
        [rope.map(|rope| rope.table), positions, fused.slots, weights[0], weights[1]]
            .map(|v| v.and_then(read));
    let [k_cache, v_cache] = fused.caches.map(write);
    let bindings = [write(fused.qkv), k_cache, v_cache, table, positions, slots, q_weight, k_weight];
    let sizes = [
        ("N_HEADS", fused.n_heads),
        ("N_KV_HEADS", fused.n_kv_heads),
        ("HEAD_DIM", fused.head_dim),
        ("STRIDE", s.stride(fused.qkv)),
    ];
    let size = |n: usize| n as f64;
    let grid = s.groups(fused.qkv, fused.n_heads + 2 * fused.n_kv_heads);
    Dispatch::new(variant, bindings, &sizes, grid)
        .constant("DIMS", rope.map(|rope| size(s.cols(rope.table))))
        .constant("CLIP", fused.clip.map(f64::from))
        .constant("Q_WEIGHTS", weights[0].map(|w| size(s.cols(w))))
        .constant("K_WEIGHTS", weights[1].map(|w| size(s.cols(w))))
        .constant("EPS", fused.norms.map(|norms| f64::from(norms[0].eps)))
}
