// Random numbers without state: a hash of the seed, the draw's number and the token.

// Jarzynski & Olano, "Hash Functions for GPU Rendering" (2020).
fn pcg4d(seed: vec4<u32>) -> vec4<u32> {
    var v = seed * 1664525u + 1013904223u;
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    v ^= v >> vec4<u32>(16u);
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    return v;
}

// An exponentially distributed number for this draw and token.
fn exponential(token: u32) -> f32 {
    let bits = pcg4d(vec4<u32>(run.seed_low, run.seed_high, run.draw, token)).x;
    // u in (0, 1); small u, which win races, keep all their bits: -log(1 - u) = u + u²/2 + u³/3 + …
    let u = (f32(bits) + 0.5) / 4294967296.0;
    if (u < 0.01) {
        return u * (1.0 + u * (0.5 + u / 3.0));
    }
    return -log(1.0 - min(u, 0.99999994));
}
