// The values of four numbers of four bits in IQ4_NL and IQ4_XS, one in the low nibble of each byte.
fn values(word: u32) -> vec4<f32> {
    let q = (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    // Signed bytes, four a word: -127 -104 -83 -65, -49 -35 -22 -10, 1 13 25 38, 53 69 89 113.
    let second = (q & vec4<u32>(4u)) != vec4<u32>(0u);
    let negative = select(vec4<u32>(0xbfad9881u), vec4<u32>(0xf6eaddcfu), second);
    let positive = select(vec4<u32>(0x26190d01u), vec4<u32>(0x71594535u), second);
    let four = select(negative, positive, q >= vec4<u32>(8u));
    let top = vec4<u32>(24u) - ((q & vec4<u32>(3u)) << vec4<u32>(3u));
    return vec4<f32>(bitcast<vec4<i32>>(four << top) >> vec4<u32>(24u));
}

