// cache[slot, :] = x[r, :]: the rows' keys or values go to their places in the context.
// x: [rows, X_STRIDE]; cache: [n_slots, N]; slots: [rows], or else the rows' positions.
// One thread copies one number; grid: (N / 64, rows).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> cache: array<f32>;
{%- if slots %}
@group(0) @binding(3) var<storage, read> slots: array<u32>;
{%- endif %}

override N: u32;
override X_STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = group_index(wg) * 64u + t;
    if (i < N) {
        let slot = {{ "slots[wg.y]" if slots else "run.pos + wg.y" }};
        cache[slot * N + i] = x[wg.y * X_STRIDE + i];
    }
}
