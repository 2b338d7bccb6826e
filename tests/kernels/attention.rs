//! Attention over every kind of keys.

use intab::plan::{Attention, AttentionShape, Builder, Keys, Run};

use crate::{
    bench::{Case, F32, Weight},
    common,
};

/// What rows see.
#[derive(Debug, Clone)]
enum Sight {
    /// Rows of a cache up to each row's position; the first row's.
    Causal { pos: usize, rows: usize },
    /// The slots of each row.
    Table(Vec<Vec<u32>>),
    /// The span of each row.
    Spans(Vec<[u32; 2]>),
    /// The first rows, whoever looks.
    All { rows: usize, n_keys: usize },
}

/// Rows of the caches in these tests.
const N_SLOTS: usize = 260;

impl Sight {
    fn rows(&self) -> usize {
        match self {
            Sight::Causal { rows, .. } | Sight::All { rows, .. } => *rows,
            Sight::Table(lists) => lists.len(),
            Sight::Spans(spans) => spans.len(),
        }
    }

    /// Whether some row sees a row of the keys.
    fn sees(&self, key: usize) -> bool {
        match self {
            Sight::Causal { pos, rows } => key < pos + rows,
            Sight::Table(lists) => lists.iter().flatten().any(|slot| *slot as usize == key),
            Sight::Spans(_) => true,
            Sight::All { n_keys, .. } => key < *n_keys,
        }
    }

    fn run(&self) -> Run {
        match *self {
            Sight::Causal { pos, rows } => Run::new(pos, rows),
            Sight::All { rows, n_keys } => Run { n_keys: n_keys as u32, ..Run::new(5, rows) },
            _ => Run::new(0, self.rows()),
        }
    }
}

fn shape(n_heads: usize, n_kv_heads: usize, head_dim: usize) -> AttentionShape {
    let scale = 1.0 / (head_dim as f32).sqrt();
    AttentionShape { n_heads, n_kv_heads, head_dim, scale, window: None, softcap: None }
}

/// Compares an attention; gives what the GPU answers, if there is one.
fn check(
    sight: &Sight,
    shape: AttentionShape,
    bias: bool,
    sinks: bool,
    rng: &mut fastrand::Rng,
) -> Option<Vec<f32>> {
    let rows = sight.rows();
    let (q_dim, kv_dim) = (shape.q_dim(), shape.kv_dim());
    let mut b = Builder::new("attention", rows);
    let q = b.activation("q", rows, q_dim);
    let (mut words, mut n_keys) = (Vec::new(), N_SLOTS);
    let keys = match sight {
        Sight::Causal { .. } => Keys::Causal,
        Sight::All { .. } => Keys::All,
        Sight::Table(lists) => {
            let mut table = vec![0; rows * (N_SLOTS + 1)];
            for (row, list) in table.chunks_exact_mut(N_SLOTS + 1).zip(lists) {
                row[0] = list.len() as u32;
                row[1..=list.len()].copy_from_slice(list);
            }
            words.push(("table", table));
            Keys::Table(b.state_u32("table", rows, N_SLOTS + 1))
        }
        Sight::Spans(spans) => {
            n_keys = rows;
            words.push(("spans", spans.concat()));
            Keys::Spans(b.state_u32("spans", rows, 2))
        }
    };
    let [k, v] = ["k", "v"].map(|name| match sight {
        Sight::Spans(_) => b.activation(name, rows, kv_dim),
        _ => b.state(name, N_SLOTS, kv_dim),
    });
    let span = 2 * N_SLOTS - 1;
    let biases = common::floats(rng, shape.n_heads * span).iter().map(|x| x * 3.0).collect();
    let how = Attention {
        shape,
        keys,
        bias: bias.then(|| b.constant("bias", biases, span)),
        sinks: sinks.then(|| b.vector("sinks", shape.n_heads)),
    };
    let y = b.attention(q, k, v, how);
    let mut case = Case::new(b.finish(), sight.run());
    case.weights = vec![Weight::vector("sinks", shape.n_heads, rng)];
    case.words = words;
    // Large scores, so that the running maximum moves from tile to tile.
    let queries = common::floats(rng, rows * q_dim).iter().map(|x| x * 30.0).collect();
    let cache = |rng: &mut _| {
        let mut cache = common::floats(rng, n_keys * kv_dim);
        let rows = cache.chunks_exact_mut(kv_dim).enumerate();
        rows.filter(|(key, _)| !sight.sees(*key)).for_each(|(_, row)| row.fill(1e30));
        cache
    };
    case.floats = vec![(q, queries), (k, cache(rng)), (v, cache(rng))];
    let what = format!("{shape:?} of {sight:?}, bias {bias}, sinks {sinks}");
    case.compare(&what, y, F32);
    case.output(intab::backend::Kind::Gpu, y)
}

/// Three texts of different lengths, one after the other.
fn texts() -> Sight {
    let lengths = [1, 75, 9];
    let ends = lengths.iter().scan(0, |end, n| {
        *end += n;
        Some(*end)
    });
    Sight::Spans(ends.zip(lengths).flat_map(|(end, n)| vec![[end - n, end]; n as usize]).collect())
}

/// Rows of two sequences that share their beginning, in scattered slots, and one of another.
fn beams(rng: &mut fastrand::Rng) -> Sight {
    let mut slots: Vec<u32> = (0..N_SLOTS as u32).collect();
    rng.shuffle(&mut slots);
    let start = &slots[..100];
    let [one, two] = [[start, &slots[100..103]].concat(), [start, &slots[103..106]].concat()];
    Sight::Table(vec![one, two, slots[200..201].to_vec(), slots[201..].to_vec()])
}

#[test]
fn a_cache_is_seen_over_tiles_groups_and_windows() {
    let mut rng = common::rng();
    for (n_heads, n_kv_heads, head_dim, window, pos, rows) in [
        (1, 1, 4, None, 0, 1),
        (6, 2, 20, None, 63, 1),
        (4, 4, 64, None, 200, 3),
        (3, 1, 256, None, 5, 2),
        (2, 1, 128, None, 126, 5),
        (130, 10, 8, None, 70, 2),
        (4, 2, 32, Some(7), 100, 4),
        (4, 2, 32, Some(70), 3, 4),
        (4, 2, 32, Some(1), 90, 1),
    ] {
        let shape = AttentionShape { window, ..shape(n_heads, n_kv_heads, head_dim) };
        check(&Sight::Causal { pos, rows }, shape, false, false, &mut rng);
    }
}

#[test]
fn every_way_to_look_agrees() {
    let mut rng = common::rng();
    let all = Sight::All { rows: 3, n_keys: 90 };
    for sight in [Sight::Causal { pos: 130, rows: 3 }, beams(&mut rng), texts(), all] {
        for bits in 0..16 {
            let [window, softcap, bias, sinks] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
            // A row of keys of 20 numbers is padded to 32 where it is an activation.
            let shape = AttentionShape {
                window: window.then_some(11),
                softcap: softcap.then_some(5.0),
                ..shape(6, 1, 20)
            };
            check(&sight, shape, bias, sinks, &mut rng);
        }
    }
}

#[test]
fn a_row_that_sees_nothing_gets_zeros() {
    let mut rng = common::rng();
    let spans = Sight::Spans(vec![[0, 2], [0, 2], [2, 2], [0, 0]]);
    let table = Sight::Table(vec![vec![3, 4], vec![8], vec![], vec![]]);
    let nothing = Sight::All { rows: 4, n_keys: 0 };
    for sight in [spans, table, nothing] {
        for sinks in [false, true] {
            let shape = AttentionShape { window: Some(2), ..shape(2, 1, 8) };
            let Some(y) = check(&sight, shape, false, sinks, &mut rng) else { return };
            assert!(y[2 * 16..].iter().all(|x| *x == 0.0), "{sight:?}: {y:?}");
        }
    }
}

#[test]
fn a_row_s_keys_are_split_and_joined_again() {
    let mut rng = common::rng();
    for pos in [0, 127, 128, 129, 255, 256, 259] {
        for bits in 0..16 {
            let [window, softcap, bias, sinks] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
            let shape = AttentionShape {
                window: window.then_some(133),
                softcap: softcap.then_some(5.0),
                ..shape(7, 1, 68)
            };
            check(&Sight::Causal { pos, rows: 1 }, shape, bias, sinks, &mut rng);
        }
    }
    for n_keys in [0, 1, 128, 129, 260] {
        check(&Sight::All { rows: 1, n_keys }, shape(4, 4, 32), false, false, &mut rng);
    }
}
