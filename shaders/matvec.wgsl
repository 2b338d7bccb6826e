// y[r, i] = dot(w[i, :], x[r, :]) (+ bias[i]) (+ y[r, i]), for one row or few: reads each weight once per row.
// w: [N_OUT, 32 * GROUPS], rows OUT_START.. of the whole matrix; x: [rows, 4 * X_STRIDE]; y: [rows, Y_STRIDE].
// LANES threads share one output, 64 / LANES outputs a workgroup; grid: (N_OUT * LANES / 64, rows).
{% include "lib/linear.wgsl" %}
override LANES: u32;

const THREADS = 64u;
var<workgroup> partial: array<f32, THREADS>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let lane = t % LANES;
    let i = group_index(wg) * (THREADS / LANES) + t / LANES;
    var sum = 0.0;
    if (i < N_OUT) {
        for (var g = lane; g < GROUPS; g += LANES) {
            let w = load_block(i * GROUPS + g);
            let at = wg.y * X_STRIDE + g * 8u;
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
        let at = wg.y * Y_STRIDE + OUT_START + i;
        y[at] = partial[t]{{ " + bias[OUT_START + i]" if bias }}{{ " + y[at]" if add }};
    }
}
