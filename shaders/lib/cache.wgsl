// Keys and values as they lie in a cache: numbers, halves two in a word, or signed bytes, a row's in order, and behind them the
// row's scales, one for 32. In rows of K_STRIDE and V_STRIDE numbers.
{%- set tiled = queries == 16 %}
@group(0) @binding(2) var<storage, read> k: array<{{ "u32" if q8 else "vec2<u32>" if f16 else "vec4<f32>" }}>;
@group(0) @binding(3) var<storage, read> v: array<{{ "u32" if q8 or f16 and not tiled else "vec2<u32>" if f16 else "vec4<f32>" if tiled else "f32" }}>;
override K_STRIDE: u32;
override V_STRIDE: u32;
{%- for name in ["k", "v"] %}
{%- set stride = "K_STRIDE" if name == "k" else "V_STRIDE" %}
{%- if name == "k" or tiled %}

// The i-th four numbers of a row.
fn {{ name }}_four(row: u32, i: u32) -> vec4<f32> {
{%- if q8 %}
    let at = row * ({{ stride }} / 32u * 9u);
    let bytes = bitcast<vec4<i32>>(vec4<u32>({{ name }}[at + i]) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u);
    return bitcast<f32>({{ name }}[at + {{ stride }} / 4u + i / 8u]) * vec4<f32>(bytes);
{%- elif f16 %}
    let four = {{ name }}[row * {{ stride }} / 4u + i];
    return vec4<f32>(unpack2x16float(four.x), unpack2x16float(four.y));
{%- else %}
    return {{ name }}[row * {{ stride }} / 4u + i];
{%- endif %}
}
{%- else %}

// The i-th number of a row of values.
fn v_one(row: u32, i: u32) -> f32 {
{%- if q8 %}
    let at = row * (V_STRIDE / 32u * 9u);
    let byte = bitcast<i32>(v[at + i / 4u] << (24u - i % 4u * 8u)) >> 24u;
    return bitcast<f32>(v[at + V_STRIDE / 4u + i / 32u]) * f32(byte);
{%- elif f16 %}
    return unpack2x16float(v[(row * V_STRIDE + i) / 2u])[i % 2u];
{%- else %}
    return v[row * V_STRIDE + i];
{%- endif %}
}
{%- endif %}
{%- endfor %}
