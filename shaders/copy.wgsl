// y[r, :] = x[r, :], or the run's last row alone: y[0, :] = x[n_rows - 1, :].
// x: [rows, X_STRIDE]; y: [rows, Y_STRIDE], of which N numbers a row.
// One thread a number; grid: (N / 64, rows).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override N: u32;
override X_STRIDE: u32;
override Y_STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = group_index(wg) * 64u + t;
    if (i < N) {
        let row = {{ "run.n_rows - 1u" if last else "wg.y" }};
        y[wg.y * Y_STRIDE + i] = x[row * X_STRIDE + i];
    }
}
