//! Dispatches of an attention: one, for many rows over tiles of keys that they share; or where a row's keys are split, one
//! over the splits and one that joins them.

use super::{Binding, Dispatch, Grid, SPLIT, Shapes, Splits, THREADS, Variant, read, write};
use crate::plan::{Keys, Op, Value};

/// A window that hides nothing: more than any context, and small enough to be added to a position.
const NO_WINDOW: usize = 1 << 30;
/// Queries of a workgroup of `attention.wgsl`, where several share their keys.
const SEVERAL: usize = 4;
/// Queries of a workgroup of `attention_tiled.wgsl`.
const TILED: usize = 16;

/// # Panics
/// If the operation is another one.
pub fn attention(s: &Shapes, op: &Op) -> Vec<Dispatch> {
    let &Op::Attention { q, k, v, y, shape, keys, bias, sinks } = op else {
        panic!("{} is another", op.name())
    };
    let (rows, heads_per_kv) = (s.plan[y].rows, shape.n_heads / shape.n_kv_heads);
    // The column of a bias that stands for the row itself, of how many there are.
    let own = |span: usize| match keys {
        Keys::Causal | Keys::Table(_) => span - 1,
        Keys::Spans(_) | Keys::All => (span - 1) / 2,
    };
    let window = shape.window.unwrap_or(NO_WINDOW).min(NO_WINDOW);
    let (condition, list, window) = match keys {
        Keys::Causal => ("causal", None, Some(window)),
        Keys::Table(list) => ("table", Some(list), Some(window)),
        Keys::Spans(list) => ("spans", Some(list), Some(window)),
        Keys::All => ("all", None, None),
    };
    let is_split = rows == 1 && matches!(keys, Keys::Causal | Keys::All);
    let is_table = matches!(keys, Keys::Table(_));
    // Of each row, or one after the other over all rows.
    let several = if is_table { heads_per_kv > 1 } else { rows * heads_per_kv > 1 };
    // Rows that look at keys by a list of their own share none.
    let is_tiled = s.plan[y].rows > 1 && !is_table;
    let queries = if is_tiled {
        TILED
    } else if several {
        SEVERAL
    } else {
        1
    };
    let rows = match is_table {
        true => (heads_per_kv.div_ceil(queries), 1),
        false => (heads_per_kv, queries),
    };
    let variant = Variant::plain(if is_tiled { "attention_tiled" } else { "attention" })
        .with(condition)
        .when(shape.softcap.is_some(), "softcap")
        .when(bias.is_some(), "bias")
        .when(sinks.is_some(), "sinks")
        .when(several && !is_tiled, "several")
        .when((THREADS + 1..=2 * THREADS).contains(&shape.head_dim), "parts2")
        .when(shape.head_dim > 2 * THREADS, "parts4")
        .when(is_split, "split");
    let variant = s.of_cache(variant, k);
    let variant = if is_tiled { variant } else { s.in_subgroups(variant) };
    let optional = |value: Option<Value>| value.and_then(read);
    let pitch = shape.head_dim + 2;
    let len = s.plan[k].rows.div_ceil(SPLIT) * shape.n_heads * pitch;
    let between = |write| is_split.then_some(Binding::Between { len, write });
    let bindings =
        [read(q), read(k), read(v), write(y), optional(list), optional(bias), optional(sinks), between(true)];
    let sizes = [
        ("HEAD_DIM", shape.head_dim),
        ("N_KV_HEADS", shape.n_kv_heads),
        ("HEADS_PER_KV", heads_per_kv),
        ("Q_STRIDE", s.stride(q)),
        ("K_STRIDE", s.stride(k)),
        ("V_STRIDE", s.stride(v)),
        ("Y_STRIDE", s.stride(y)),
    ];
    let size = |n: usize| n as f64;
    let splits = |merges| {
        let window = window.map(|window| window as u32);
        is_split.then_some(Splits { window, merges })
    };
    let grid = Grid {
        rows: Some((rows.0 as u32, rows.1 as u32)),
        splits: splits(false),
        ..Grid::fixed(shape.n_kv_heads)
    };
    let dispatch = Dispatch::new(variant, bindings, &sizes, grid)
        .constant("SCALE", f64::from(shape.scale))
        .constant("SOFTCAP", shape.softcap.map(f64::from))
        .constant("WINDOW", window.map(size))
        .constant("LIST_STRIDE", list.map(|list| size(s.stride(list))))
        .constant("BIAS_STRIDE", bias.map(|bias| size(s.stride(bias))))
        .constant("BIAS_OWN", bias.map(|bias| size(own(s.cols(bias)))))
        .constant("SPLIT", is_split.then_some(size(SPLIT)));
    if !is_split {
        return vec![dispatch];
    }
    let variant = Variant::plain("attention_merge").with(condition);
    let sizes = [("HEAD_DIM", shape.head_dim), ("N_HEADS", shape.n_heads), ("SPLIT", SPLIT)];
    let grid = Grid { splits: splits(true), ..Grid::fixed(shape.n_heads) };
    let merge =
        Dispatch::new(variant, [between(false), write(y)], &sizes, grid).constant("WINDOW", window.map(size));
    vec![dispatch, merge]
}
