// The attention of one row from those over the runs of its keys: each weighs what its keys weigh.
// partial: [splits, n_heads, HEAD_DIM + 2], as in attention.wgsl; y: [1, n_heads * HEAD_DIM].
// One workgroup a head, one thread every 64th of its numbers; grid: (n_heads, 1).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override HEAD_DIM: u32;
override N_HEADS: u32;
override SPLIT: u32;
{%- if causal %}
override WINDOW: u32;
{%- endif %}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let seen = {{ "min(run.pos + 1u, WINDOW)" if causal else "run.n_keys" }};
    let n_splits = (seen + SPLIT - 1u) / SPLIT;
    let pitch = HEAD_DIM + 2u;
    let start = wg.x * pitch;
    var top = partial[start + HEAD_DIM];
    for (var s = 1u; s < n_splits; s++) {
        top = max(top, partial[start + s * N_HEADS * pitch + HEAD_DIM]);
    }
    for (var i = t; i < HEAD_DIM; i += 64u) {
        var sum = 0.0;
        var total = 0.0;
        for (var s = 0u; s < n_splits; s++) {
            let at = start + s * N_HEADS * pitch;
            let weight = exp(partial[at + HEAD_DIM] - top);
            sum += weight * partial[at + i];
            total += weight * partial[at + HEAD_DIM + 1u];
        }
        y[wg.x * HEAD_DIM + i] = sum / total;
    }
}
