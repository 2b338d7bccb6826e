// Q6_K, 256 weights a unit in eight groups of 32, in runs of 16: w = d s (q - 32).
// quants: 192 bytes. Low four bits: each half of the unit (four groups) has 64 bytes, its groups 0 and 1 in the low
// nibbles of the first and second 32 bytes, its groups 2 and 3 in their high nibbles. Then high two bits: each half has
// 32 bytes, its group j in bits 2j and 2j + 1. scales: 18 bytes, a signed byte for every run and the half d.
fn scale_half(i: u32) -> u32 {
    return w_scales[i >> 1u] >> ((i & 1u) * 16u);
}

fn numbers(low: u32, high: u32) -> vec4<f32> {
    let shift = vec4<u32>(0u, 8u, 16u, 24u);
    let top = (vec4<u32>(high) >> shift) & vec4<u32>(3u);
    return vec4<f32>(((vec4<u32>(low) >> shift) & vec4<u32>(15u)) | (top << vec4<u32>(4u))) - 32.0;
}

fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let unit = b >> 3u;
    let g = b & 7u;
    let half = g >> 2u;
    let j = g & 3u;
    let runs = scale_half(unit * 9u + g);
    let d = unpack2x16float(scale_half(unit * 9u + 8u)).x;
    let s = d * vec2<f32>(bitcast<vec2<i32>>(vec2<u32>(runs << 24u, runs << 16u)) >> vec2<u32>(24u));
    let low = unit * 12u + half * 4u + (j & 1u) * 2u;
    let high = unit * 12u + 8u + half * 2u;
    let q = w_quants[low] >> vec4<u32>((j >> 1u) * 4u);
    let r = w_quants[low + 1u] >> vec4<u32>((j >> 1u) * 4u);
    let t = w_quants[high] >> vec4<u32>(j * 2u);
    let u = w_quants[high + 1u] >> vec4<u32>(j * 2u);
    return array<vec4<f32>, 8>(
        s.x * numbers(q.x, t.x), s.x * numbers(q.y, t.y), s.x * numbers(q.z, t.z), s.x * numbers(q.w, t.w),
        s.y * numbers(r.x, u.x), s.y * numbers(r.y, u.y), s.y * numbers(r.z, u.z), s.y * numbers(r.w, u.w));
}

// The same unit as integers, as matmul.wgsl multiplies them: 32 signed bytes in order; then, as bits of f32, the scale of the
// first 16 and of the others, and what is taken off.
fn load_levels(b: u32) -> array<vec4<u32>, 3> {
    let unit = b >> 3u;
    let g = b & 7u;
    let half = g >> 2u;
    let j = g & 3u;
    let runs = scale_half(unit * 9u + g);
    let d = unpack2x16float(scale_half(unit * 9u + 8u)).x;
    let s = d * vec2<f32>(bitcast<vec2<i32>>(vec2<u32>(runs << 24u, runs << 16u)) >> vec2<u32>(24u));
    let low = unit * 12u + half * 4u + (j & 1u) * 2u;
    let high = unit * 12u + 8u + half * 2u;
    let shift = vec4<u32>((j >> 1u) * 4u);
    let scales = vec4<f32>(s, 0.0, 0.0);
    return array<vec4<u32>, 3>(
        centred(w_quants[low] >> shift, w_quants[high] >> vec4<u32>(j * 2u)),
        centred(w_quants[low + 1u] >> shift, w_quants[high + 1u] >> vec4<u32>(j * 2u)), bitcast<vec4<u32>>(scales));
}

// Six bits less 32, byte by byte: none borrows from the next.
fn centred(low: vec4<u32>, high: vec4<u32>) -> vec4<u32> {
    let six = (low & vec4<u32>(0x0f0f0f0fu)) | ((high & vec4<u32>(0x03030303u)) << vec4<u32>(4u));
    return (six + vec4<u32>(0x60606060u)) ^ vec4<u32>(0x80808080u);
}
