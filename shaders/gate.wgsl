// gate = f(gate) * up, in place: the activation of a gated feed-forward layer (Shazeer 2020).
// gate: [rows, STRIDE], of which N numbers a row; up: [rows, UP_STRIDE], of which UP_COLS, N or one.
// One thread a number; grid: (N / 64, rows).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> up: array<f32>;
@group(0) @binding(2) var<storage, read_write> gate: array<f32>;

override N: u32;
override STRIDE: u32;
override UP_COLS: u32;
override UP_STRIDE: u32;

{% include "lib/functions.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = group_index(wg) * 64u + t;
    if (i < N) {
        let at = wg.y * STRIDE + i;
        gate[at] = apply(gate[at]) * up[wg.y * UP_STRIDE + i % UP_COLS];
    }
}
