// Rows of activations as integers for matmul.wgsl: each 16 numbers times 127 over the largest magnitude among them.
// x: [rows, 4 * X_STRIDE]; q: [rows, 3 * GROUPS], a group's 32 signed bytes in order, then the scale of the first 16 and of the
// others, and the scaled sum of all. One thread a group; grid: (GROUPS / 64, rows).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> q: array<vec4<u32>>;

override GROUPS: u32;
override X_STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let group = group_index(wg) * 64u + t;
    if (group >= GROUPS) {
        return;
    }
    let first = wg.y * X_STRIDE + group * 8u;
    let to = (wg.y * GROUPS + group) * 3u;
    var scales = vec2<f32>();
    var sum = 0.0;
    for (var half = 0u; half < 2u; half++) {
        // Magnitudes stand in the order of their bits, and what is no number above all of them: so the scale, and every
        // product, becomes none either.
        var bits = vec4<u32>();
        for (var i = 0u; i < 4u; i++) {
            bits = max(bits, bitcast<vec4<u32>>(abs(x[first + half * 4u + i])));
        }
        let most = bitcast<f32>(max(max(bits.x, bits.y), max(bits.z, bits.w)));
        var words: vec4<u32>;
        var whole = 0;
        for (var i = 0u; i < 4u; i++) {
            let scaled = round(x[first + half * 4u + i] * (127.0 / max(most, 1e-30)));
            let four = clamp(vec4<i32>(scaled), vec4<i32>(-127), vec4<i32>(127));
            words[i] = pack4xI8(four);
            whole += four.x + four.y + four.z + four.w;
        }
        q[to + half] = words;
        scales[half] = most / 127.0;
        sum += scales[half] * f32(whole);
    }
    q[to + 2u] = bitcast<vec4<u32>>(vec4<f32>(scales, sum, 0.0));
}
