// y[r, :] = mean of x[first.., :] up to x[end - 1, :] by the row's span; zeros where it is empty.
// x: [rows, X_STRIDE]; spans: [rows, 2], first and end; y: [rows, Y_STRIDE], of which N numbers a row.
// One thread a number; grid: (N / 64, rows).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> spans: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override N: u32;
override X_STRIDE: u32;
override Y_STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = group_index(wg) * 64u + t;
    if (i >= N) {
        return;
    }
    let span = spans[wg.y];
    var sum = 0.0;
    for (var r = span.x; r < span.y; r++) {
        sum += x[r * X_STRIDE + i];
    }
    y[wg.y * Y_STRIDE + i] = sum / f32(max(span.y, span.x + 1u) - span.x);
}
