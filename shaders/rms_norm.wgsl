// y = x / sqrt(mean(x²) + EPS) * weight, over each N numbers of a row.
// x, y: [rows, STRIDE]; weight: [N].
// One workgroup norms one group of N; grid: (groups in a row, rows).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> weight: array<f32>;
{%- if in_place %}
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
{%- else %}
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
{%- endif %}

override N: u32;
override STRIDE: u32;
override EPS: f32;

const THREADS = 64u;
var<workgroup> partial: array<f32, THREADS>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let start = wg.y * STRIDE + wg.x * N;
    var sum = 0.0;
    for (var i = t; i < N; i += THREADS) {
        let v = {{ "y" if in_place else "x" }}[start + i];
        sum += v * v;
    }
    partial[t] = sum;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (t < half) {
            partial[t] += partial[t + half];
        }
        workgroupBarrier();
    }
    let scale = inverseSqrt(partial[0] / f32(N) + EPS);
    for (var i = t; i < N; i += THREADS) {
        y[start + i] = {{ "y" if in_place else "x" }}[start + i] * scale * weight[i];
    }
}
