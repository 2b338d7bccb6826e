// Q5_1, 32 weights a unit: w = d q + m.
// quants: 16 bytes; byte j holds four bits of weight j in its low nibble and of weight j + 16 in its high one.
// scales: 8 bytes, the halves d and m, then a word of which bit j is the fifth bit of weight j.
fn numbers(nibbles: u32, fifth: u32) -> vec4<f32> {
    let low = (vec4<u32>(nibbles) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    let high = (vec4<u32>(fifth) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u);
    return vec4<f32>(low | (high << vec4<u32>(4u)));
}

fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let s = unpack2x16float(w_scales[b * 2u]);
    let f = w_scales[b * 2u + 1u];
    let q = w_quants[b];
    let h = q >> vec4<u32>(4u);
    return array<vec4<f32>, 8>(
        s.x * numbers(q.x, f) + s.y, s.x * numbers(q.y, f >> 4u) + s.y,
        s.x * numbers(q.z, f >> 8u) + s.y, s.x * numbers(q.w, f >> 12u) + s.y,
        s.x * numbers(h.x, f >> 16u) + s.y, s.x * numbers(h.y, f >> 20u) + s.y,
        s.x * numbers(h.z, f >> 24u) + s.y, s.x * numbers(h.w, f >> 28u) + s.y);
}
