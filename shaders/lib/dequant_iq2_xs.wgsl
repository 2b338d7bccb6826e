// IQ2_XS and IQ2_S, 256 weights a unit in eight groups of 32, in runs of 16: w = d (1/2 + s) / 4 · ±(8, 25 or 43).
// 3.3125 bits a weight. quants: 96 bytes, see iq2_numbers.wgsl; a group's word has a sign for every weight.
// scales: 10 bytes, four bits of s for every run in order, the half d.
fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let unit = b >> 3u;
    let g = b & 7u;
    let runs = scale_half(unit * 5u + (g >> 1u)) >> ((g & 1u) * 8u);
    let d = unpack2x16float(scale_half(unit * 5u + 4u)).x;
    let f = d * (vec2<f32>(f32(runs & 15u), f32((runs >> 4u) & 15u)) * 0.25 + 0.125);
    let q = group_levels(b);
    let s = group_word(b);
    return array<vec4<f32>, 8>(
        f.x * numbers(q.x, s), f.x * numbers(q.x >> 8u, s >> 4u),
        f.x * numbers(q.x >> 16u, s >> 8u), f.x * numbers(q.x >> 24u, s >> 12u),
        f.y * numbers(q.y, s >> 16u), f.y * numbers(q.y >> 8u, s >> 20u),
        f.y * numbers(q.y >> 16u, s >> 24u), f.y * numbers(q.y >> 24u, s >> 28u));
}
