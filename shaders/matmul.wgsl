{%- set side = 8 if large else 4 -%}
// y[r, i] = dot(w[i, :], x[r, :]) (+ bias[i]) (+ y[r, i]), for a chunk of rows: a tile of weights, unpacked once, serves TILE rows.
// w: [N_OUT, 32 * GROUPS], rows W_START.. of its buffer; x: [rows, 4 * X_STRIDE]; y: [rows, Y_STRIDE] from OUT_START on.
// A workgroup computes a TILE x TILE block of y, a thread every eighth output of every eighth row of it, SIDE x SIDE in
// registers; grid: (N_OUT / TILE, rows / TILE).
{%- if dots %}
// Here products of integers, four at a time: x as quantize.wgsl leaves it, w as `load_levels` does.
{%- endif %}
{% include "lib/linear.wgsl" %}

const SIDE = {{ side }}u;
const TILE = 8u * SIDE;
{%- if dots %}
var<workgroup> w_tile: array<vec4<u32>, TILE * 3u>;
var<workgroup> x_tile: array<vec4<u32>, TILE * 3u>;

fn dot_16(a: vec4<u32>, b: vec4<u32>) -> i32 {
    return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w);
}

// Of 32 weights and numbers: Σ (d q - m) x.
fn product(w: array<vec4<u32>, 3>, x: array<vec4<u32>, 3>) -> f32 {
    let scales = bitcast<vec4<f32>>(w[2]);
    let numbers = bitcast<vec4<f32>>(x[2]);
    let sums = vec2<f32>(vec2<i32>(dot_16(w[0], x[0]), dot_16(w[1], x[1])));
    return dot(scales.xy * numbers.xy, sums) - scales.z * numbers.z;
}
{%- else %}
// A group of 32 numbers a row, as 8 vec4. Where they lie turns with the row, so that threads meet in different banks.
var<workgroup> w_tile: array<vec4<f32>, TILE * 8u>;
var<workgroup> x_tile: array<vec4<f32>, TILE * 8u>;

fn place(row: u32, j: u32) -> u32 {
    return row * 8u + (j ^ (row & 7u));
}
{%- endif %}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let first_out = group_index(wg) * TILE;
    let first_row = wg.y * TILE;
    let own_out = t % 8u;
    let own_row = t / 8u;
    let n_rows = run.n_rows - first_row;
{%- for r in range(side) %}
{%- for i in range(side) %}
    var sum{{ r }}_{{ i }} = 0.0;
{%- endfor %}
{%- endfor %}
    for (var g = 0u; g < GROUPS; g++) {
{%- if dots %}
        if (t < TILE && first_out + t < N_OUT) {
            let w = load_levels((W_START + first_out + t) * GROUPS + g);
            w_tile[t * 3u] = w[0];
            w_tile[t * 3u + 1u] = w[1];
            w_tile[t * 3u + 2u] = w[2];
        }
        for (var i = t; i < min(TILE, n_rows) * 3u; i += 64u) {
            x_tile[i] = x[((first_row + i / 3u) * GROUPS + g) * 3u + i % 3u];
        }
        workgroupBarrier();
{%- for i in range(side) %}
        let at{{ i }} = (own_out + {{ 8 * i }}u) * 3u;
        let w{{ i }} = array<vec4<u32>, 3>(w_tile[at{{ i }}], w_tile[at{{ i }} + 1u], w_tile[at{{ i }} + 2u]);
{%- endfor %}
{%- for r in range(side) %}
        if ({{ 8 * r }}u < n_rows) {
            let at = (own_row + {{ 8 * r }}u) * 3u;
            let x{{ r }} = array<vec4<u32>, 3>(x_tile[at], x_tile[at + 1u], x_tile[at + 2u]);
{%- for i in range(side) %}
            sum{{ r }}_{{ i }} += product(w{{ i }}, x{{ r }});
{%- endfor %}
        }
{%- endfor %}
{%- else %}
        if (t < TILE && first_out + t < N_OUT) {
            let w = load_block((W_START + first_out + t) * GROUPS + g);
{%- for j in range(8) %}
            w_tile[place(t, {{ j }}u)] = w[{{ j }}];
{%- endfor %}
        }
        for (var row = own_row; row < min(TILE, n_rows); row += 8u) {
            x_tile[place(row, own_out)] = x[(first_row + row) * X_STRIDE + g * 8u + own_out];
        }
        workgroupBarrier();
        for (var j = 0u; j < 8u; j++) {
{%- for i in range(side) %}
            let w{{ i }} = w_tile[place(own_out + {{ 8 * i }}u, j)];
{%- endfor %}
{%- for r in range(side) %}
            if ({{ 8 * r }}u < n_rows) {
                let x{{ r }} = x_tile[place(own_row + {{ 8 * r }}u, j)];
{%- for i in range(side) %}
                sum{{ r }}_{{ i }} += dot(w{{ i }}, x{{ r }});
{%- endfor %}
            }
{%- endfor %}
        }
{%- endif %}
        workgroupBarrier();
    }
{%- for r in range(side) %}
    put(first_row + own_row + {{ 8 * r }}u, first_out + own_out, array<f32, SIDE>(
{%- for i in range(side) %}sum{{ r }}_{{ i }}, {% endfor %}));
{%- endfor %}
}

fn put(row: u32, first: u32, sums: array<f32, SIDE>) {
    var all = sums;
    for (var k = 0u; k < SIDE; k++) {
        let i = first + 8u * k;
        if (i < N_OUT && row < run.n_rows) {
            let to = row * Y_STRIDE + OUT_START + i;
            y[to] = all[k]{{ " + bias[BIAS_START + i]" if bias }}{{ " + y[to]" if add }};
        }
    }
}
