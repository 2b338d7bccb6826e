// IQ4_NL, 32 weights a unit: w = d v, where v is the value of four bits. 4.5 bits a weight.
// quants: 16 bytes; byte j holds weight j in its low nibble and weight j + 16 in its high one.
// scales: 2 bytes, the half d; an even and an odd unit share a word.
fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let d = unpack2x16float(w_scales[b >> 1u] >> ((b & 1u) * 16u)).x;
    let q = w_quants[b];
    let h = q >> vec4<u32>(4u);
    return array<vec4<f32>, 8>(
        d * values(q.x), d * values(q.y), d * values(q.z), d * values(q.w),
        d * values(h.x), d * values(h.y), d * values(h.z), d * values(h.w));
}
