// TQ2_0 and TQ1_0, 256 weights a unit: w = d (q - 1). 2.0625 bits a weight.
// quants: 64 bytes, q in order, two bits each. scales: 2 bytes, the half d; an even and an odd unit share a word.
fn numbers(word: u32) -> vec4<f32> {
    return vec4<f32>(two_bits(word)) - 1.0;
}

fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let d = unpack2x16float(scale_half(b >> 3u)).x;
    let pair = w_quants[b >> 1u];
    let q = select(pair.xy, pair.zw, (b & 1u) == 1u);
    return array<vec4<f32>, 8>(
        d * numbers(q.x), d * numbers(q.x >> 8u), d * numbers(q.x >> 16u), d * numbers(q.x >> 24u),
        d * numbers(q.y), d * numbers(q.y >> 8u), d * numbers(q.y >> 16u), d * numbers(q.y >> 24u));
}
