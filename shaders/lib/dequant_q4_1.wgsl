// Q4_1, 32 weights a unit: w = d q + m.
// quants: 16 bytes; byte j holds weight j in its low nibble and weight j + 16 in its high one.
// scales: 4 bytes, the halves d and m.
fn low_nibbles(word: u32) -> vec4<f32> {
    return vec4<f32>((vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u));
}

fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let s = unpack2x16float(w_scales[b]);
    let q = w_quants[b];
    let h = q >> vec4<u32>(4u);
    return array<vec4<f32>, 8>(
        s.x * low_nibbles(q.x) + s.y, s.x * low_nibbles(q.y) + s.y,
        s.x * low_nibbles(q.z) + s.y, s.x * low_nibbles(q.w) + s.y,
        s.x * low_nibbles(h.x) + s.y, s.x * low_nibbles(h.y) + s.y,
        s.x * low_nibbles(h.z) + s.y, s.x * low_nibbles(h.w) + s.y);
}
