// Q8_0, 32 weights a unit: w = d q.
// quants: 32 bytes, the signed weights in order. scales: 2 bytes, the half d; an even and an odd unit share a word.
fn signed_bytes(word: u32) -> vec4<f32> {
    return vec4<f32>(bitcast<vec4<i32>>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));
}

fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let d = unpack2x16float(w_scales[b >> 1u] >> ((b & 1u) * 16u)).x;
    let q = w_quants[b * 2u];
    let r = w_quants[b * 2u + 1u];
    return array<vec4<f32>, 8>(
        d * signed_bytes(q.x), d * signed_bytes(q.y), d * signed_bytes(q.z), d * signed_bytes(q.w),
        d * signed_bytes(r.x), d * signed_bytes(r.y), d * signed_bytes(r.z), d * signed_bytes(r.w));
}

// The same unit as integers, as matmul.wgsl multiplies them: 32 signed bytes in order; then, as bits of f32, the scale of the
// first 16 and of the others, and what is taken off.
fn load_levels(b: u32) -> array<vec4<u32>, 3> {
    let d = unpack2x16float(w_scales[b >> 1u] >> ((b & 1u) * 16u)).x;
    let scales = vec4<f32>(d, d, 0.0, 0.0);
    return array<vec4<u32>, 3>(w_quants[b * 2u], w_quants[b * 2u + 1u], bitcast<vec4<u32>>(scales));
}
