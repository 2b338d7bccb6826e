// IQ1_M, 256 weights a unit in eight groups of 32: w = d (2 s + 1) (q - 1 ± 1/8), q in 0..=2, with an s for every run of 16
// and a shift for every eight weights. 2.375 bits a weight. quants: 64 bytes, q in order, two bits each.
// scales: 12 bytes; four 16-bit words, each with three bits of s for four runs and, on top, a nibble of the half d; then a
// word of which bit i says whether the shift of the i-th eight is down.
fn load_block(b: u32) -> array<vec4<f32>, 8> {
    let unit = b >> 3u;
    let g = b & 7u;
    let low = w_scales[unit * 3u];
    let high = w_scales[unit * 3u + 1u];
    let down = w_scales[unit * 3u + 2u] >> (g * 4u);
    let runs = select(low, high, g >= 4u) >> (((g >> 1u) & 1u) * 16u + (g & 1u) * 6u);
    let half = ((low >> 12u) & 15u) | ((low >> 24u) & 240u) | ((high >> 4u) & 3840u) | ((high >> 16u) & 61440u);
    let s = (vec2<u32>(runs, runs >> 3u) & vec2<u32>(7u)) * 2u + 1u;
    let d = unpack2x16float(half).x * vec2<f32>(s);
    let shifts = (vec4<u32>(down) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u);
    let least = vec4<f32>(-0.875) - 0.25 * vec4<f32>(shifts);
    let pair = w_quants[b >> 1u];
    let q = select(pair.xy, pair.zw, (b & 1u) == 1u);
    return array<vec4<f32>, 8>(
        d.x * (vec4<f32>(two_bits(q.x)) + least.x), d.x * (vec4<f32>(two_bits(q.x >> 8u)) + least.x),
        d.x * (vec4<f32>(two_bits(q.x >> 16u)) + least.y), d.x * (vec4<f32>(two_bits(q.x >> 24u)) + least.y),
        d.y * (vec4<f32>(two_bits(q.y)) + least.z), d.y * (vec4<f32>(two_bits(q.y >> 8u)) + least.z),
        d.y * (vec4<f32>(two_bits(q.y >> 16u)) + least.w), d.y * (vec4<f32>(two_bits(q.y >> 24u)) + least.w));
}
