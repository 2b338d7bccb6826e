// Nothing tells how large the subgroups of a workgroup are or which threads form one, so each draws a number by itself.
var<workgroup> n_drawn: atomic<u32>;

// Once, before any is drawn. It is zero anyway, but where a text has no barrier of its own SwiftShader zeroes it anew for each
// subgroup, so that each would draw all numbers.
fn prepare_draws(t: u32) {
    if (t == 0u) {
        atomicStore(&n_drawn, 0u);
    }
    workgroupBarrier();
}

// The next number, the same for a whole subgroup, and the thread's place in that.
fn draw() -> vec2<u32> {
    let lane = subgroupExclusiveAdd(1u);
    var drawn = 0u;
    if (lane == 0u) {
        drawn = atomicAdd(&n_drawn, 1u);
    }
    return vec2<u32>(subgroupBroadcastFirst(drawn), lane);
}
