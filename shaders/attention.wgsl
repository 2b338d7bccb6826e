// Causal attention of one head of one row over the KV cache, keys in tiles, with an online softmax
// (Milakov & Gimelshein 2018): the running maximum and sum are corrected as each tile comes.
// q, y: [rows, n_heads * HEAD_DIM] with strides in numbers; caches: [n_ctx, KV_DIM].
// One workgroup a head and row, one thread a key of the tile, then one thread a number of the head; grid: (n_heads, rows).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k_cache: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> v_cache: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

override HEAD_DIM: u32;
override KV_DIM: u32;
override HEADS_PER_KV: u32;
override Q_STRIDE: u32;
override Y_STRIDE: u32;
override WINDOW: u32; // positions that a row sees, itself included
override SCALE: f32;

const TILE = 64u;
const NUMBERS = 4u;      // of the head, for each thread: HEAD_DIM is at most TILE * NUMBERS
const LOWEST = -3.0e38;  // WGSL need not keep infinities
var<workgroup> scores: array<f32, TILE>;
var<workgroup> weights: array<f32, TILE>;

fn score(q_at: u32, k_at: u32) -> f32 {
    var sum = 0.0;
    for (var i = 0u; i < HEAD_DIM / 4u; i++) {
        sum += dot(q[q_at + i], k_cache[k_at + i]);
    }
    return sum * SCALE;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let head = wg.x;
    let kv_offset = head / HEADS_PER_KV * HEAD_DIM;
    let q_at = (wg.y * Q_STRIDE + head * HEAD_DIM) / 4u;
    let end = run.pos + wg.y + 1u; // positions [first, end) are seen
    let first = end - min(end, WINDOW);

    var max_score = LOWEST;
    var sum = 0.0;
    var acc: array<f32, NUMBERS>;
    for (var tile = first; tile < end; tile += TILE) {
        let n = min(TILE, end - tile);
        var own = LOWEST;
        if (t < n) {
            own = score(q_at, ((tile + t) * KV_DIM + kv_offset) / 4u);
        }
        scores[t] = own;
        workgroupBarrier();
        // Every thread finds the maximum itself: 64 reads cost less than six more barriers.
        var new_max = max_score;
        for (var j = 0u; j < n; j++) {
            new_max = max(new_max, scores[j]);
        }
        weights[t] = exp(own - new_max);
        workgroupBarrier();
        let correction = exp(max_score - new_max);
        max_score = new_max;
        sum *= correction;
        for (var j = 0u; j < n; j++) {
            sum += weights[j];
        }
        for (var k = 0u; k < NUMBERS; k++) {
            let i = t + k * TILE;
            if (i < HEAD_DIM) {
                var weighted = acc[k] * correction;
                for (var j = 0u; j < n; j++) {
                    weighted += weights[j] * v_cache[(tile + j) * KV_DIM + kv_offset + i];
                }
                acc[k] = weighted;
            }
        }
    }
    for (var k = 0u; k < NUMBERS; k++) {
        let i = t + k * TILE;
        if (i < HEAD_DIM) {
            y[wg.y * Y_STRIDE + head * HEAD_DIM + i] = acc[k] / sum;
        }
    }
}
