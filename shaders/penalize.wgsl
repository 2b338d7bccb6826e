// Repetition, presence and frequency penalties: scores = logits, less for tokens that occurred.
// logits, scores: [1, N]; counts: [1, N], bit 31 set if the prompt has the token, below it the times it was generated.
// One thread a token; grid: (N / 64, 1).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> counts: array<u32>;
@group(0) @binding(3) var<storage, read_write> scores: array<f32>;

override N: u32;
const IN_PROMPT = 0x80000000u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = group_index(wg) * 64u + t;
    if (i >= N) {
        return;
    }
    var score = logits[i];
    let count = counts[i];
    if (count != 0u) {
        score = select(score * run.repetition_penalty, score / run.repetition_penalty, score > 0.0);
    }
    let generated = count & ~IN_PROMPT;
    if (generated > 0u) {
        score -= run.presence_penalty + run.frequency_penalty * f32(generated);
    }
    scores[i] = score;
}
