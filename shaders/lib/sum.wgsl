// The sum over all THREADS of a workgroup; every thread gets it.
var<workgroup> sums: array<f32, THREADS>;
{% if subgroups %}
{% include "lib/subgroups.wgsl" %}

// `who` is what the thread drew, once and before.
fn reduce_sum(who: vec2<u32>, own: f32) -> f32 {
    let sum = subgroupAdd(own);
    workgroupBarrier(); // the sums of the time before have been read
    if (who.y == 0u) {
        sums[who.x] = sum;
    }
    workgroupBarrier();
    let n = atomicLoad(&n_drawn);
    var total = 0.0;
    for (var i = 0u; i < n; i++) {
        total += sums[i];
    }
    return total;
}
{% else %}
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
{%- endif %}
