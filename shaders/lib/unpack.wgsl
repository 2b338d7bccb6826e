// Small numbers that lie in order, the first in the lowest bits of a word; halves among the scales.
fn two_bits(word: u32) -> vec4<u32> {
    return (vec4<u32>(word) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(3u);
}

fn four_bits(word: u32) -> vec4<u32> {
    return (vec4<u32>(word) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(15u);
}

fn scale_half(i: u32) -> u32 {
    return w_scales[i >> 1u] >> ((i & 1u) * 16u);
}

