// y[r, :] += sum over the row's K experts j of weight[r, j] * x[r, j, :].
// x: [rows, X_STRIDE], experts SLOT apart; experts: [rows, EXPERTS_STRIDE], K numbers, then K weights; y: [rows, Y_STRIDE].
// One thread a number; grid: (N / 64, rows).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> experts: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override N: u32;
override K: u32;
override SLOT: u32;
override X_STRIDE: u32;
override EXPERTS_STRIDE: u32;
override Y_STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = group_index(wg) * 64u + t;
    if (i >= N) {
        return;
    }
    var sum = y[wg.y * Y_STRIDE + i];
    for (var j = 0u; j < K; j++) {
        sum += experts[wg.y * EXPERTS_STRIDE + K + j] * x[wg.y * X_STRIDE + j * SLOT + i];
    }
    y[wg.y * Y_STRIDE + i] = sum;
}
