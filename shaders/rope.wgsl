// Rotates the first DIMS numbers of each head of x, in place, by the angles of the row's position.
// x: [rows, STRIDE], heads of HEAD_DIM; table: [n, DIMS], cosine and sine by turns; positions: [rows].
// One thread turns one pair; grid: (n_heads * DIMS / 2 / 64, rows).
{% include "lib/run.wgsl" %}
@group(0) @binding(1) var<storage, read> table: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> x: array<f32>;
{%- if positions %}
@group(0) @binding(3) var<storage, read> positions: array<u32>;
{%- endif %}

override N_HEADS: u32;
override HEAD_DIM: u32;
override DIMS: u32;
override STRIDE: u32;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let pairs = DIMS / 2u;
    let pair = group_index(wg) * 64u + t;
    if (pair >= N_HEADS * pairs) {
        return;
    }
    let i = pair % pairs;
    let head = wg.y * STRIDE + pair / pairs * HEAD_DIM;
    let a = head + {{ "2u * i" if interleaved else "i" }};
    let b = {{ "a + 1u" if interleaved else "a + pairs" }};
    let position = {{ "positions[wg.y]" if positions else "run.pos + wg.y" }};
    let turn = table[(run.rope_start + position) * pairs + i];
    let before = vec2<f32>(x[a], x[b]);
    x[a] = before.x * turn.x - before.y * turn.y;
    x[b] = before.x * turn.y + before.y * turn.x;
}
