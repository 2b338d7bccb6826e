// Attention of many rows: QUERIES queries that follow each other share tiles of keys in workgroup memory, with an online
// softmax (FlashAttention, Dao et al. 2022). What a row sees, and `list`, `bias` and `sinks`: see plan::Op::Attention.
// q, y: [rows, n_heads * HEAD_DIM]; k, v: [n_keys, N_KV_HEADS * HEAD_DIM]; strides in numbers.
// A thread has four queries; for them four keys of a tile, every 16th, and then every 16th vec4 of their outputs.
// grid: (N_KV_HEADS, rows * HEADS_PER_KV / QUERIES).
{%- set queries = 16 %}
{%- set parts = 4 if parts4 else 2 if parts2 else 1 %}
{%- set four = ["x", "y", "z", "w"] %}
{% include "lib/queries.wgsl" %}

const TILE = 64u; // keys
const DEPTH = 8u; // vec4s of a head at a time
const LOWEST = -3.0e38; // WGSL need not keep infinities
var<workgroup> q_tile: array<vec4<f32>, QUERIES * DEPTH>;
var<workgroup> k_tile: array<vec4<f32>, TILE * DEPTH>;
var<workgroup> weights: array<vec4<f32>, TILE * QUERIES / 4u>; // of a key for four queries
var<workgroup> found: array<vec4<f32>, 64>; // a thread's, for its four queries

// Where a row's vec4s lie turns with the row, so that threads meet in different banks.
fn place(row: u32, j: u32) -> u32 {
    return row * DEPTH + (j ^ (row & 7u));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let kv_offset = wg.x % N_KV_HEADS * HEAD_DIM;
    let own = t / 16u; // which four of the queries
    let lane = t % 16u;
    var first = 0xffffffffu;
    var end = 0u;
    for (var j = 0u; j < QUERIES; j++) {
        let one = query(wg, j);
        first = min(first, one.first);
        end = max(end, one.end);
    }
{%- for j in range(4) %}
    let query{{ j }} = query(wg, own * 4u + {{ j }}u);
{%- for part in range(parts) %}
    var acc{{ j }}_{{ part }} = vec4<f32>();
{%- endfor %}
{%- endfor %}
    let firsts = vec4<u32>(query0.first, query1.first, query2.first, query3.first);
    let ends = vec4<u32>(query0.end, query1.end, query2.end, query3.end);
{%- if sinks %}
    var top = vec4<f32>(sinks[query0.head], sinks[query1.head], sinks[query2.head], sinks[query3.head]);
    var total = vec4<f32>(select(0.0, 1.0, lane == 0u)); // of the thread's keys
{%- else %}
    var top = vec4<f32>(LOWEST);
    var total = vec4<f32>();
{%- endif %}
    for (var tile = first; tile < end; tile += TILE) {
{%- for i in range(4) %}
        var score{{ i }} = vec4<f32>(); // of a key with the four queries
{%- endfor %}
        for (var deep = 0u; deep < HEAD_DIM / 4u; deep += DEPTH) {
            let j = t % DEPTH;
            let is_there = deep + j < HEAD_DIM / 4u;
            for (var i = t / DEPTH; i < QUERIES; i += 64u / DEPTH) {
                let one = query(wg, i);
                let at = (one.row * Q_STRIDE + one.head * HEAD_DIM) / 4u + deep + j;
                q_tile[place(i, j)] = select(vec4<f32>(), q[select(0u, at, is_there)], is_there);
            }
            for (var i = t / DEPTH; i < TILE; i += 64u / DEPTH) {
                let fourth = select(0u, kv_offset / 4u + deep + j, is_there);
                k_tile[place(i, j)] = select(vec4<f32>(), k_four(min(tile + i, end - 1u), fourth), is_there);
            }
            workgroupBarrier();
            for (var c = 0u; c < DEPTH; c++) {
{%- for j in range(4) %}
                let q{{ j }} = q_tile[place(own * 4u + {{ j }}u, c)];
{%- endfor %}
{%- for i in range(4) %}
                let k{{ i }} = k_tile[place(lane + {{ 16 * i }}u, c)];
                score{{ i }} += vec4<f32>(dot(q0, k{{ i }}), dot(q1, k{{ i }}), dot(q2, k{{ i }}), dot(q3, k{{ i }}));
{%- endfor %}
            }
            workgroupBarrier();
        }
        var peak = top;
{%- for i in range(4) %}
        let key{{ i }} = tile + lane + {{ 16 * i }}u;
        let sees{{ i }} = (vec4<u32>(key{{ i }}) >= firsts) & (vec4<u32>(key{{ i }}) < ends);
        score{{ i }} *= SCALE;
{%- for j in range(4) %}
{%- if softcap %}
        score{{ i }}.{{ four[j] }} = SOFTCAP * hyperbolic_tangent(score{{ i }}.{{ four[j] }} / SOFTCAP);
{%- endif %}
{%- if bias %}
        if (sees{{ i }}.{{ four[j] }}) {
            // The row itself is the last that it sees; where texts lie side by side, it is its own key.
            let distance = key{{ i }} - {{ "query" ~ j ~ ".row" if spans else "0u" if all else "(query" ~ j ~ ".end - 1u)" }};
            score{{ i }}.{{ four[j] }} += bias[query{{ j }}.head * BIAS_STRIDE + BIAS_OWN + distance];
        }
{%- endif %}
{%- endfor %}
        peak = max(peak, select(vec4<f32>(LOWEST), score{{ i }}, sees{{ i }}));
{%- endfor %}
        found[lane * 4u + own] = peak;
        workgroupBarrier();
        for (var i = 0u; i < 16u; i++) {
            peak = max(peak, found[i * 4u + own]);
        }
        let correction = exp(top - peak);
        top = peak;
        total *= correction;
{%- for i in range(4) %}
        let weight{{ i }} = select(vec4<f32>(), exp(score{{ i }} - peak), sees{{ i }});
        total += weight{{ i }};
        weights[(lane + {{ 16 * i }}u) * 4u + own] = weight{{ i }};
{%- endfor %}
        workgroupBarrier();
        let n = min(TILE, end - tile);
{%- for part in range(parts) %}
        if (lane + {{ 16 * part }}u < HEAD_DIM / 4u) {
{%- for j in range(4) %}
            acc{{ j }}_{{ part }} *= correction.{{ four[j] }};
{%- endfor %}
            for (var i = 0u; i < n; i++) {
                let weight = weights[i * 4u + own];
                let numbers = v_four(tile + i, kv_offset / 4u + lane + {{ 16 * part }}u);
{%- for j in range(4) %}
                acc{{ j }}_{{ part }} += weight.{{ four[j] }} * numbers;
{%- endfor %}
            }
        }
{%- endfor %}
    }
    found[lane * 4u + own] = total;
    workgroupBarrier();
    total = vec4<f32>();
    for (var i = 0u; i < 16u; i++) {
        total += found[i * 4u + own];
    }
{%- for j in range(4) %}
    if (is_there(wg, own * 4u + {{ j }}u)) {
{%- for part in range(parts) %}
{%- for c in range(4) %}
        put(query{{ j }}, (lane + {{ 16 * part }}u) * 4u + {{ c }}u, acc{{ j }}_{{ part }}.{{ four[c] }}, top.{{ four[j] }}, total.{{ four[j] }});
{%- endfor %}
{%- endfor %}
    }
{%- endfor %}
}
