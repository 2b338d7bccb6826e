// Q3_K, 256 weights a unit in eight groups of 32, in runs of 16: w = d (s - 32) (q - 4).
// quants: 96 bytes; 32 bytes of third bits (group g in bit g), then for each half of the unit 32 bytes of low bits,
// its group j in bits 2j and 2j + 1. scales: 14 bytes; the low four bits of runs 0..8 and 8..16 in the nibbles of
// 8 bytes, the high two bits of run r in byte 8 + r % 4 at bit 2 (r / 4), the half d.
fn scale_half(i: u32) -> u32 {
    return w_scales[i >> 1u] >> ((i & 1u) * 16u);
}

fn numbers(low: u32, third: u32) -> vec4<f32> {
    let shift = vec4<u32>(0u, 8u, 16u, 24u);
    let high = (vec4<u32>(third) >> shift) & vec4<u32>(1u);
    return vec4<f32>(((vec4<u32>(low) >> shift) & vec4<u32>(3u)) | (high << vec4<u32>(2u))) - 4.0;
}

fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let unit = b >> 3u;
    let g = b & 7u;
    let runs = scale_half(unit * 7u + (g & 3u)) >> ((g >> 2u) * 4u);
    let highs = scale_half(unit * 7u + 4u + (g & 1u)) >> ((g >> 1u) * 2u);
    let d = unpack2x16float(scale_half(unit * 7u + 6u)).x;
    let s = vec2<u32>((runs & 15u) | ((highs & 3u) << 4u), ((runs >> 8u) & 15u) | (((highs >> 8u) & 3u) << 4u));
    let f = d * (vec2<f32>(s) - 32.0);
    let at = unit * 6u;
    let q = w_quants[at + 2u + (g >> 2u) * 2u] >> vec4<u32>((g & 3u) * 2u);
    let r = w_quants[at + 3u + (g >> 2u) * 2u] >> vec4<u32>((g & 3u) * 2u);
    let t = w_quants[at] >> vec4<u32>(g);
    let u = w_quants[at + 1u] >> vec4<u32>(g);
    return array<vec4<f32>, 8>(
        f.x * numbers(q.x, t.x), f.x * numbers(q.y, t.y), f.x * numbers(q.z, t.z), f.x * numbers(q.w, t.w),
        f.y * numbers(r.x, u.x), f.y * numbers(r.y, u.y), f.y * numbers(r.z, u.z), f.y * numbers(r.w, u.w));
}
