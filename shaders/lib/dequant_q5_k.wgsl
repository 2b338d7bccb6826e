// Q5_K, 256 weights a unit in eight groups of 32: w = d s q - dmin m.
// quants: 160 bytes; 32 of fifth bits (group g in bit g), then 32 for every two groups, the even one in the low nibbles,
// the odd one in the high nibbles.
// scales: 16 bytes; the halves d and dmin, then three words of 6-bit scales and minima: byte k of the first two is
// group k's scale and minimum and the high two bits of group k + 4's, whose low four bits are in byte k of the third.
fn numbers(nibbles: u32, fifth: u32) -> vec4<f32> {
    let shift = vec4<u32>(0u, 8u, 16u, 24u);
    let high = (vec4<u32>(fifth) >> shift) & vec4<u32>(1u);
    return vec4<f32>(((vec4<u32>(nibbles) >> shift) & vec4<u32>(15u)) | (high << vec4<u32>(4u)));
}

fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let unit = b >> 3u;
    let g = b & 7u;
    let k = (g & 3u) * 8u;
    let first = vec2<u32>(w_scales[unit * 4u + 1u] >> k, w_scales[unit * 4u + 2u] >> k);
    let last = w_scales[unit * 4u + 3u] >> k;
    let upper = (vec2<u32>(last, last >> 4u) & vec2<u32>(15u)) | ((first >> vec2<u32>(2u)) & vec2<u32>(48u));
    let s = unpack2x16float(w_scales[unit * 4u]) * vec2<f32>(select(upper, first & vec2<u32>(63u), g < 4u));
    let at = unit * 10u;
    let t = w_quants[at] >> vec4<u32>(g);
    let u = w_quants[at + 1u] >> vec4<u32>(g);
    let q = w_quants[at + 2u + (g >> 1u) * 2u] >> vec4<u32>((g & 1u) * 4u);
    let r = w_quants[at + 3u + (g >> 1u) * 2u] >> vec4<u32>((g & 1u) * 4u);
    return array<vec4<f32>, 8>(
        s.x * numbers(q.x, t.x) - s.y, s.x * numbers(q.y, t.y) - s.y,
        s.x * numbers(q.z, t.z) - s.y, s.x * numbers(q.w, t.w) - s.y,
        s.x * numbers(r.x, u.x) - s.y, s.x * numbers(r.y, u.y) - s.y,
        s.x * numbers(r.z, u.z) - s.y, s.x * numbers(r.w, u.w) - s.y);
}
