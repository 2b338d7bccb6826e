{%- set x = "y" if in_place else "x" -%}
// y = x / sqrt(mean(x²) + EPS) (* weight) (+ bias), over each N numbers of a row; a layer norm first takes off their mean.
// x: [rows, X_STRIDE]; y: [rows, Y_STRIDE]; weight: [WEIGHTS]; bias: [BIASES], both N or as wide as a row.
// One workgroup norms one group of N; grid: (groups in a row, rows).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
{%- if not in_place %}
@group(0) @binding(2) var<storage, read> x: array<f32>;
{%- endif %}
{%- if weight %}
@group(0) @binding(3) var<storage, read> weight: array<f32>;
override WEIGHTS: u32;
{%- endif %}
{%- if bias %}
@group(0) @binding(4) var<storage, read> bias: array<f32>;
override BIASES: u32;
{%- endif %}

override N: u32;
override X_STRIDE: u32;
override Y_STRIDE: u32;
override EPS: f32;

const THREADS = 64u;

{% include "lib/sum.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let start = group_index(wg) * N; // in the row
    let x_at = wg.y * X_STRIDE + start;
    let y_at = wg.y * Y_STRIDE + start;
{%- if subgroups %}
    prepare_draws(t);
{%- endif %}
    let who = {{ "draw()" if subgroups else "t" }};
    var mean = 0.0;
{%- if layer %}
    var sum = 0.0;
    for (var i = t; i < N; i += THREADS) {
        sum += {{ x }}[x_at + i];
    }
    mean = reduce_sum(who, sum) / f32(N);
{%- endif %}
    var squares = 0.0;
    for (var i = t; i < N; i += THREADS) {
        let v = {{ x }}[x_at + i] - mean;
        squares += v * v;
    }
    let scale = inverseSqrt(reduce_sum(who, squares) / f32(N) + EPS);
    for (var i = t; i < N; i += THREADS) {
        let v = ({{ x }}[x_at + i] - mean) * scale;
        y[y_at + i] = v{{ " * weight[(start + i) % WEIGHTS]" if weight }}{{ " + bias[(start + i) % BIASES]" if bias }};
    }
}
