// IQ4_XS, 256 weights a unit in eight groups of 32: w = d (s - 32) v, where v is the value of four bits. 4.25 bits a weight.
// quants: 16 bytes a group; byte j holds weight j in its low nibble and weight j + 16 in its high one.
// scales: 8 bytes; the half d, two high bits of s for every group, four low bits for every group.
fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let unit = b >> 3u;
    let g = b & 7u;
    let first = w_scales[unit * 2u];
    let low = (w_scales[unit * 2u + 1u] >> (g * 4u)) & 15u;
    let high = (first >> (16u + g * 2u)) & 3u;
    let d = unpack2x16float(first).x * (f32(low | (high << 4u)) - 32.0);
    let q = w_quants[b];
    let h = q >> vec4<u32>(4u);
    return array<vec4<f32>, 8>(
        d * values(q.x), d * values(q.y), d * values(q.z), d * values(q.w),
        d * values(h.x), d * values(h.y), d * values(h.z), d * values(h.w));
}
