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
var<workgroup> histogram: array<atomic<u32>, 256>;
var<workgroup> best: array<vec2<u32>, THREADS>; // order key, token
var<workgroup> sums: array<f32, THREADS>;
var<workgroup> prefix: u32;
var<workgroup> wanted: u32;
var<workgroup> bad: atomic<u32>;

{% include "lib/random.wgsl" %}

// Bits that compare as unsigned integers like the floats themselves.
fn order_key(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

fn from_order_key(key: u32) -> f32 {
    return bitcast<f32>(select(~key, key & 0x7fffffffu, (key >> 31u) == 1u));
}

// The pair with the largest key over all threads; the smaller token where keys tie.
fn reduce_best(t: u32, own: vec2<u32>) -> vec2<u32> {
    best[t] = own;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (t < half) {
            let a = best[t];
            let b = best[t + half];
            best[t] = select(a, b, b.x > a.x || (b.x == a.x && b.y < a.y));
        }
        workgroupBarrier();
    }
    return workgroupUniformLoad(&best[0]);
}

fn reduce_sum(t: u32, own: f32) -> f32 {
    sums[t] = own;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (t < half) {
            sums[t] += sums[t + half];
        }
        workgroupBarrier();
    }
    return workgroupUniformLoad(&sums[0]);
}

// The largest key such that tokens with at least it, all being at least `floor`, weigh `total` together.
// A token weighs 1, or its probability in fixed point where `scale` > 0: exp((score - top) / temperature) * scale.
// Radix selection: the digit is fixed 8 bits at a time from the top, by a histogram of those that share the prefix.
fn threshold(t: u32, floor: u32, total: u32, top: f32, scale: f32) -> u32 {
    if (t == 0u) {
        prefix = 0u;
        wanted = total;
    }
    for (var shift = 24i; shift >= 0; shift -= 8) {
        atomicStore(&histogram[t], 0u);
        workgroupBarrier();
        let known = select(0xffffffffu << u32(shift + 8), 0u, shift == 24);
        for (var i = t; i < N; i += THREADS) {
            let key = order_key(scores[i]);
            if (key >= floor && (key & known) == prefix) {
                var weight = 1u;
                if (scale > 0.0) {
                    weight = u32(exp((scores[i] - top) / run.temperature) * scale + 0.5);
                }
                atomicAdd(&histogram[(key >> u32(shift)) & 255u], weight);
            }
        }
        workgroupBarrier();
        if (t == 0u) {
            var last = 0u; // the lowest digit in use, in case rounding leaves the sum short
            for (var digit = 256u; digit > 0u; digit--) {
                let weight = atomicLoad(&histogram[digit - 1u]);
                if (weight == 0u) {
                    continue;
                }
                last = digit - 1u;
                if (weight >= wanted) {
                    break;
                }
                wanted -= weight;
            }
            prefix |= last << u32(shift);
        }
        workgroupBarrier();
    }
    return workgroupUniformLoad(&prefix);
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) t: u32) {
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
            let total = reduce_sum(t, part);
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
