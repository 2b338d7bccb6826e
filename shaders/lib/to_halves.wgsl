// Two numbers as halves in one word. What is beyond the largest half becomes the largest, as packing leaves open what else.
fn to_halves(x: vec2<f32>) -> u32 {
    let most = vec2<f32>(65504.0);
    return pack2x16float(clamp(x, -most, most));
}
