// IQ3_XXS, 256 weights a unit in eight groups of 32: w = d (1/2 + s) / 2 · v, where q = 0 … 15 stands for
// v = -62, -52, -44, … -4, 4, … 52, 62. 4.1875 bits a weight.
// quants: 128 bytes, q in order. scales: 6 bytes, four bits of s for every group in order, the half d.
fn numbers(word: u32) -> vec4<f32> {
    let q = four_bits(word);
    let ends = min(q, vec4<u32>(1u)) + ((q + vec4<u32>(1u)) >> vec4<u32>(4u)); // 0 at the least, 2 at the largest
    return vec4<f32>(vec4<u32>(8u) * q + vec4<u32>(2u) * ends) - 62.0;
}

fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let unit = b >> 3u;
    let g = b & 7u;
    let s = (scale_half(unit * 3u + (g >> 2u)) >> ((g & 3u) * 4u)) & 15u;
    let d = unpack2x16float(scale_half(unit * 3u + 2u)).x * (0.25 + 0.5 * f32(s));
    let q = w_quants[b];
    return array<vec4<f32>, 8>(
        d * numbers(q.x), d * numbers(q.x >> 16u), d * numbers(q.y), d * numbers(q.y >> 16u),
        d * numbers(q.z), d * numbers(q.z >> 16u), d * numbers(q.w), d * numbers(q.w >> 16u));
}
