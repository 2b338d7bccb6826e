// IQ2_XXS, 256 weights a unit in eight groups of 32: w = d (1/2 + s) / 4 · ±(8, 25 or 43). 3.0625 bits a weight.
// quants: 96 bytes, see iq2_numbers.wgsl; a group's word has seven signs for every eight weights, of which an even number
// is negative, then four bits of s. scales: 2 bytes, the half d.
fn eight_signs(seven: u32) -> u32 {
    return (seven & 127u) | ((countOneBits(seven & 127u) & 1u) << 7u);
}

fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let q = group_levels(b);
    let word = group_word(b);
    let d = unpack2x16float(scale_half(b >> 3u)).x * (0.125 + 0.25 * f32(word >> 28u));
    let s0 = eight_signs(word);
    let s1 = eight_signs(word >> 7u);
    let s2 = eight_signs(word >> 14u);
    let s3 = eight_signs(word >> 21u);
    return array<vec4<f32>, 8>(
        d * numbers(q.x, s0), d * numbers(q.x >> 8u, s0 >> 4u),
        d * numbers(q.x >> 16u, s1), d * numbers(q.x >> 24u, s1 >> 4u),
        d * numbers(q.y, s2), d * numbers(q.y >> 8u, s2 >> 4u),
        d * numbers(q.y >> 16u, s3), d * numbers(q.y >> 24u, s3 >> 4u));
}
