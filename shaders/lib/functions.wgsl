// The functions of plan::Function; PARAMETER is a factor, a cap, a limit or a summand where there is one.
override PARAMETER: f32;
{% if tanh or gelu_tanh or soft_cap %}
{% include "lib/tanh.wgsl" %}
{% elif silu or quick_gelu or sigmoid %}
fn logistic(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(min(-x, 80.0))); // WGSL need not keep the infinity of a larger power
}
{% elif gelu %}
// The complementary error function: the Chebyshev fit of Press et al., Numerical Recipes, section 6.2.
fn erfc(x: f32) -> f32 {
    let z = min(abs(x), 10.0); // beyond, single precision has no more than 0 or 2
    let t = 1.0 / (1.0 + 0.5 * z);
    var sum = 0.17087277;
    sum = sum * t - 0.82215223;
    sum = sum * t + 1.48851587;
    sum = sum * t - 1.13520398;
    sum = sum * t + 0.27886807;
    sum = sum * t - 0.18628806;
    sum = sum * t + 0.09678418;
    sum = sum * t + 0.37409196;
    sum = sum * t + 1.00002368;
    sum = sum * t - 1.26551223;
    let tail = t * exp(sum - z * z);
    return select(2.0 - tail, tail, x >= 0.0);
}
{% endif %}
fn apply(x: f32) -> f32 {
{%- if silu %}
    return x * logistic(x);
{%- elif gelu %}
    return 0.5 * x * erfc(-0.70710678 * x);
{%- elif gelu_tanh %}
    return 0.5 * x * (1.0 + hyperbolic_tangent(0.7978846 * (x + 0.044715 * x * x * x))); // sqrt(2 / pi)
{%- elif quick_gelu %}
    return x * logistic(1.702 * x);
{%- elif relu %}
    return max(x, 0.0);
{%- elif relu_squared %}
    return max(x, 0.0) * max(x, 0.0);
{%- elif tanh %}
    return hyperbolic_tangent(x);
{%- elif sigmoid %}
    return logistic(x);
{%- elif scale %}
    return PARAMETER * x;
{%- elif soft_cap %}
    return PARAMETER * hyperbolic_tangent(x / PARAMETER);
{%- elif clamp %}
    return clamp(x, -PARAMETER, PARAMETER);
{%- elif at_most %}
    return min(x, PARAMETER);
{%- elif shift %}
    return x + PARAMETER;
{%- endif %}
}
