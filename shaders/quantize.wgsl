// Rows of activations as integers for matmul.wgsl: of each group of 32 numbers, those times 127 over the largest magnitude.
// x: [rows, 4 * X_STRIDE]; q: [rows, 3 * GROUPS], a group's 32 signed bytes in order, then its scale and the scaled sum of its
// integers. One thread a group; grid: (GROUPS / 64, rows).
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
    // Magnitudes stand in the order of their bits, and what is no number above all of them: so the scale, and every product,
    // becomes none either.
    var bits = vec4<u32>();
    for (var i = 0u; i < 8u; i++) {
        bits = max(bits, bitcast<vec4<u32>>(abs(x[first + i])));
    }
    let most = bitcast<f32>(max(max(bits.x, bits.y), max(bits.z, bits.w)));
    let scale = 127.0 / max(most, 1e-30);
    var words: array<u32, 8>;
    var sum = 0;
    for (var i = 0u; i < 8u; i++) {
        let four = clamp(vec4<i32>(round(x[first + i] * scale)), vec4<i32>(-127), vec4<i32>(127));
        words[i] = pack4xI8(four);
        sum += four.x + four.y + four.z + four.w;
    }
    let back = most / 127.0;
    let to = (wg.y * GROUPS + group) * 3u;
    q[to] = vec4<u32>(words[0], words[1], words[2], words[3]);
    q[to + 1u] = vec4<u32>(words[4], words[5], words[6], words[7]);
    q[to + 2u] = vec4<u32>(bitcast<u32>(back), bitcast<u32>(back * f32(sum)), 0u, 0u);
}
