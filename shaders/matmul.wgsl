// y[r, i] = dot(w[i, :], x[r, :]) (+ bias[i]) (+ y[r, i]), for a chunk of rows: a tile of weights serves TILE rows.
// w: [N_OUT, 32 * GROUPS], rows W_START.. of its buffer; x: [rows, 4 * X_STRIDE]; y: [rows, Y_STRIDE] from OUT_START on.
// A workgroup computes a TILE x TILE block of y, a thread 4 x 4 of it; grid: (N_OUT / TILE, rows / TILE).
{% include "lib/linear.wgsl" %}

const TILE = 32u;
const PITCH = 9u; // 8 vec4 of a group, and one more so that columns fall into different banks
var<workgroup> w_tile: array<vec4<f32>, TILE * PITCH>;
var<workgroup> x_tile: array<vec4<f32>, TILE * PITCH>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let first_out = group_index(wg) * TILE;
    let first_row = wg.y * TILE;
    let out4 = t % 8u * 4u; // this thread's four outputs and four rows within the tile
    let row4 = t / 8u * 4u;
{%- for r in range(4) %}
    var sum{{ r }} = vec4<f32>(0.0);
{%- endfor %}
    for (var g = 0u; g < GROUPS; g++) {
        // Half of the threads unpack a weight group each, the others fetch a row of x each.
        let at = (t % TILE) * PITCH;
        if (t < TILE) {
            if (first_out + t < N_OUT) {
                let w = load_block((W_START + first_out + t) * GROUPS + g);
{%- for j in range(8) %}
                w_tile[at + {{ j }}u] = w[{{ j }}];
{%- endfor %}
            }
        } else if (first_row + t - TILE < run.n_rows) {
            let x_at = (first_row + t - TILE) * X_STRIDE + g * 8u;
{%- for j in range(8) %}
            x_tile[at + {{ j }}u] = x[x_at + {{ j }}u];
{%- endfor %}
        }
        workgroupBarrier();
        for (var j = 0u; j < 8u; j++) {
{%- for i in range(4) %}
            let w{{ i }} = w_tile[(out4 + {{ i }}u) * PITCH + j];
{%- endfor %}
{%- for r in range(4) %}
            let x{{ r }} = x_tile[(row4 + {{ r }}u) * PITCH + j];
            sum{{ r }} += vec4<f32>(dot(w0, x{{ r }}), dot(w1, x{{ r }}), dot(w2, x{{ r }}), dot(w3, x{{ r }}));
{%- endfor %}
        }
        workgroupBarrier();
    }
    var sums = array<vec4<f32>, 4>(sum0, sum1, sum2, sum3);
    for (var r = 0u; r < 4u; r++) {
        for (var k = 0u; k < 4u; k++) {
            let i = first_out + out4 + k;
            let row = first_row + row4 + r;
            if (i < N_OUT && row < run.n_rows) {
                let to = row * Y_STRIDE + OUT_START + i;
                y[to] = sums[r][k]{{ " + bias[BIAS_START + i]" if bias }}{{ " + y[to]" if add }};
            }
        }
    }
}
