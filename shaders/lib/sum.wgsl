// The sum over all THREADS of a workgroup; every thread gets it.
var<workgroup> sums: array<f32, THREADS>;

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
