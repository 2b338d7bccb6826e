// What every kernel of a linear layer binds: a packed matrix w: [N_OUT, 32 * GROUPS], from row W_START of its buffer on, whose
// outputs go to y from OUT_START on; x: [rows, 4 * X_STRIDE]; y: [rows, Y_STRIDE]; a bias if there is one.
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> w_quants: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> w_scales: array<u32>;
@group(0) @binding(3) var<storage, read> x: array<vec4<{{ "u32" if dots else "f32" }}>>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
{%- if bias %}
@group(0) @binding(5) var<storage, read> bias: array<f32>; // of these outputs from BIAS_START on
override BIAS_START: u32;
{%- endif %}

override GROUPS: u32;
override N_OUT: u32;
override W_START: u32;
override OUT_START: u32;
override X_STRIDE: u32;
override Y_STRIDE: u32;

{% include dequant %}
