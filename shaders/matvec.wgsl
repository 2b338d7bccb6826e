// y[r, i] = dot(w[i, :], x[r, :]) and what follows on it, for one row or few: reads each weight once per row.
// w: [N_OUT, 32 * GROUPS], rows W_START.. of its buffer; x: [rows, 4 * X_STRIDE]; y: [rows, Y_STRIDE] from OUT_START on.
// A team of threads shares OUTPUTS outputs that are neighbours, a workgroup has TEAMS; grid: (N_OUT / OUTPUTS / TEAMS, rows).
{%- if subgroups %}
// A team is a subgroup here, whichever threads form it and however many: each takes the next of TEAMS turns until none is left.
{%- else %}
// LANES threads are a team.
{%- endif %}
{%- if norm %}
// x is normed first, as in norm.wgsl, by `weight`: its scale is known when the products are, and applied to them.
{%- endif %}
{%- if gated %}
// y = f(product) * product of the row UP_START below.
{%- endif %}
{%- if experts %}
// Here with each row's experts in turn, of N_EACH outputs; x and y have a place for each, X_SLOT and Y_SLOT apart, and w
// the rows of one expert after those of another, of which this part has some. grid: (k * Y_SLOT / TEAMS, rows).
{%- endif %}
{%- set outputs = 1 if not wide else 2 if gated else 4 %}
{%- set products = 2 * outputs if gated else outputs %}
{% include "lib/linear.wgsl" %}
override TEAMS: u32;
{%- if subgroups %}
{% include "lib/subgroups.wgsl" %}
{%- else %}
override LANES: u32;
{%- endif %}
{%- if experts %}
@group(0) @binding(6) var<storage, read> experts: array<f32>; // [rows, EXPERTS_STRIDE], their numbers first
override EXPERTS_STRIDE: u32;
override N_EACH: u32;
override X_SLOT: u32;
override Y_SLOT: u32;
{%- endif %}
{%- if norm %}
@group(0) @binding(7) var<storage, read> weight: array<vec4<f32>>; // [N_IN]
override N_IN: u32;
override EPS: f32;
{%- endif %}
{%- if map or gated %}
{% include "lib/functions.wgsl" %}
{%- endif %}
{%- if gated %}
override UP_START: u32;
{%- endif %}

const THREADS = 64u;
const OUTPUTS = {{ outputs }}u;
{%- if not subgroups %}
const HELPERS = 8u; // threads of a team that add up what the others found
var<workgroup> partial: array<f32, {{ products + 1 if norm else products }}u * THREADS>;

// The sum that a team found for a product.
fn total(product: u32, team: u32) -> f32 {
    var sum = 0.0;
    for (var j = 0u; j < min(LANES, HELPERS); j++) {
        sum += partial[product * THREADS + team * LANES + j];
    }
    return sum;
}
{%- endif %}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
{%- if subgroups %}
    prepare_draws(t);
    let lanes = subgroupAdd(1u);
    for (var turn = draw(); turn.x < TEAMS; turn = draw()) {
        compute(wg, turn.x, turn.y, lanes);
    }
{%- else %}
    compute(wg, t / LANES, t % LANES, LANES);
{%- endif %}
}

// The outputs of a team, by one of its threads.
fn compute(wg: vec3<u32>, team: u32, lane: u32, lanes: u32) {
{%- if experts %}
    let groups = (Y_SLOT + TEAMS - 1u) / TEAMS;
    let slot = group_index(wg) / groups;
    let out = group_index(wg) % groups * TEAMS + team;
    let expert = u32(experts[wg.y * EXPERTS_STRIDE + slot]) * N_EACH;
    let first = select(N_OUT, expert + out - OUT_START, out < N_EACH); // wraps below the part's first row
    let x_at = wg.y * X_STRIDE + slot * X_SLOT;
    let y_at = wg.y * Y_STRIDE + slot * Y_SLOT + out;
{%- else %}
    let first = (group_index(wg) * TEAMS + team) * OUTPUTS;
    let x_at = wg.y * X_STRIDE;
    let y_at = wg.y * Y_STRIDE + OUT_START + first;
{%- endif %}
{%- for k in range(products) %}
    let row{{ k }} = (W_START + min(first + {{ k % outputs }}u, N_OUT - 1u){{ " + UP_START" if k >= outputs }}) * GROUPS;
    var sum{{ k }} = 0.0;
{%- endfor %}
    var squares = 0.0;
    if (first < N_OUT) {
        for (var g = lane; g < GROUPS; g += lanes) {
{%- for j in range(8) %}
            {{ "var" if norm else "let" }} x{{ j }} = x[x_at + g * 8u + {{ j }}u];
{%- if norm %}
            squares += dot(x{{ j }}, x{{ j }});
            x{{ j }} *= weight[g * 8u + {{ j }}u];
{%- endif %}
{%- endfor %}
{%- for k in range(products) %}
            let w{{ k }} = load_block(row{{ k }} + g);
            sum{{ k }} += dot(w{{ k }}[0], x0) + dot(w{{ k }}[1], x1) + dot(w{{ k }}[2], x2) + dot(w{{ k }}[3], x3)
                + dot(w{{ k }}[4], x4) + dot(w{{ k }}[5], x5) + dot(w{{ k }}[6], x6) + dot(w{{ k }}[7], x7);
{%- endfor %}
        }
    }
{%- if subgroups %}
{%- for k in range(products) %}
    let total{{ k }} = subgroupAdd(sum{{ k }});
{%- endfor %}
{%- if norm %}
    let scale = inverseSqrt(subgroupAdd(squares) / f32(N_IN) + EPS);
{%- endif %}
{%- else %}
    let t = team * LANES + lane;
{%- for k in range(products) %}
    partial[{{ k }}u * THREADS + t] = sum{{ k }};
{%- endfor %}
{%- if norm %}
    partial[{{ products }}u * THREADS + t] = squares;
{%- endif %}
    workgroupBarrier();
    if (lane < HELPERS) {
        for (var j = lane + HELPERS; j < LANES; j += HELPERS) {
{%- for k in range(products + 1 if norm else products) %}
            partial[{{ k }}u * THREADS + t] += partial[{{ k }}u * THREADS + team * LANES + j];
{%- endfor %}
        }
    }
    workgroupBarrier();
{%- if norm %}
    let scale = inverseSqrt(total({{ products }}u, team) / f32(N_IN) + EPS);
{%- endif %}
{%- endif %}
{%- for k in range(outputs) %}
    if (lane == {{ k }}u % lanes && first + {{ k }}u < N_OUT) {
        let p = {{ "total" ~ k if subgroups else "total(" ~ k ~ "u, team)" }}{{ " * scale" if norm }}{{ " + bias[BIAS_START + first + " ~ k ~ "u]" if bias }};
{%- if gated %}
        let up = {{ "total" ~ (outputs + k) if subgroups else "total(" ~ (outputs + k) ~ "u, team)" }}{{ " * scale" if norm }}{{ " + bias[BIAS_START + N_OUT + first + " ~ k ~ "u]" if bias }};
{%- endif %}
        y[y_at + {{ k }}u] = {{ "apply(p)" if map or gated else "p" }}{{ " * up" if gated }}{{ " + y[y_at + " ~ k ~ "u]" if add }};
    }
{%- endfor %}
{%- if experts %}
    if (lane == 0u && out >= N_EACH && out < Y_SLOT) {
        y[y_at] = 0.0; // padding, which the next layer multiplies with zeros
    }
{%- endif %}
}
