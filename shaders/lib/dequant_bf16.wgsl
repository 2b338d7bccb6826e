// BF16, 32 weights a unit. quants: 64 bytes, the weights in order, two a word. scales: none.
fn four(a: u32, b: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(a << 16u, a & 0xffff0000u, b << 16u, b & 0xffff0000u));
}

fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let at = b * 4u;
    let q0 = w_quants[at];
    let q1 = w_quants[at + 1u];
    let q2 = w_quants[at + 2u];
    let q3 = w_quants[at + 3u];
    return array<vec4<f32>, 8>(
        four(q0.x, q0.y), four(q0.z, q0.w), four(q1.x, q1.y), four(q1.z, q1.w),
        four(q2.x, q2.y), four(q2.z, q2.w), four(q3.x, q3.y), four(q3.z, q3.w));
}
