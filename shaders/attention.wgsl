// Attention of one head of one row, keys in tiles, with an online softmax (Milakov & Gimelshein 2018): the running
// maximum and sum are corrected as each tile comes. What a row sees, and `list`, `bias` and `sinks`: see plan::Op::Attention.
// q, y: [rows, n_heads * HEAD_DIM]; k, v: [n_keys, n_kv_heads * HEAD_DIM]; strides in numbers.
// One workgroup a head and row, one thread a key of the tile, then one thread a number of the head; grid: (n_heads, rows).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
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

override HEAD_DIM: u32;
override HEADS_PER_KV: u32;
override Q_STRIDE: u32;
override K_STRIDE: u32;
override V_STRIDE: u32;
override Y_STRIDE: u32;
override SCALE: f32;
{%- if not all %}
override WINDOW: u32; // keys less than this far away are seen
{%- endif %}
{%- if softcap %}
override SOFTCAP: f32;
{% include "lib/tanh.wgsl" %}
{%- endif %}

const TILE = 64u;
const NUMBERS = 4u;      // of the head, for each thread: HEAD_DIM is at most TILE * NUMBERS
const LOWEST = -3.0e38;  // WGSL need not keep infinities
var<workgroup> scores: array<f32, TILE>;
var<workgroup> weights: array<f32, TILE>;
var<workgroup> places: array<u32, TILE>; // where a key's values begin

fn score(q_at: u32, k_at: u32) -> f32 {
    var sum = 0.0;
    for (var i = 0u; i < HEAD_DIM / 4u; i++) {
        sum += dot(q[q_at + i], k[k_at + i]);
    }
    sum *= SCALE;
    return {{ "SOFTCAP * hyperbolic_tangent(sum / SOFTCAP)" if softcap else "sum" }};
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let head = wg.x;
    let kv_offset = head / HEADS_PER_KV * HEAD_DIM;
    let q_at = (wg.y * Q_STRIDE + head * HEAD_DIM) / 4u;
    // Keys first..end are seen; the row itself stands among them at `own`.
{%- if all %}
    let own = 0u;
    let first = 0u;
    let end = run.n_keys;
{%- elif spans %}
    let own = wg.y;
    let first = max(list[own * LIST_STRIDE], own + 1u - min(own + 1u, WINDOW));
    let end = min(list[own * LIST_STRIDE + 1u], own + WINDOW);
{%- else %}
    let end = {{ "list[wg.y * LIST_STRIDE]" if table else "run.pos + wg.y + 1u" }};
    let own = end - 1u;
    let first = end - min(end, WINDOW);
{%- endif %}

    var max_score = {{ "sinks[head]" if sinks else "LOWEST" }};
    var sum = {{ "1.0" if sinks else "0.0" }};
    var acc: array<f32, NUMBERS>;
    for (var tile = first; tile < end; tile += TILE) {
        let n = min(TILE, end - tile);
        var key = tile + t;
        var key_score = LOWEST;
        if (t < n) {
{%- if bias %}
            key_score = bias[head * BIAS_STRIDE + BIAS_OWN + key - own];
{%- endif %}
{%- if table %}
            key = list[wg.y * LIST_STRIDE + 1u + key];
{%- endif %}
            key_score {{ "+=" if bias else "=" }} score(q_at, (key * K_STRIDE + kv_offset) / 4u);
        }
        scores[t] = key_score;
        workgroupBarrier();
        // Every thread finds the maximum itself: 64 reads cost less than six more barriers.
        var new_max = max_score;
        for (var j = 0u; j < n; j++) {
            new_max = max(new_max, scores[j]);
        }
        weights[t] = exp(key_score - new_max);
        places[t] = key * V_STRIDE + kv_offset;
        workgroupBarrier();
        let correction = exp(max_score - new_max);
        max_score = new_max;
        sum *= correction;
        for (var j = 0u; j < n; j++) {
            sum += weights[j];
        }
        for (var part = 0u; part < NUMBERS; part++) {
            let i = t + part * TILE;
            if (i < HEAD_DIM) {
                var weighted = acc[part] * correction;
                for (var j = 0u; j < n; j++) {
                    weighted += weights[j] * v[places[j] + i];
                }
                acc[part] = weighted;
            }
        }
    }
    let total = max(sum, 0.5); // the best key alone weighs 1; where there is none, y is 0
    for (var part = 0u; part < NUMBERS; part++) {
        let i = t + part * TILE;
        if (i < HEAD_DIM) {
            y[wg.y * Y_STRIDE + head * HEAD_DIM + i] = acc[part] / total;
        }
    }
}
