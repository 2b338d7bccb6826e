// Q4_0, 32 weights a unit: w = d (q - 8).
// quants: 16 bytes; byte j holds weight j in its low nibble and weight j + 16 in its high one.
// scales: 2 bytes, the half d; an even and an odd unit share a word.
fn low_nibbles(word: u32) -> vec4<f32> {
    return vec4<f32>((vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u));
}

fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let d = unpack2x16float(w_scales[b >> 1u] >> ((b & 1u) * 16u)).x;
    let q = w_quants[b];
    let h = q >> vec4<u32>(4u);
    return array<vec4<f32>, 8>(
        d * (low_nibbles(q.x) - 8.0), d * (low_nibbles(q.y) - 8.0),
        d * (low_nibbles(q.z) - 8.0), d * (low_nibbles(q.w) - 8.0),
        d * (low_nibbles(h.x) - 8.0), d * (low_nibbles(h.y) - 8.0),
        d * (low_nibbles(h.z) - 8.0), d * (low_nibbles(h.w) - 8.0));
}

// The same unit as integers, as matmul.wgsl multiplies them: 32 signed bytes in order; then, as bits of f32, the scale of the
// first 16 and of the others, and what is taken off.
fn load_levels(b: u32) -> array<vec4<u32>, 3> {
    let d = unpack2x16float(w_scales[b >> 1u] >> ((b & 1u) * 16u)).x;
    let q = w_quants[b];
    let scales = vec4<f32>(d, d, 8.0 * d, 0.0);
    return array<vec4<u32>, 3>(
        q & vec4<u32>(0x0f0f0f0fu), (q >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu), bitcast<vec4<u32>>(scales));
}
