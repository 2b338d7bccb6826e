// Finding the best and the k best of `scores` within one workgroup of THREADS, without sorting.
var<workgroup> histogram: array<atomic<u32>, 256>;
var<workgroup> best: array<vec2<u32>, THREADS>; // order key, token
var<workgroup> prefix: u32;
var<workgroup> wanted: u32;

// Bits that compare as unsigned integers like the floats themselves.
fn order_key(x: f32) -> u32 {
    let bits = select(bitcast<u32>(x), 0u, x == 0.0); // -0 equals 0
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
            var last = 0u;
            var enough = false;
            for (var digit = 256u; digit > 0u; digit--) {
                let weight = atomicLoad(&histogram[digit - 1u]);
                if (weight == 0u) {
                    continue;
                }
                last = digit - 1u;
                if (weight >= wanted) {
                    enough = true;
                    break;
                }
                wanted -= weight;
            }
            if (!enough) {
                wanted = 0xffffffffu; // rounding left the sum short: all are wanted, down to the lowest digit
            }
            prefix |= last << u32(shift);
        }
        workgroupBarrier();
    }
    return workgroupUniformLoad(&prefix);
}
