// Q5_0, 32 weights a unit: w = d (q - 16).
// quants: 16 bytes; byte j holds four bits of weight j in its low nibble and of weight j + 16 in its high one.
// scales: 6 bytes, the half d, then a word of which bit j is the fifth bit of weight j.
fn numbers(nibbles: u32, fifth: u32) -> vec4<f32> {
    let low = (vec4<u32>(nibbles) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    let high = (vec4<u32>(fifth) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u);
    return vec4<f32>(low | (high << vec4<u32>(4u))) - 16.0;
}

fn load_block(b: u32) -> array<vec4<f32>, 8> {
    // Three halves a unit: an odd unit begins in the middle of a word.
    let odd = (b & 1u) == 1u;
    let s0 = w_scales[(b * 3u) >> 1u];
    let s1 = w_scales[((b * 3u) >> 1u) + 1u];
    let d = unpack2x16float(select(s0, s0 >> 16u, odd)).x;
    let f = select((s0 >> 16u) | (s1 << 16u), s1, odd);
    let q = w_quants[b];
    let h = q >> vec4<u32>(4u);
    return array<vec4<f32>, 8>(
        d * numbers(q.x, f), d * numbers(q.y, f >> 4u), d * numbers(q.z, f >> 8u), d * numbers(q.w, f >> 12u),
        d * numbers(h.x, f >> 16u), d * numbers(h.y, f >> 20u), d * numbers(h.z, f >> 24u), d * numbers(h.w, f >> 28u));
}
