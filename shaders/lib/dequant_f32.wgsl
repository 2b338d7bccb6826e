// F32, 32 weights a unit. quants: 128 bytes, the weights in order. scales: none.
fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let at = b * 8u;
    return array<vec4<f32>, 8>(
        bitcast<vec4<f32>>(w_quants[at]), bitcast<vec4<f32>>(w_quants[at + 1u]),
        bitcast<vec4<f32>>(w_quants[at + 2u]), bitcast<vec4<f32>>(w_quants[at + 3u]),
        bitcast<vec4<f32>>(w_quants[at + 4u]), bitcast<vec4<f32>>(w_quants[at + 5u]),
        bitcast<vec4<f32>>(w_quants[at + 6u]), bitcast<vec4<f32>>(w_quants[at + 7u]));
}
