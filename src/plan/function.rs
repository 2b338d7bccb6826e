//! Functions of one number: the activations of feed-forward layers, and the few others that networks apply everywhere.

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// `x / (1 + exp(-x))`, also called swish.
    Silu,
    /// `x Φ(x)` with the normal distribution's `Φ` (Hendrycks & Gimpel 2016).
    Gelu,
    /// The same by the paper's approximation with a hyperbolic tangent.
    GeluTanh,
    /// `x / (1 + exp(-1.702 x))`.
    QuickGelu,
    /// `max(x, 0)`.
    Relu,
    /// `max(x, 0)²` (So et al. 2021).
    ReluSquared,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// Multiplication with a number.
    Scale(f32),
    /// `cap * tanh(x / cap)`.
    SoftCap(f32),
    /// Not below the negative number, not above it.
    Clamp(f32),
    /// Not above the number.
    AtMost(f32),
    /// Addition of a number.
    Shift(f32),
}

impl Function {
    /// The activation that `config.json` calls `name`, as transformers' `ACT2FN` does.
    pub fn named(name: &str) -> Option<Function> {
        Some(match name {
            "silu" | "swish" => Function::Silu,
            "gelu" => Function::Gelu,
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" | "gelu_accurate" => Function::GeluTanh,
            "quick_gelu" => Function::QuickGelu,
            "relu" => Function::Relu,
            "relu2" => Function::ReluSquared,
            "tanh" => Function::Tanh,
            "sigmoid" => Function::Sigmoid,
            _ => return None,
        })
    }

    /// The name of its condition in shaders.
    pub fn name(self) -> &'static str {
        match self {
            Function::Silu => "silu",
            Function::Gelu => "gelu",
            Function::GeluTanh => "gelu_tanh",
            Function::QuickGelu => "quick_gelu",
            Function::Relu => "relu",
            Function::ReluSquared => "relu_squared",
            Function::Tanh => "tanh",
            Function::Sigmoid => "sigmoid",
            Function::Scale(_) => "scale",
            Function::SoftCap(_) => "soft_cap",
            Function::Clamp(_) => "clamp",
            Function::AtMost(_) => "at_most",
            Function::Shift(_) => "shift",
        }
    }

    /// Its parameter, or 0 where it has none.
    pub fn parameter(self) -> f32 {
        match self {
            Function::Scale(p)
            | Function::SoftCap(p)
            | Function::Clamp(p)
            | Function::AtMost(p)
            | Function::Shift(p) => p,
            _ => 0.0,
        }
    }

    /// The function itself.
    pub fn apply(self, x: f32) -> f32 {
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        match self {
            Function::Silu => x * sigmoid(x),
            Function::Gelu => 0.5 * x * erfc(-f64::from(x) * std::f64::consts::FRAC_1_SQRT_2) as f32,
            Function::GeluTanh => {
                const ROOT: f32 = 0.797_884_6; // sqrt(2 / π)
                0.5 * x * (1.0 + (ROOT * (x + 0.044_715 * x * x * x)).tanh())
            }
            Function::QuickGelu => x * sigmoid(1.702 * x),
            Function::Relu => x.max(0.0),
            Function::ReluSquared => x.max(0.0) * x.max(0.0),
            Function::Tanh => x.tanh(),
            Function::Sigmoid => sigmoid(x),
            Function::Scale(factor) => factor * x,
            Function::SoftCap(cap) => cap * (x / cap).tanh(),
            Function::Clamp(limit) => x.clamp(-limit, limit),
            Function::AtMost(limit) => x.min(limit),
            Function::Shift(more) => x + more,
        }
    }
}

/// The complementary error function `1 - erf(x)` with a relative error below 1.2e-7 everywhere: the Chebyshev fit of
/// Press et al., *Numerical Recipes*, section 6.2.
fn erfc(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let t = 1.0 / (1.0 + 0.5 * x.abs());
    let exponent = COEFFICIENTS.iter().rev().fold(0.0, |sum, c| c + t * sum);
    let tail = t * (exponent - x * x).exp();
    if x >= 0.0 { tail } else { 2.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of `math.erfc` in Python.
    #[test]
    fn erfc_is_right_to_single_precision() {
        for (x, truth) in [
            (0.0, 1.0),
            (0.5, 0.479_500_122_186_953_5),
            (1.0, 0.157_299_207_050_285_13),
            (3.0, 2.209_049_699_858_544e-5),
            (-2.0, 1.995_322_265_018_952_7),
            (-0.1, 1.112_462_916_018_284_9),
        ] {
            assert!((erfc(x) / truth - 1.0).abs() < 1.3e-7, "{x}: {} is not {truth}", erfc(x));
        }
    }

    /// Values of `torch.nn.functional` in double precision.
    #[test]
    fn activations_have_their_published_values() {
        for (f, x, truth) in [
            (Function::Silu, 1.5, 1.226_361_7),
            (Function::Gelu, -0.7, -0.169_374_5),
            (Function::GeluTanh, -0.7, -0.169_429_87),
            (Function::QuickGelu, -0.7, -0.163_106_05),
            (Function::ReluSquared, -3.0, 0.0),
            (Function::SoftCap(30.0), 45.0, 27.154_45),
            (Function::Clamp(2.0), -5.0, -2.0),
            (Function::AtMost(2.0), 5.0, 2.0),
            (Function::Shift(1.0), -5.0, -4.0),
        ] {
            assert!((f.apply(x) - truth).abs() < 2e-6, "{f:?}({x}) = {}", f.apply(x));
        }
    }
}
