// cache[slot, :] = x[r, :]: the rows' keys or values go to their places in the context.
// x: [rows, X_STRIDE]; cache: [n_slots, N]; slots: [rows], or else the rows' positions.
{%- if f16 %}
// The cache holds halves, two a word. One thread copies two numbers; grid: (N / 128, rows).
{%- else %}
// One thread copies one number; grid: (N / 64, rows).
{%- endif %}
{% include "lib/run.wgsl" %}
{%- if f16 %}
{% include "lib/to_halves.wgsl" %}
{%- endif %}
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> cache: array<{{ "u32" if f16 else "f32" }}>;
{%- if slots %}
@group(0) @binding(3) var<storage, read> slots: array<u32>;
{%- endif %}

override N: u32;
override X_STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = group_index(wg) * 64u + t;
    let slot = {{ "slots[wg.y]" if slots else "run.pos + wg.y" }};
{%- if f16 %}
    if (i < N / 2u) {
        let at = wg.y * X_STRIDE + 2u * i;
        cache[slot * N / 2u + i] = to_halves(vec2<f32>(x[at], x[at + 1u]));
    }
{%- else %}
    if (i < N) {
        cache[slot * N + i] = x[wg.y * X_STRIDE + i];
    }
{%- endif %}
}
