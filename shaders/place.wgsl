// Queries, keys and values of a row, head by head: norm, limit and rotation as plan::Place has them; then keys and values go
// to the cache (lib/cache.wgsl tells how they lie there), and queries back to where they were.
// qkv: [rows, STRIDE], N_HEADS of queries, N_KV_HEADS of keys, as many of values, of HEAD_DIM; caches: [n_slots, …];
// table: [n, DIMS], cosine and sine by turns; positions, slots: [rows].
// One workgroup a head; grid: (N_HEADS + 2 N_KV_HEADS, rows).
{% include "lib/run.wgsl" %}
{%- if f16 %}
{% include "lib/to_halves.wgsl" %}
{%- elif q8 %}
{% include "lib/to_bytes.wgsl" %}
{%- endif %}
@group(0) @binding(1) var<storage, read_write> qkv: array<f32>;
@group(0) @binding(2) var<storage, read_write> k_cache: array<{{ "u32" if f16 or q8 else "f32" }}>;
@group(0) @binding(3) var<storage, read_write> v_cache: array<{{ "u32" if f16 or q8 else "f32" }}>;
{%- if interleaved or halves %}
@group(0) @binding(4) var<storage, read> table: array<vec2<f32>>;
override DIMS: u32;
{%- endif %}
{%- if positions %}
@group(0) @binding(5) var<storage, read> positions: array<u32>;
{%- endif %}
{%- if slots %}
@group(0) @binding(6) var<storage, read> slots: array<u32>;
{%- endif %}
{%- if rms or layer %}
@group(0) @binding(7) var<storage, read> q_weight: array<f32>; // [Q_WEIGHTS], of one head or of all
@group(0) @binding(8) var<storage, read> k_weight: array<f32>; // [K_WEIGHTS]
override Q_WEIGHTS: u32;
override K_WEIGHTS: u32;
override EPS: f32;
{%- endif %}
{%- if clip %}
override CLIP: f32;
{%- endif %}

override N_HEADS: u32;
override N_KV_HEADS: u32;
override HEAD_DIM: u32;
override STRIDE: u32;

const THREADS = 64u;
const MOST = 256u; // numbers in a head
var<workgroup> numbers: array<f32, MOST>;

{%- if rms or layer %}
{% include "lib/sum.wgsl" %}
{%- endif %}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let is_query = wg.x < N_HEADS;
    let is_value = wg.x >= N_HEADS + N_KV_HEADS;
    let start = wg.y * STRIDE + wg.x * HEAD_DIM;
    for (var i = t; i < HEAD_DIM; i += THREADS) {
        numbers[i] = qkv[start + i];
    }
{%- if rms or layer %}
{%- if subgroups %}
    prepare_draws(t);
{%- endif %}
    let who = {{ "draw()" if subgroups else "t" }};
    var mean = 0.0;
{%- if layer %}
    var sum = 0.0;
    for (var i = t; i < HEAD_DIM; i += THREADS) {
        sum += numbers[i];
    }
    mean = reduce_sum(who, sum) / f32(HEAD_DIM);
{%- endif %}
    var squares = 0.0;
    for (var i = t; i < HEAD_DIM; i += THREADS) {
        squares += (numbers[i] - mean) * (numbers[i] - mean);
    }
    let scale = inverseSqrt(reduce_sum(who, squares) / f32(HEAD_DIM) + EPS);
    for (var i = t; i < HEAD_DIM && !is_value; i += THREADS) {
        let at = wg.x * HEAD_DIM + i;
        numbers[i] = (numbers[i] - mean) * scale;
        if (is_query) {
            numbers[i] *= q_weight[at % Q_WEIGHTS];
        } else {
            numbers[i] *= k_weight[(at - N_HEADS * HEAD_DIM) % K_WEIGHTS];
        }
    }
{%- endif %}
{%- if clip %}
    for (var i = t; i < HEAD_DIM; i += THREADS) {
        numbers[i] = clamp(numbers[i], -CLIP, CLIP);
    }
{%- endif %}
{%- if interleaved or halves %}
    workgroupBarrier();
    let pairs = select(DIMS / 2u, 0u, is_value);
    let position = run.rope_start + {{ "positions[wg.y]" if positions else "run.pos + wg.y" }};
    for (var i = t; i < pairs; i += THREADS) {
        let a = {{ "2u * i" if interleaved else "i" }};
        let b = {{ "a + 1u" if interleaved else "a + pairs" }};
        let turn = table[position * pairs + i];
        let before = vec2<f32>(numbers[a], numbers[b]);
        numbers[a] = before.x * turn.x - before.y * turn.y;
        numbers[b] = before.x * turn.y + before.y * turn.x;
    }
    workgroupBarrier();
{%- endif %}
    let slot = {{ "slots[wg.y]" if slots else "run.pos + wg.y" }};
    let head = (wg.x - N_HEADS) % N_KV_HEADS; // of keys and values
    let to = (slot * N_KV_HEADS + head) * HEAD_DIM;
    if (is_query) {
        for (var i = t; i < HEAD_DIM; i += THREADS) {
            qkv[start + i] = numbers[i];
        }
        return;
    }
{%- if q8 %}
    workgroupBarrier();
    let row = slot * N_KV_HEADS * HEAD_DIM / 32u * 9u;
    for (var i = t; i < HEAD_DIM / 32u; i += THREADS) { // 32 numbers by a thread
        var bits = 0u;
        for (var j = 0u; j < 32u; j++) {
            bits = more_bits(bits, numbers[32u * i + j]);
        }
        let block = head * HEAD_DIM / 32u + i;
        let scale = scale_of(bits);
        for (var j = 0u; j < 8u; j++) {
            let c = 32u * i + 4u * j;
            let four = vec4<f32>(numbers[c], numbers[c + 1u], numbers[c + 2u], numbers[c + 3u]);
            put(is_value, row + block * 8u + j, to_bytes(four, scale));
        }
        put(is_value, row + N_KV_HEADS * HEAD_DIM / 4u + block, bitcast<u32>(scale));
    }
{%- elif f16 %}
    workgroupBarrier();
    for (var i = t; i < HEAD_DIM / 2u; i += THREADS) { // two halves a word
        put(is_value, to / 2u + i, to_halves(vec2<f32>(numbers[2u * i], numbers[2u * i + 1u])));
    }
{%- else %}
    for (var i = t; i < HEAD_DIM; i += THREADS) {
        put(is_value, to + i, numbers[i]);
    }
{%- endif %}
}

fn put(is_value: bool, at: u32, cell: {{ "u32" if f16 or q8 else "f32" }}) {
    if (is_value) {
        v_cache[at] = cell;
    } else {
        k_cache[at] = cell;
    }
}
