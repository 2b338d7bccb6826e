// Attention of QUERIES queries that share keys, keys in tiles, with an online softmax (Milakov & Gimelshein 2018): the running
// maximum and sum are corrected as each tile comes. What a row sees, and `list`, `bias` and `sinks`: see plan::Op::Attention.
// q, y: [rows, n_heads * HEAD_DIM]; k, v: [n_keys, N_KV_HEADS * HEAD_DIM]; strides in numbers.
// One workgroup for queries that follow each other row by row, heads of a row first; one thread a key of the tile, then one
// thread a number of the head. grid: (N_KV_HEADS * splits, rows * HEADS_PER_KV / QUERIES).
{%- if split %}
// Here for one row, whose keys are split into runs of SPLIT. If there are several, their results go to `partial` for
// attention_merge.wgsl: [splits, n_heads, HEAD_DIM + 2], the sum of values, the maximum, the sum of weights.
{%- endif %}
{%- set queries = 4 if several else 1 %}
{%- set parts = 4 if parts4 else 2 if parts2 else 1 %}
{% include "lib/queries.wgsl" %}

const TILE = 64u;
const PARTS = {{ parts }}u; // of a head, a number of each for every thread
const LOWEST = -3.0e38; // WGSL need not keep infinities
var<workgroup> asked: array<vec4<f32>, QUERIES * PARTS * TILE / 4u>;
{%- if subgroups %}
{% include "lib/subgroups.wgsl" %}
var<workgroup> peaks: array<f32, QUERIES * TILE>; // of each query, a subgroup's
{%- else %}
var<workgroup> scores: array<f32, QUERIES * TILE>;
var<workgroup> peaks: array<f32, TILE>;
{%- endif %}
var<workgroup> weights: array<f32, QUERIES * TILE>;
var<workgroup> places: array<u32, TILE>; // the row of a key and its values

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
{%- if subgroups %}
    prepare_draws(t);
    let who = draw();
{%- endif %}
    let kv_offset = wg.x % N_KV_HEADS * HEAD_DIM;
    for (var i = t; i < QUERIES * HEAD_DIM / 4u; i += TILE) {
        let one = query(wg, i / (HEAD_DIM / 4u));
        asked[i] = q[(one.row * Q_STRIDE + one.head * HEAD_DIM) / 4u + i % (HEAD_DIM / 4u)];
    }
    workgroupBarrier();
    let query0 = query(wg, 0u);
    var first = query0.first;
    var end = query0.end;
{%- for j in range(1, queries) %}
    let query{{ j }} = query(wg, {{ j }}u);
    first = min(first, query{{ j }}.first);
    end = max(end, query{{ j }}.end);
{%- endfor %}
{%- if split %}
    // Which of the splits, and how many there are.
    let split = vec2<u32>(wg.x / N_KV_HEADS, (end - first + SPLIT - 1u) / SPLIT);
    first += split.x * SPLIT;
    end = min(end, first + SPLIT);
{%- endif %}
{%- for j in range(queries) %}
    var max{{ j }} = {{ "sinks[query" ~ j ~ ".head]" if sinks else "LOWEST" }};
    var sum{{ j }} = {{ "1.0" if sinks else "0.0" }};
{%- if split and sinks %}
    if (split.x > 0u) {
        max{{ j }} = LOWEST;
        sum{{ j }} = 0.0;
    }
{%- endif %}
{%- for part in range(parts) %}
    var acc{{ j }}_{{ part }} = 0.0;
{%- endfor %}
{%- endfor %}
    for (var tile = first; tile < end; tile += TILE) {
        let n = min(TILE, end - tile);
        let key = tile + t;
        let slot = {{ "list[query0.row * LIST_STRIDE + 1u + min(key, end - 1u)]" if table else "min(key, end - 1u)" }};
{%- for j in range(queries) %}
        var score{{ j }} = 0.0;
{%- endfor %}
        for (var i = 0u; i < HEAD_DIM / 4u; i++) {
            let numbers = k_four(slot, kv_offset / 4u + i);
{%- for j in range(queries) %}
            score{{ j }} += dot(asked[{{ j }}u * (HEAD_DIM / 4u) + i], numbers);
{%- endfor %}
        }
{%- for j in range(queries) %}
        score{{ j }} *= SCALE;
{%- if softcap %}
        score{{ j }} = SOFTCAP * hyperbolic_tangent(score{{ j }} / SOFTCAP);
{%- endif %}
        let sees{{ j }} = t < n && key >= query{{ j }}.first && key < query{{ j }}.end;
        if (sees{{ j }}) {
{%- if bias %}
            // The row itself is the last that it sees; where texts lie side by side, it is its own key.
            let own = {{ "query" ~ j ~ ".row" if spans else "0u" if all else "query" ~ j ~ ".end - 1u" }};
            score{{ j }} += bias[query{{ j }}.head * BIAS_STRIDE + BIAS_OWN + key - own];
{%- endif %}
        } else {
            score{{ j }} = LOWEST;
        }
{%- if subgroups %}
        let peak{{ j }} = subgroupMax(score{{ j }});
        if (who.y == 0u) {
            peaks[{{ j }}u * TILE + who.x] = peak{{ j }};
        }
{%- else %}
        scores[{{ j }}u * TILE + t] = score{{ j }};
{%- endif %}
{%- endfor %}
        workgroupBarrier();
{%- if subgroups %}
        let n_peaks = atomicLoad(&n_drawn);
{%- else %}
        let n_peaks = TILE / QUERIES;
        var peak = scores[t * QUERIES];
        for (var c = 1u; c < QUERIES; c++) {
            peak = max(peak, scores[t * QUERIES + c]);
        }
        peaks[t] = peak;
        workgroupBarrier();
{%- endif %}
{%- for j in range(queries) %}
        // Every thread finds the maximum itself: so many reads cost less than more barriers.
        var new_max{{ j }} = max{{ j }};
        for (var i = 0u; i < n_peaks; i++) {
            new_max{{ j }} = max(new_max{{ j }}, peaks[{{ j }}u * {{ "TILE" if subgroups else "n_peaks" }} + i]);
        }
        weights[t * QUERIES + {{ j }}u] = select(0.0, exp(score{{ j }} - new_max{{ j }}), sees{{ j }});
        let correction{{ j }} = exp(max{{ j }} - new_max{{ j }});
        max{{ j }} = new_max{{ j }};
        sum{{ j }} *= correction{{ j }};
{%- endfor %}
        places[t] = slot;
        workgroupBarrier();
{%- for part in range(parts) %}
        if (t + {{ part }}u * TILE < HEAD_DIM) {
{%- for j in range(queries) %}
            acc{{ j }}_{{ part }} *= correction{{ j }};
{%- endfor %}
            for (var i = 0u; i < n; i++) {
                let number = v_one(places[i], kv_offset + t + {{ part }}u * TILE);
{%- for j in range(queries) %}
                let weight{{ j }} = weights[i * QUERIES + {{ j }}u];
                acc{{ j }}_{{ part }} += weight{{ j }} * number;
{%- if part == 0 %}
                sum{{ j }} += weight{{ j }};
{%- endif %}
{%- endfor %}
            }
        }
{%- endfor %}
    }
{%- for j in range(queries) %}
    if (is_there(wg, {{ j }}u)) {
{%- for part in range(parts) %}
        put(query{{ j }}, t + {{ part }}u * TILE, acc{{ j }}_{{ part }}, max{{ j }}, sum{{ j }}{{ ", split" if split }});
{%- endfor %}
    }
{%- endfor %}
}
