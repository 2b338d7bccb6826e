// IQ1_S, 256 weights a unit in eight groups of 32: w = d (2 s + 1) (q - 1 ± 1/8), q in 0..=2. 2.1875 bits a weight.
// quants: 64 bytes, q in order, two bits each. scales: 6 bytes; for every group in order three bits of s and whether the
// shift by 1/8 is down; the half d.
fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let unit = b >> 3u;
    let g = b & 7u;
    let s = scale_half(unit * 3u + (g >> 2u)) >> ((g & 3u) * 4u);
    let d = unpack2x16float(scale_half(unit * 3u + 2u)).x * f32(((s & 7u) << 1u) + 1u);
    let least = select(-0.875, -1.125, (s & 8u) != 0u);
    let pair = w_quants[b >> 1u];
    let q = select(pair.xy, pair.zw, (b & 1u) == 1u);
    return array<vec4<f32>, 8>(
        d * (vec4<f32>(two_bits(q.x)) + least), d * (vec4<f32>(two_bits(q.x >> 8u)) + least),
        d * (vec4<f32>(two_bits(q.x >> 16u)) + least), d * (vec4<f32>(two_bits(q.x >> 24u)) + least),
        d * (vec4<f32>(two_bits(q.y)) + least), d * (vec4<f32>(two_bits(q.y >> 8u)) + least),
        d * (vec4<f32>(two_bits(q.y >> 16u)) + least), d * (vec4<f32>(two_bits(q.y >> 24u)) + least));
}
