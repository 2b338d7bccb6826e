// Q2_K, 256 weights a unit in eight groups of 32, in runs of 16: w = d s q - dmin m.
// quants: 64 bytes; each half of the unit (four groups) has 32 bytes: its group j in bits 2j and 2j + 1.
// scales: 20 bytes; a byte for every run (scale in the low nibble, minimum in the high one), the halves d and dmin.
fn two_bits(word: u32) -> vec4<f32> {
    return vec4<f32>((vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(3u));
}

fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let unit = b >> 3u;
    let g = b & 7u;
    let runs = w_scales[unit * 5u + (g >> 1u)] >> ((g & 1u) * 16u);
    let d = unpack2x16float(w_scales[unit * 5u + 4u]);
    let s = d.x * vec2<f32>(f32(runs & 15u), f32((runs >> 8u) & 15u));
    let m = d.y * vec2<f32>(f32((runs >> 4u) & 15u), f32((runs >> 12u) & 15u));
    let shift = vec4<u32>((g & 3u) * 2u);
    let at = unit * 4u + (g >> 2u) * 2u;
    let q = w_quants[at] >> shift;
    let r = w_quants[at + 1u] >> shift;
    return array<vec4<f32>, 8>(
        s.x * two_bits(q.x) - m.x, s.x * two_bits(q.y) - m.x, s.x * two_bits(q.z) - m.x, s.x * two_bits(q.w) - m.x,
        s.y * two_bits(r.x) - m.y, s.y * two_bits(r.y) - m.y, s.y * two_bits(r.z) - m.y, s.y * two_bits(r.w) - m.y);
}
