// The quants of the IQ2 types, 256 weights a unit: for each half of it 32 bytes of levels, two bits each and in order, then
// a word for each of its four groups of 32, which has the group's signs.
fn group_levels(b: u32) -> vec2<u32> {
    let pair = w_quants[(b >> 2u) * 3u + ((b >> 1u) & 1u)];
    return select(pair.xy, pair.zw, (b & 1u) == 1u);
}

fn group_word(b: u32) -> u32 {
    return w_quants[(b >> 2u) * 3u + 2u][b & 3u];
}

// Levels 0, 1, 2 stand for 8, 25, 43; a bit of `signs` for each.
fn numbers(levels: u32, signs: u32) -> vec4<f32> {
    let level = two_bits(levels);
    let magnitude = vec4<f32>(vec4<u32>(8u) + vec4<u32>(17u) * level + (level >> vec4<u32>(1u)));
    let sign = (vec4<u32>(signs) << vec4<u32>(31u, 30u, 29u, 28u)) & vec4<u32>(0x80000000u);
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(magnitude) ^ sign);
}

