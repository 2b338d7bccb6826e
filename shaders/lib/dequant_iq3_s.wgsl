// IQ3_S, 256 weights a unit in eight groups of 32: w = d (1 + 2 s) (2 q - 15). 4.1875 bits a weight.
// quants: 128 bytes, q in order. scales: 6 bytes, four bits of s for every group in order, the half d.
fn numbers(word: u32) -> vec4<f32> {
    return 2.0 * vec4<f32>(four_bits(word)) - 15.0;
}

fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let unit = b >> 3u;
    let g = b & 7u;
    let s = (scale_half(unit * 3u + (g >> 2u)) >> ((g & 3u) * 4u)) & 15u;
    let d = unpack2x16float(scale_half(unit * 3u + 2u)).x * f32(1u + 2u * s);
    let q = w_quants[b];
    return array<vec4<f32>, 8>(
        d * numbers(q.x), d * numbers(q.x >> 16u), d * numbers(q.y), d * numbers(q.y >> 16u),
        d * numbers(q.z), d * numbers(q.z >> 16u), d * numbers(q.w), d * numbers(q.w >> 16u));
}
