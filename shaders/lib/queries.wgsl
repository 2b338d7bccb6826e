// Which queries a workgroup of attention.wgsl or attention_tiled.wgsl has, what each of them sees, and all that it binds.
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
{% include "lib/cache.wgsl" %}
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
{%- if table or spans %}
@group(0) @binding(5) var<storage, read> list: array<u32>;
override LIST_STRIDE: u32;
{%- endif %}
{%- if bias %}
@group(0) @binding(6) var<storage, read> bias: array<f32>;
override BIAS_STRIDE: u32;
override BIAS_OWN: u32; // the column of distance 0
{%- endif %}
{%- if sinks %}
@group(0) @binding(7) var<storage, read> sinks: array<f32>;
{%- endif %}
{%- if split %}
@group(0) @binding(8) var<storage, read_write> partial: array<f32>;
override SPLIT: u32;
{%- endif %}

override HEAD_DIM: u32;
override N_KV_HEADS: u32;
override HEADS_PER_KV: u32;
override Q_STRIDE: u32;
override Y_STRIDE: u32;
override SCALE: f32;
{%- if not all %}
override WINDOW: u32; // keys less than this far away are seen
{%- endif %}
{%- if softcap %}
override SOFTCAP: f32;
{% include "lib/tanh.wgsl" %}
{%- endif %}

const QUERIES = {{ queries }}u;

// A query's row, its head, the first key that it sees and the one behind the last.
struct Query {
    row: u32,
    head: u32,
    first: u32,
    end: u32,
}

// The last query stands in for those behind it.
fn query(wg: vec3<u32>, j: u32) -> Query {
    let shared_head = wg.x % N_KV_HEADS * HEADS_PER_KV;
{%- if table %}
    // Rows see keys of their own, so that none shares them.
    let blocks = (HEADS_PER_KV + QUERIES - 1u) / QUERIES;
    let row = wg.y / blocks;
    let head = min(wg.y % blocks * QUERIES + j, HEADS_PER_KV - 1u);
{%- else %}
    let i = min(wg.y * QUERIES + j, run.n_rows * HEADS_PER_KV - 1u);
    let row = i / HEADS_PER_KV;
    let head = i % HEADS_PER_KV;
{%- endif %}
{%- if all %}
    return Query(row, shared_head + head, 0u, run.n_keys);
{%- elif spans %}
    let first = max(list[row * LIST_STRIDE], row + 1u - min(row + 1u, WINDOW));
    return Query(row, shared_head + head, first, min(list[row * LIST_STRIDE + 1u], row + WINDOW));
{%- else %}
    let end = {{ "list[row * LIST_STRIDE]" if table else "run.pos + row + 1u" }};
    return Query(row, shared_head + head, end - min(end, WINDOW), end);
{%- endif %}
}

// Whether there is such a query, or another stands in for it.
fn is_there(wg: vec3<u32>, j: u32) -> bool {
{%- if table %}
    return wg.y % ((HEADS_PER_KV + QUERIES - 1u) / QUERIES) * QUERIES + j < HEADS_PER_KV;
{%- else %}
    return wg.y * QUERIES + j < run.n_rows * HEADS_PER_KV;
{%- endif %}
}

// A number of what a query gets: the sum of values, where the weights sum to `total` and the largest score was `top`.
fn put(query: Query, i: u32, sum: f32, top: f32, total: f32{{ ", split: vec2<u32>" if split }}) {
    if (i >= HEAD_DIM) {
        return;
    }
{%- if split %}
    if (split.y > 1u) {
        let at = (split.x * N_KV_HEADS * HEADS_PER_KV + query.head) * (HEAD_DIM + 2u);
        partial[at + i] = sum;
        if (i == 0u) {
            partial[at + HEAD_DIM] = top;
            partial[at + HEAD_DIM + 1u] = total;
        }
        return;
    }
{%- endif %}
    // The best key alone weighs 1; where there is none, y is 0.
    y[query.row * Y_STRIDE + query.head * HEAD_DIM + i] = sum / max(total, 0.5);
}
