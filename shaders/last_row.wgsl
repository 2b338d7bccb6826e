// y[0, :] = x[n_rows - 1, :]: only the last row goes on to the logits.
// x: [rows, STRIDE]; y: [1, STRIDE].
// One thread a number; grid: (STRIDE / 64, 1).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < STRIDE) {
        y[id.x] = x[(run.n_rows - 1u) * STRIDE + id.x];
    }
}
