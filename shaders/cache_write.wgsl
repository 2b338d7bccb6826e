// cache[slot, :] = x[r, :]: the rows' keys or values go to their places in the context.
// x: [rows, X_STRIDE]; cache: [n_slots, N]; slots: [rows], or else the rows' positions.
{%- if q8 %}
// The cache holds bytes as in lib/cache.wgsl. One thread rounds 32 numbers; grid: (N / 2048, rows).
{%- elif f16 %}
// The cache holds halves, two a word. One thread copies two numbers; grid: (N / 128, rows).
{%- else %}
// One thread copies one number; grid: (N / 64, rows).
{%- endif %}
{% include "lib/run.wgsl" %}
{%- if q8 %}
{% include "lib/to_bytes.wgsl" %}
{%- elif f16 %}
{% include "lib/to_halves.wgsl" %}
{%- endif %}
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> cache: array<{{ "u32" if f16 or q8 else "f32" }}>;
{%- if slots %}
@group(0) @binding(3) var<storage, read> slots: array<u32>;
{%- endif %}

override N: u32;
override X_STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = group_index(wg) * 64u + t;
    let slot = {{ "slots[wg.y]" if slots else "run.pos + wg.y" }};
{%- if q8 %}
    if (i < N / 32u) {
        let at = wg.y * X_STRIDE + 32u * i;
        var bits = 0u;
        for (var j = 0u; j < 32u; j++) {
            bits = more_bits(bits, x[at + j]);
        }
        let scale = scale_of(bits);
        let row = slot * (N / 32u * 9u);
        for (var j = 0u; j < 8u; j++) {
            let c = at + 4u * j;
            cache[row + 8u * i + j] = to_bytes(vec4<f32>(x[c], x[c + 1u], x[c + 2u], x[c + 3u]), scale);
        }
        cache[row + N / 4u + i] = bitcast<u32>(scale);
    }
{%- elif f16 %}
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
