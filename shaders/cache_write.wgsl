// cache[pos + r, :] = x[r, :]: the rows' keys or values go to their place in the context.
// x: [rows, X_STRIDE]; cache: [n_ctx, N].
// One thread copies one number; grid: (N / 64, rows).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> cache: array<f32>;

override N: u32;
override X_STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = wg.x * 64u + t;
    if (i < N) {
        cache[(run.pos + wg.y) * N + i] = x[wg.y * X_STRIDE + i];
    }
}
