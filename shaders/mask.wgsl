// What a text may go on with: y = logits + bias where a token's bit is set, minus infinity elsewhere.
// logits, bias, y: [1, N]; allowed: [1, N / 32], bit i % 32 of word i / 32.
// One thread a token; grid: (N / 64, 1).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> allowed: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

override N: u32;
const MINUS_INFINITY_BITS = 0xff800000u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = group_index(wg) * 64u + t;
    if (i >= N) {
        return;
    }
    let may = ((allowed[i / 32u] >> (i % 32u)) & 1u) == 1u;
    // Chosen among bits, as there is no infinity that a text of WGSL could name.
    y[i] = bitcast<f32>(select(MINUS_INFINITY_BITS, bitcast<u32>(logits[i] + bias[i]), may));
}
