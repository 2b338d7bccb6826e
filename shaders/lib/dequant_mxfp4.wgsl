// MXFP4, 32 weights a unit: w = d v, where four bits, a sign and a magnitude, stand for v = ±(0, 1, 2, 3, 4, 6, 8, 12).
// 4.5 bits a weight. quants: 16 bytes; byte j holds weight j in its low nibble and weight j + 16 in its high one.
// scales: 2 bytes, the upper half of d as an f32; an even and an odd unit share a word.
fn values(word: u32) -> vec4<f32> {
    let q = vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u);
    let magnitude = (vec4<u32>(0xc8643210u) >> ((q & vec4<u32>(7u)) << vec4<u32>(2u))) & vec4<u32>(15u);
    let sign = (q & vec4<u32>(8u)) << vec4<u32>(28u);
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(vec4<f32>(magnitude)) | sign);
}

fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let d = bitcast<f32>(select(w_scales[b >> 1u] << 16u, w_scales[b >> 1u] & 0xffff0000u, (b & 1u) == 1u));
    let q = w_quants[b];
    let h = q >> vec4<u32>(4u);
    return array<vec4<f32>, 8>(
        d * values(q.x), d * values(q.y), d * values(q.z), d * values(q.w),
        d * values(h.x), d * values(h.y), d * values(h.z), d * values(h.w));
}
