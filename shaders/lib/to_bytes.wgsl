// 32 numbers as signed bytes: a scale, then four in a word.
// Magnitudes stand in the order of their bits, and what is no number above all of them: so the scale becomes none either.
fn more_bits(bits: u32, x: f32) -> u32 {
    return max(bits, bitcast<u32>(abs(x)));
}

fn scale_of(bits: u32) -> f32 {
    return bitcast<f32>(bits) / 127.0;
}

fn to_bytes(x: vec4<f32>, scale: f32) -> u32 {
    let whole = clamp(round(x / max(scale, 1e-30)), vec4<f32>(-127.0), vec4<f32>(127.0));
    let bytes = bitcast<vec4<u32>>(vec4<i32>(whole)) & vec4<u32>(255u);
    return bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
}
