// The K best of a row's N scores, best first, and their weights: their parts of the softmax, over all or over the K alone.
// scores: [rows, SCORES_STRIDE]; experts: [rows, STRIDE], K numbers, then K weights.
// One workgroup a row; a thread finds the rank of every 64th score, of equals the first before the others; grid: (1, rows).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> scores: array<f32>;
@group(0) @binding(2) var<storage, read_write> experts: array<f32>;

override N: u32;
override K: u32;
override SCORES_STRIDE: u32;
override STRIDE: u32;

const THREADS = 64u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let first = wg.y * SCORES_STRIDE;
    let numbers = wg.y * STRIDE;
    let weights = numbers + K;
    var top = scores[first];
    for (var i = 1u; i < N; i++) {
        top = max(top, scores[first + i]);
    }
    for (var i = t; i < N; i += THREADS) {
        let own = scores[first + i];
        var rank = 0u;
        for (var j = 0u; j < N; j++) {
            let other = scores[first + j];
            rank += select(0u, 1u, other > own || (other == own && j < i));
        }
        if (rank < K) {
            experts[numbers + rank] = f32(i);
            experts[weights + rank] = exp(own - top);
        }
    }
    storageBarrier();
    var total = 0.0;
{%- if normalized %}
    for (var j = 0u; j < K; j++) {
        total += experts[weights + j];
    }
    storageBarrier(); // all have read what is now divided
{%- else %}
    for (var i = 0u; i < N; i++) {
        total += exp(scores[first + i] - top);
    }
{%- endif %}
    for (var j = t; j < K; j += THREADS) {
        experts[weights + j] /= total;
    }
}
