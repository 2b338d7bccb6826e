// y[r, i] = dot(w[i, :], x[r, :]) (+ bias[i]) (+ y[r, i]), for one row or few: reads each weight once per row.
// w: [N_OUT, 32 * GROUPS], rows OUT_START.. of the whole matrix; x: [rows, 4 * X_STRIDE]; y: [rows, Y_STRIDE].
// LANES threads share one output, 64 / LANES outputs a workgroup; grid: (N_OUT * LANES / 64, rows).
{%- if experts %}
// Here with each row's experts in turn, of N_EACH outputs; x and y have a place for each, X_SLOT and Y_SLOT apart, and w
// the rows of one expert after those of another, of which this part has some. grid: (k * Y_SLOT * LANES / 64, rows).
{%- endif %}
{% include "lib/linear.wgsl" %}
override LANES: u32;
{%- if experts %}
@group(0) @binding(6) var<storage, read> experts: array<f32>; // [rows, EXPERTS_STRIDE], their numbers first
override EXPERTS_STRIDE: u32;
override N_EACH: u32;
override X_SLOT: u32;
override Y_SLOT: u32;
{%- endif %}

const THREADS = 64u;
var<workgroup> partial: array<f32, THREADS>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let lane = t % LANES;
    let outputs = THREADS / LANES;
{%- if experts %}
    let groups = (Y_SLOT + outputs - 1u) / outputs;
    let slot = group_index(wg) / groups;
    let out = group_index(wg) % groups * outputs + t / LANES;
    let first = u32(experts[wg.y * EXPERTS_STRIDE + slot]) * N_EACH;
    let i = select(N_OUT, first + out - OUT_START, out < N_EACH); // wraps below the part's first row
    let x_at = wg.y * X_STRIDE + slot * X_SLOT;
    let y_at = wg.y * Y_STRIDE + slot * Y_SLOT + out;
{%- else %}
    let i = group_index(wg) * outputs + t / LANES;
    let x_at = wg.y * X_STRIDE;
    let y_at = wg.y * Y_STRIDE + OUT_START + i;
{%- endif %}
    var sum = 0.0;
    if (i < N_OUT) {
        for (var g = lane; g < GROUPS; g += LANES) {
            let w = load_block(i * GROUPS + g);
            let at = x_at + g * 8u;
{%- for j in range(8) %}
            sum += dot(w[{{ j }}], x[at + {{ j }}u]);
{%- endfor %}
        }
    }
    partial[t] = sum;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            partial[t] += partial[t + half];
        }
        workgroupBarrier();
    }
    if (lane == 0u && i < N_OUT) {
        y[y_at] = partial[t]{{ " + bias[OUT_START + i]" if bias }}{{ " + y[y_at]" if add }};
    }
{%- if experts %}
    if (lane == 0u && out >= N_EACH && out < Y_SLOT) {
        y[y_at] = 0.0; // padding, which the next layer multiplies with zeros
    }
{%- endif %}
}
