// The hyperbolic tangent without powers that overflow. WGSL's own may be a quotient of two infinities for large
// arguments, and need be right to 1e-5 only.
fn hyperbolic_tangent(x: f32) -> f32 {
    let e = exp(-2.0 * abs(x));
    return sign(x) * (1.0 - e) / (1.0 + e);
}
