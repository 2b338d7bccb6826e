// Draws the next token from the scores without sorting them: top-k and top-p become thresholds found by radix
// selection over the scores' bits, then an exponential race among the tokens kept (see backend/cpu/sample.rs).
// scores, counts: [1, N]; ids[0] gets the token, or NOT_FINITE.
// One workgroup; grid: (1, 1).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> scores: array<f32>;
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;
@group(0) @binding(3) var<storage, read_write> ids: array<u32>;

override N: u32;

const THREADS = 256u;
const NOT_FINITE = 0xffffffffu;
const INFINITY_BITS = 0x7f800000u;
const WHOLE = 2147483648.0; // all probability, in the fixed point of `mass`
var<workgroup> bad: atomic<u32>;

{% include "lib/random.wgsl" %}

{% include "lib/sum.wgsl" %}

{% include "lib/select.wgsl" %}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) t: u32) {
{%- if subgroups %}
    prepare_draws(t);
{%- endif %}
    let who = {{ "draw()" if subgroups else "t" }};
    var own = vec2<u32>(0u, NOT_FINITE);
    for (var i = t; i < N; i += THREADS) {
        let key = order_key(scores[i]);
        if (key > own.x) {
            own = vec2<u32>(key, i);
        }
        // NaN, or +infinity: told from the bits, since compilers may assume that there are none.
        let bits = bitcast<u32>(scores[i]);
        if ((bits & 0x7fffffffu) > INFINITY_BITS || bits == INFINITY_BITS) {
            atomicStore(&bad, 1u);
        }
    }
    let first = reduce_best(t, own);
    let top = from_order_key(first.x);
    var token = first.y;

    if (run.temperature > 0.0) {
        var floor = 0u;
        if (run.top_k > 0u && run.top_k < N) {
            floor = threshold(t, floor, run.top_k, top, 0.0);
        }
        if (run.top_p < 1.0) {
            var part = 0.0;
            for (var i = t; i < N; i += THREADS) {
                part += select(0.0, exp((scores[i] - top) / run.temperature), order_key(scores[i]) >= floor);
            }
            let total = reduce_sum(who, part);
            floor = threshold(t, floor, max(u32(run.top_p * WHOLE), 1u), top, WHOLE / total);
        }
        var lead = vec2<u32>(0u, NOT_FINITE);
        for (var i = t; i < N; i += THREADS) {
            let distance = (scores[i] - top) / run.temperature;
            if (order_key(scores[i]) >= floor && exp(distance) >= run.min_p) {
                let key = order_key(distance - log(exponential(i)));
                if (key > lead.x) {
                    lead = vec2<u32>(key, i);
                }
            }
        }
        token = reduce_best(t, lead).y;
    }
    if (t == 0u) {
        if (atomicLoad(&bad) == 1u || bitcast<u32>(top) == 0xff800000u) {
            token = NOT_FINITE;
        } else {
            counts[token] += 1u;
        }
        ids[0] = token;
    }
}
