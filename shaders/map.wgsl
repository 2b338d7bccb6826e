// x = f(x), number by number, in place.
// x: [rows, STRIDE], of which N numbers a row.
// One thread a number; grid: (N / 64, rows).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read_write> x: array<f32>;

override N: u32;
override STRIDE: u32;

{% include "lib/functions.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = group_index(wg) * 64u + t;
    if (i < N) {
        let at = wg.y * STRIDE + i;
        x[at] = apply(x[at]);
    }
}
