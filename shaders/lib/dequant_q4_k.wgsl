// Q4_K, 256 weights a unit in eight groups of 32: w = d s q - dmin m.
// quants: 128 bytes; 32 for every two groups, the even one in the low nibbles, the odd one in the high nibbles.
// scales: 16 bytes; the halves d and dmin, then three words of 6-bit scales and minima: byte k of the first two is
// group k's scale and minimum and the high two bits of group k + 4's, whose low four bits are in byte k of the third.
fn low_nibbles(word: u32) -> vec4<f32> {
    return vec4<f32>((vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u));
}

// The scale and the minimum of group b.
fn scale_and_least(b: u32) -> vec2<f32> {
    let unit = b >> 3u;
    let g = b & 7u;
    let k = (g & 3u) * 8u;
    let first = vec2<u32>(w_scales[unit * 4u + 1u] >> k, w_scales[unit * 4u + 2u] >> k);
    let last = w_scales[unit * 4u + 3u] >> k;
    let upper = (vec2<u32>(last, last >> 4u) & vec2<u32>(15u)) | ((first >> vec2<u32>(2u)) & vec2<u32>(48u));
    return unpack2x16float(w_scales[unit * 4u]) * vec2<f32>(select(upper, first & vec2<u32>(63u), g < 4u));
}

fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let s = scale_and_least(b);
    let at = (b >> 3u) * 8u + ((b & 7u) >> 1u) * 2u;
    let shift = vec4<u32>((b & 1u) * 4u);
    let q = w_quants[at] >> shift;
    let r = w_quants[at + 1u] >> shift;
    return array<vec4<f32>, 8>(
        s.x * low_nibbles(q.x) - s.y, s.x * low_nibbles(q.y) - s.y,
        s.x * low_nibbles(q.z) - s.y, s.x * low_nibbles(q.w) - s.y,
        s.x * low_nibbles(r.x) - s.y, s.x * low_nibbles(r.y) - s.y,
        s.x * low_nibbles(r.z) - s.y, s.x * low_nibbles(r.w) - s.y);
}

// The same unit as integers, as matmul.wgsl multiplies them: 32 signed bytes in order; then, as bits of f32, the scale of the
// first 16 and of the others, and what is taken off.
fn load_levels(b: u32) -> array<vec4<u32>, 3> {
    let s = scale_and_least(b);
    let at = (b >> 3u) * 8u + ((b & 7u) >> 1u) * 2u;
    let shift = vec4<u32>((b & 1u) * 4u);
    let scales = vec4<f32>(s.x, s.x, s.y, 0.0);
    return array<vec4<u32>, 3>(
        (w_quants[at] >> shift) & vec4<u32>(0x0f0f0f0fu), (w_quants[at + 1u] >> shift) & vec4<u32>(0x0f0f0f0fu),
        bitcast<vec4<u32>>(scales));
}
