// y[r, :] = table[i, :], or y[r, :] += …, unpacked, where i is the row's id, or its position and OFFSET.
// table: [N_OUT, 32 * GROUPS], rows OUT_START.. of N_ROWS, from row W_START of its buffer on; ids: [rows]; y: [rows, 4 * Y_STRIDE].
// One thread unpacks one group of 32 numbers; grid: (GROUPS / 64, rows).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> w_quants: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> w_scales: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
{%- if ids %}
@group(0) @binding(4) var<storage, read> ids: array<u32>;
{%- else %}
override OFFSET: u32;
{%- endif %}

override GROUPS: u32;
override N_ROWS: u32;
override N_OUT: u32;
override W_START: u32;
override OUT_START: u32;
override Y_STRIDE: u32;

{% include dequant %}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let group = group_index(wg) * 64u + t;
    let index = {{ "ids[wg.y]" if ids else "run.pos + wg.y + OFFSET" }};
    let row = min(index, N_ROWS - 1u) - OUT_START; // wraps below the part's first row
    if (group >= GROUPS || row >= N_OUT) {
        return;
    }
    let w = load_block((W_START + row) * GROUPS + group);
    let at = wg.y * Y_STRIDE + group * 8u;
{%- for i in range(8) %}
    y[at + {{ i }}u] {{ "+=" if add else "=" }} w[{{ i }}];
{%- endfor %}
}
